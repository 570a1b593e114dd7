"""A model that says what the test says, when the test says it: no state of a route has to be caught in passing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from streamroute.core.types import Delta, Usage
from streamroute.upstreams.base import ChatRequest

__all__ = ("Puppet",)


class Puppet:
    """Answers grow by `say` and end with `end`; each `probe` ends one of the probes. An exception is a failure."""

    supports_n = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.model = f"{name}-1"
        self.requests: list[ChatRequest] = []
        self.running = 0
        self.left = asyncio.Event()
        """Whenever nothing runs any more."""
        self._answer: asyncio.Queue[Delta | Exception] = asyncio.Queue()
        self._probes: asyncio.Queue[Delta | Exception] = asyncio.Queue()

    def say(self, *texts: str) -> None:
        for text in texts:
            self._answer.put_nowait(Delta(text))

    def end(self) -> None:
        self._answer.put_nowait(Delta(finish_reason="stop", usage=Usage(12, 34)))

    def fail(self, error: Exception) -> None:
        self._answer.put_nowait(error)

    def probe(self, *said: str | Exception) -> None:
        for each in said:
            self._probes.put_nowait(each if isinstance(each, Exception) else Delta(each, finish_reason="stop"))

    async def aclose(self) -> None:
        return None

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        if not request.probe:
            self.requests.append(request)
        self.running += 1
        self.left.clear()
        deltas = self._play(self._probes if request.probe else self._answer)
        try:
            yield deltas
        finally:
            await deltas.aclose()
            self.running -= 1
            if not self.running:
                self.left.set()

    async def _play(self, lines: asyncio.Queue[Delta | Exception]) -> AsyncGenerator[Delta]:
        while True:
            line = await lines.get()
            if isinstance(line, Exception):
                raise line
            yield line
            if line.finish_reason is not None:
                return

"""One instance of an embedded model: loaded once, asked by many, and the deltas of one request at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self

import anyio

from streamroute.core.types import Delta, Usage
from streamroute.errors import UpstreamConnectError, UpstreamInterruptedError, UpstreamStatusError
from streamroute.upstreams.base import ChatRequest
from streamroute.upstreams.local_call import Call, End, in_thread
from streamroute.upstreams.local_chunks import ChunkReader, request_body
from streamroute.upstreams.local_server import ChatServer
from streamroute.upstreams.local_slots import Slots

__all__ = ("Deltas", "Engine")


class Engine:
    """One instance of the model: loaded once, in a thread; a failed load is tried again by the next request."""

    def __init__(self, name: str, load: Callable[[], ChatServer], places: int) -> None:
        self.name = name
        self.slots = Slots(places)
        self.calls: set[Call] = set()
        self._load = load
        self._loading: asyncio.Future[ChatServer] | None = None
        self._closed = False

    @property
    def running(self) -> int:
        """Requests that the model has not let go of."""
        return sum(not call.over.done() for call in self.calls)

    async def server(self) -> ChatServer:
        if self._closed:
            raise UpstreamConnectError("is closed", upstream=self.name)
        loading = self._loading
        if loading is None or not _usable(loading):
            loading = self._loading = in_thread(self._load, name="streamroute-load")
        server = loading.result() if loading.done() else await asyncio.shield(loading)
        if self._closed:
            raise UpstreamConnectError("is closed", upstream=self.name)
        return server

    async def call(self, body: dict[str, Any], places: int) -> Call:
        """Wait for room, then start a request; its places are given back when the model has let go of it."""
        await self.slots.take(places)
        try:
            call = Call(await self.server(), body)
        except BaseException:
            self.slots.give(places)
            raise
        self.calls.add(call)

        def ended(_: object) -> None:
            self.calls.discard(call)
            self.slots.give(places)

        call.over.add_done_callback(ended)
        return call

    async def aclose(self) -> None:
        self._closed = True
        loading, self._loading = self._loading, None
        with anyio.CancelScope(shield=True):
            if loading is not None and not loading.done():
                await asyncio.wait([loading])
            for call in (running := list(self.calls)):
                call.stop()
            if running:
                await asyncio.wait([call.over for call in running])
            if loading is not None and loading.exception() is None:
                held = [loading.result()]
                del loading, running
                await in_thread(held.clear, name="streamroute-unload")  # joins llama.cpp's threads


def _usable(loading: asyncio.Future[ChatServer]) -> bool:
    """Whether it holds a server, or will do so in this loop."""
    if loading.done():
        return loading.exception() is None
    return loading.get_loop() is asyncio.get_running_loop()


class Deltas:
    """The deltas of one request, its choices split over several calls where there are more than the model has slots."""

    def __init__(self, engine: Engine, request: ChatRequest) -> None:
        self._engine, self._request = engine, request
        self._call: Call | None = None
        self._begun = 0
        self._asked = 0
        self._reader = ChunkReader(engine.name)
        self._usage: Usage | None = None
        self._ready: list[Delta] = []
        self._over = False

    async def begin(self) -> None:
        self._asked = min(self._request.n - self._begun, self._engine.slots.total)
        self._reader = ChunkReader(self._engine.name, first=self._begun)
        body = request_body(self._request, self._asked, first=self._begun)
        self._call = await self._engine.call(body, self._asked)
        self._begun += self._asked

    async def close(self, grace: float) -> None:
        self._over = True
        if self._call is not None and not self._call.over.done():
            self._call.stop()
            with anyio.move_on_after(grace, shield=True):
                await asyncio.wait([self._call.over])

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        while not self._ready:
            if self._over or self._call is None:
                raise StopAsyncIteration
            item = await self._call.chunks.get()
            if isinstance(item, End):
                await self._next_call(item)
            else:
                self._ready = list(self._reader.read(item))
        return self._ready.pop(0)

    async def _next_call(self, end: End) -> None:
        self._over = True
        if isinstance(end.error, ValueError):  # how the server refuses a body
            raise UpstreamStatusError(str(end.error), upstream=self._engine.name, status=400) from end.error
        if end.error is not None or self._reader.finished < self._asked:
            told = str(end.error or "the model stopped before its answer was finished")
            raise UpstreamInterruptedError(told, upstream=self._engine.name) from end.error
        if (usage := self._reader.usage) is not None:
            before = self._usage.completion_tokens if self._usage is not None else 0
            self._usage = Usage(usage.prompt_tokens, before + usage.completion_tokens)
        if self._begun < self._request.n:
            await self.begin()
            self._over = False
        elif self._usage is not None:
            self._ready = [Delta(usage=self._usage)]

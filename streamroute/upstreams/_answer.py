"""What every upstream over HTTP does with a reply: bytes to deltas, with deadlines, and its errors in our words."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Literal, Protocol

from streamroute.core.types import Delta
from streamroute.errors import (
    UpstreamError,
    UpstreamInterruptedError,
    UpstreamProtocolError,
    UpstreamStatusError,
)
from streamroute.wire.errors import IncompleteError, ReportedError, WireError
from streamroute.wire.openai import AnswerDecoder

__all__ = ("AnswerStream", "Phase", "Source", "translated")

Phase = Literal["first", "between", "tail"]
"""What is waited for: the first that the answer says, more of it, or what may follow once every choice has finished."""


class Source(Protocol):
    """Where the bytes of one reply come from."""

    def expect(self, phase: Phase) -> None:
        """A new wait begins: its deadline counts from now on, over as many calls of `receive` as it takes."""
        ...

    async def receive(self) -> bytes:
        """The next bytes; empty when they have ended. Raises `UpstreamError`."""
        ...

    async def finish(self) -> None:
        """The answer has ended before the bytes. Never raises `UpstreamError`."""
        ...


class AnswerStream:
    """The deltas of one reply: what `Upstream.stream` gives. `redact` takes our secrets out of what the peer says."""

    __slots__ = ("_decoder", "_heard", "_over", "_pending", "_redact", "_source", "_upstream")

    def __init__(self, source: Source, decoder: AnswerDecoder, *, upstream: str, redact: Callable[[str], str]) -> None:
        self._source = source
        self._decoder = decoder
        self._upstream = upstream
        self._redact = redact
        self._pending: deque[Delta] = deque()
        self._heard = False
        self._over = False

    def __aiter__(self) -> AnswerStream:
        return self

    async def __anext__(self) -> Delta:
        while not self._pending:
            if self._over:
                raise StopAsyncIteration
            await self._read()
        return self._pending.popleft()

    async def _read(self) -> None:
        decoder = self._decoder
        if decoder.error is not None or decoder.done:
            self._end()
            await self._source.finish()
            return
        if self._heard:
            # Keep-alives and empty deltas must not hold the deadline up: only what says something begins a new wait.
            self._heard = False
            self._source.expect("tail" if decoder.complete else "between")
        try:
            data = await self._source.receive()
        except UpstreamError:
            if not decoder.complete:
                raise
            data = b""  # the answer is whole: what is missing is usage at most
        if not data:
            self._end()
            return
        deltas = decoder.feed(data)
        self._heard = bool(deltas)
        self._pending.extend(deltas)

    def _end(self) -> None:
        self._over = True
        try:
            self._pending.extend(self._decoder.eof())
        except WireError as error:
            raise translated(error, self._redact(str(error)), upstream=self._upstream) from error


_TRANSLATION: Final[tuple[tuple[type[WireError], type[UpstreamError]], ...]] = (
    (IncompleteError, UpstreamInterruptedError),
    (WireError, UpstreamProtocolError),
)


def translated(error: WireError, message: str, *, upstream: str) -> UpstreamError:
    """An error of the wire as an error of the leg, with this message."""
    if isinstance(error, ReportedError):
        return UpstreamStatusError(message, upstream=upstream, status=200, code=error.code)
    kind = next(ours for theirs, ours in _TRANSLATION if isinstance(error, theirs))
    return kind(message, upstream=upstream)

"""A route's events as a stream of OpenAI chunks.

Nothing is sent before the first content: until then a failure is a real HTTP error. After it, a failure is an error
frame, and the stream ends without `[DONE]`. Events that are ready together leave in one write. Whoever asked for
the live trace has the stream opened by its first note, before any content: all failures are error frames to him.

A long silence is broken by a comment, which every client ignores: it keeps proxies from taking the connection for dead.
One before the first content opens the reply, with status 200.
"""

from __future__ import annotations

import dataclasses
from typing import Any, assert_never

from aiohttp import web

from streamroute.core.types import Delta
from streamroute.errors import LedgerError, RouteError
from streamroute.gateway.exchange import Exchange
from streamroute.gateway.heartbeat import Heartbeat
from streamroute.gateway.keys import KEEP_ALIVE
from streamroute.gateway.telling import evidence_fields, usage_of
from streamroute.routing.router import RoutedStream
from streamroute.routing.stream import Appended, Committed, Continued, Noted, Retracted, StreamEvent, TextDelta
from streamroute.wire.openai import ChunkEncoder
from streamroute.wire.sse import DONE_EVENT, encode_comment, encode_event

__all__ = ("StreamedReply",)


class StreamedReply:
    """Sends one route to one client."""

    def __init__(self, stream: RoutedStream, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange
        self._encoder = ChunkEncoder(
            id=exchange.id, created=exchange.created, model=exchange.asked.model, logprobs=exchange.logprobs
        )
        self._response: web.StreamResponse | None = None
        self._heart = Heartbeat(exchange.request.app[KEEP_ALIVE], self._sign_of_life)
        self._waiting: list[bytes] = []
        self._has_content = False
        self._opened: set[int] = set()
        self._reasons: dict[int, str] = {}

    async def run(self) -> web.StreamResponse:
        """Send everything to the route's end. Raises `RouteError` for a failure before anything was sent; every later
        failure is told in the stream."""
        self._heart.rest()
        try:
            async for event in self._stream:
                more: StreamEvent | None = event
                while more is not None:
                    self._take(more)
                    more = self._stream.ready()
                if self._has_content:
                    await self._flush()
            return await self._finish()
        except RouteError as error:
            await self._heart.pause()
            if self._response is None and not error.shown:
                raise
            return await self.fail(error)
        finally:
            await self._heart.aclose()

    async def fail(self, error: Exception) -> web.StreamResponse:
        """End in the middle: an error frame and no `[DONE]`. Raises `error` where nothing has been sent yet."""
        if self._response is None and not self._has_content:
            raise error
        problem = self._exchange.broken_off(error)
        self._exchange.settle(self._stream.route, status=problem.status, error=problem.code)
        self._waiting.append(encode_event(problem.body))
        return await self._end()

    # -- events to bytes ----------------------------------------------------------------------------------------------

    def _take(self, event: StreamEvent) -> None:
        match event:
            case TextDelta(_, delta):
                self._say(delta)
            case Committed(_, name, verdict):
                evidence = evidence_fields(self._stream.route.evidence)
                self._note("committed", tier=name, decision=verdict.decision, reason=verdict.reason, evidence=evidence)
            case Retracted(tier, reason):
                self._reasons.clear()
                self._note("retracted", tier=self._name(tier), reason=reason)
            case Appended(tier, to, reason):
                self._reasons.clear()
                marker = f"\n\n---\n[superseded by {self._name(to)}]\n\n"
                self._say(Delta(marker))
                self._note("appended", tier=self._name(tier), to=self._name(to), reason=reason, marker=marker)
            case Continued(tier, to, at, reason):
                self._reasons.clear()
                self._note("continued", tier=self._name(tier), to=self._name(to), at=at, reason=reason)
            case Noted(fields):
                self._has_content = True
                self._note(**fields)
            case _:
                assert_never(event)

    def _say(self, delta: Delta) -> None:
        """A finish reason is kept to the end: what is shown before the verdict may not be the end of the answer."""
        self._has_content = True
        self._open(delta.index)
        if delta.finish_reason is not None:
            self._reasons[delta.index] = delta.finish_reason
            delta = dataclasses.replace(delta, finish_reason=None)
        if delta.has_content or delta.logprobs:
            self._waiting.append(self._encoder.delta(delta))

    def _open(self, index: int) -> None:
        if index not in self._opened:
            self._opened.add(index)
            self._waiting.append(self._encoder.opening(index))

    def _note(self, event: str, **fields: Any) -> None:
        self._open(0)
        self._waiting.append(self._encoder.note({"event": event, **fields}))

    def _name(self, tier: int) -> str:
        return self._exchange.assigned.served.settings.tiers[tier]

    # -- bytes to the client ------------------------------------------------------------------------------------------

    async def _finish(self) -> web.StreamResponse:
        route, exchange = self._stream.route, self._exchange
        self._has_content = True
        self._open(0)
        for index in sorted(self._opened):
            reason = self._reasons.get(index) or route.finish_reason or "stop"
            self._waiting.append(self._encoder.delta(Delta(index=index, finish_reason=reason)))
        if exchange.asked.include_usage:
            fields = exchange.reply_fields(route)
            self._waiting.append(self._encoder.usage(usage_of(route), fields))
        self._waiting.append(DONE_EVENT)
        exchange.settle(route, status=200)
        return await self._end()

    async def _end(self) -> web.StreamResponse:
        """The client is told that it is over once the ledger has it; where that fails, it is told that instead."""
        try:
            await self._exchange.account.written()
        except LedgerError as error:
            if self._response is None:
                raise
            self._waiting[:] = [encode_event(self._exchange.broken_off(error).body)]
        response = await self._flush()
        await self._heart.aclose()
        await response.write_eof()
        return response

    async def _flush(self) -> web.StreamResponse:
        await self._heart.pause()
        response = self._response or await self._begin()
        if self._waiting:
            block = b"".join(self._waiting)
            self._waiting.clear()
            await response.write(block)
        self._heart.rest()
        return response

    async def _begin(self) -> web.StreamResponse:
        self._response = await self._exchange.begin(self._stream.route)
        return self._response

    async def _sign_of_life(self) -> None:
        response = self._response or await self._begin()
        await response.write(encode_comment(b"keep-alive"))

"""Requests that nothing is to be decided of: the upstream's own bytes to the client, with a tap that only looks.

Nothing of an answer is sent before its first content: until then the same tier may be asked again, the next one answer,
or the failure be a real HTTP error. What comes later breaks the stream off with an error frame. The last bytes leave
once the ledger has them. A long silence is broken by a comment, which opens the reply, with status 200, if nothing has.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Any, cast

import anyio
import msgspec
from aiohttp import web

from streamroute.core.actions import Commit, Finish
from streamroute.core.types import Decision, Leg, Usage, Verdict
from streamroute.errors import LedgerError, RouteError, UpstreamError, UpstreamStatusError, UpstreamUnavailableError
from streamroute.gateway.errors import CLIENT_CLOSED, stopping
from streamroute.gateway.exchange import Exchange
from streamroute.gateway.heartbeat import Heartbeat
from streamroute.gateway.keys import IN_FLIGHT, KEEP_ALIVE, NOTES
from streamroute.gateway.process.guard import left_because
from streamroute.gateway.telling import usage_of
from streamroute.routing._meter import Meter
from streamroute.routing.stream import LegRecord, LegState
from streamroute.routing.tiers import Tier
from streamroute.upstreams.relay import RelayedReply, Relays
from streamroute.upstreams.resilient import Resilient
from streamroute.wire.errors import WireError
from streamroute.wire.openai import ChunkEncoder, WholeAnswer, decode_error
from streamroute.wire.sse import encode_comment, encode_event
from streamroute.wire.tap import Findings, Tap, WholeTap, with_field

__all__ = ("passed_through",)

UNJUDGED = Verdict(Decision.ACCEPT, "unjudged")


async def passed_through(exchange: Exchange, endpoint: str, tiers: Iterable[int]) -> web.StreamResponse:
    """The reply of the first of `tiers` that says something. Raises `RouteError` where none does."""
    passage = _Passage(exchange, endpoint)
    with anyio.CancelScope() as scope, exchange.request.app[IN_FLIGHT].holding(scope):
        try:
            return await passage.run(tiers)
        except ConnectionResetError:  # the client has gone, and this was sooner than our cancellation
            if passage.response is None:
                raise
            exchange.request[NOTES]["status"] = CLIENT_CLOSED
            return passage.response
        except Exception as error:
            passage.over()
            await exchange.failed(passage.route, error)
            raise
        finally:
            if not exchange.settled:
                passage.over()
            # Unless it has been.
            status = 503 if scope.cancel_called else CLIENT_CLOSED
            exchange.settle(passage.route, status=status, error=left_because(exchange.request))
    # Only a scope that was cancelled, because the server stops, comes here.
    return await passage.stopped()


class _Passage:
    """One request on its way through."""

    def __init__(self, exchange: Exchange, endpoint: str) -> None:
        self._exchange = exchange
        self._endpoint = endpoint
        self._tiers = exchange.assigned.served.router.tiers
        self._meter = Meter(self._tiers, exchange.asked.messages)
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self._leg = Leg(exchange.assigned.start_tier)
        self._verdict = UNJUDGED
        self._n = exchange.asked.n if endpoint == "chat" else None
        self._found: Findings | None = None
        self._shown = False
        self._failure: UpstreamError | None = None
        silence = exchange.request.app[KEEP_ALIVE] if exchange.asked.stream else math.inf
        self._heart = Heartbeat(silence, self._sign_of_life)
        self.response: web.StreamResponse | None = None
        self.route = self._meter.route

    async def run(self, tiers: Iterable[int]) -> web.StreamResponse:
        self._heart.rest()
        try:
            return await self._first_of(tiers)
        except (RouteError, LedgerError) as error:
            await self._heart.pause()
            if self.response is None:
                raise
            return await self._broken(error, self.response)
        finally:
            await self._heart.aclose()

    async def _first_of(self, tiers: Iterable[int]) -> web.StreamResponse:
        causes: list[tuple[str, Exception]] = []
        for index in tiers:
            tier = self._tiers[index]
            if causes:
                self._verdict = Verdict(Decision.ESCALATE, "answer_failed", index)
            self._found, self._leg = None, Leg(index)
            self._meter.leg_started(self._leg, self._seconds())
            try:
                return await self._persist(tier)
            except UpstreamError as error:  # nothing of it has been sent
                self._leg_over(LegState.FAILED, error)
                causes.append((tier.label, error))
        raise RouteError(causes, shown=False)

    async def _persist(self, tier: Tier) -> web.StreamResponse:
        """Ask again by the upstream's own policy, as long as nothing has been sent."""
        upstream = tier.upstream
        if not isinstance(upstream, Resilient):
            return await self._ask(tier)
        attempt = 0
        failure: UpstreamError | None = None
        while True:
            try:
                trial = upstream.breaker.check()
            except UpstreamUnavailableError as refused:
                raise failure or refused from None  # what opened the breaker says more than that it is open
            attempt += 1
            self._record.attempts = attempt
            try:
                response = await self._ask(tier)
            except UpstreamError as error:
                failure = error
                upstream.breaker.failed(error, trial=trial)
                delay = upstream.retry.delay(attempt, error)
                if delay is None:
                    raise
            except BaseException:
                upstream.breaker.left(trial=trial)
                raise
            else:
                if self._failure is None:
                    upstream.breaker.succeeded()
                else:  # in the middle of its answer
                    upstream.breaker.failed(self._failure, trial=False)
                return response
            self._found = self._record.first_token = None  # nothing that the failed try has told is left
            await anyio.sleep(delay)

    async def _ask(self, tier: Tier) -> web.StreamResponse:
        upstream = cast("Relays", tier.upstream)  # as the catalogue has found
        async with upstream.relay(
            self._endpoint, self._document(tier, upstream), headers=self._exchange.leg_headers(self._leg)
        ) as reply:
            if reply.status >= 300:
                return await self._refused(reply)
            if self._exchange.asked.stream:
                return await self._streamed(reply)
            return await self._whole(reply)

    def _document(self, tier: Tier, upstream: Relays) -> dict[str, Any]:
        """The client's own, but for what the tier adds to it."""
        asked = self._exchange.asked
        # Not to embeddings: what is set for an answer (a temperature, a length) some servers refuse there.
        document = dict(asked.document) if self._endpoint == "embeddings" else {**tier.params, **asked.document}
        document.pop("streamroute", None)
        if self._endpoint == "chat":
            document["messages"] = tier.answer_request(asked.messages, {}).messages
        if asked.stream and upstream.tells_usage:
            document["stream_options"] = {**(document.get("stream_options") or {}), "include_usage": True}
        elif asked.stream:
            document.pop("stream_options", None)
        return document

    # -- replies ------------------------------------------------------------------------------------------------------

    async def _refused(self, reply: RelayedReply) -> web.Response:
        """The client's own fault, in the upstream's words. Raises `UpstreamStatusError` where they do not come, and
        where the reply is open already."""
        said, label = f"HTTP {reply.status}", self._tiers[self._leg.tier].label
        try:
            body = await reply.whole()
        except UpstreamError:
            raise UpstreamStatusError(said, upstream=label, status=reply.status) from None
        message, code = decode_error(body)
        error = UpstreamStatusError(f"{said}: {message}", upstream=label, status=reply.status, code=code)
        await self._heart.pause()
        if self.response is not None:
            self._heart.rest()
            raise error
        self._leg_over(LegState.FAILED, error)
        self.over()
        await self._settled(reply.status, error=said)
        return web.Response(body=body, status=reply.status, headers=self._headers(reply.content_type))

    async def _whole(self, reply: RelayedReply) -> web.Response:
        body = await reply.whole()
        try:
            found = self._found = WholeTap(body, n=self._n)
        except WireError as error:
            raise reply.fault(error) from error
        if found.spoke:
            self._spoke()
        self._decided()
        await self._finished(found)
        # It is JSON, whatever it was called.
        return web.Response(body=with_field(body, self._told()), headers=self._headers("application/json"))

    async def _streamed(self, reply: RelayedReply) -> web.StreamResponse:
        tap = self._found = Tap(n=self._n)
        try:
            await self._flow(reply, tap)
        except UpstreamError as error:
            if self.response is None or not self._shown:
                raise
            self._failure = error
            self._leg_over(LegState.FAILED, error)
            label = self._tiers[self._leg.tier].label
            return await self._broken(RouteError([(label, error)], shown=True), self.response)
        await self._heart.pause()
        if not self._shown:
            self._decided()
        await self._finished(tap)
        tail = tap.tail(self._told() if self._exchange.asked.include_usage else None, usage_of(self.route))
        response = self.response or await self._prepared(reply.content_type)
        await response.write_eof(tail)
        if tap.done:
            await reply.finish()
        return response

    async def _flow(self, reply: RelayedReply, tap: Tap) -> None:
        """To the end of the answer. Raises `UpstreamError` where it does not come to it."""
        response: web.StreamResponse | None = None
        heart, heard = self._heart, False
        try:
            if reply.content_type.partition(";")[0].strip().lower() == "application/json":
                data = _as_stream(await reply.whole(), self._exchange)
            else:
                data = await reply.receive()
            while data:
                out = tap.feed(data)
                if tap.spoke and not heard:
                    heard = True
                    self._spoke()
                if out:
                    if response is None:
                        await heart.pause()  # it may be opening the reply
                        self._decided()
                        response = self.response or await self._prepared(reply.content_type)
                    await response.write(out)
                    heart.rest()
                if tap.over:
                    break
                if tap.spoke or tap.complete:
                    reply.expect("tail" if tap.complete else "between")
                try:
                    data = await reply.receive()
                except UpstreamError:
                    if not tap.complete:
                        raise
                    break  # the answer is whole: what is missing is usage at most
            tap.eof()
        except WireError as error:
            raise reply.fault(error) from error

    async def _prepared(self, content_type: str = "text/event-stream") -> web.StreamResponse:
        streams = content_type.startswith("text/event-stream")
        self.response = await self._exchange.begin(self.route, content_type if streams else "text/event-stream")
        return self.response

    async def _sign_of_life(self) -> None:
        response = self.response or await self._prepared()
        await response.write(encode_comment(b"keep-alive"))

    def _headers(self, content_type: str) -> dict[str, str]:
        told = self._exchange.reply_headers(self.route)
        return {"Content-Type": content_type or "application/json", **told}

    # -- ends ---------------------------------------------------------------------------------------------------------

    async def _finished(self, found: Findings) -> None:
        """The answer is whole: into the ledger."""
        self._leg_over(LegState.FINISHED)
        if found.finish_reason is not None:
            self._meter.reader_told(Finish(self._leg.tier, found.finish_reason), self._seconds())
        self.over()
        await self._settled(200)

    def _told(self) -> bytes:
        """What is told of the route, as JSON."""
        return msgspec.json.encode(self._exchange.reply_fields(self.route))

    async def stopped(self) -> web.StreamResponse:
        """The server stops."""
        if self.response is None:
            raise stopping()
        return await self._broken(stopping(), self.response)

    async def _broken(self, error: Exception, response: web.StreamResponse) -> web.StreamResponse:
        """An end in the middle: an error frame, and no `[DONE]`."""
        problem = self._exchange.broken_off(error)
        self.over()
        try:
            await self._settled(problem.status, error=problem.code)
        except LedgerError as failure:
            problem = self._exchange.broken_off(failure)
        await response.write_eof(encode_event(problem.body))
        return response

    async def _settled(self, status: int, *, error: str | None = None) -> None:
        self._exchange.settle(self.route, status=status, error=error)
        await self._exchange.account.written()

    def over(self) -> None:
        """Nothing runs any more: what still did was cut off. Again has no effect."""
        record = self.route.leg(self._leg)
        if record is not None and record.state is LegState.RUNNING:
            self._count()
        self._meter.settle(self._seconds())

    def _leg_over(self, state: LegState, error: Exception | None = None) -> None:
        self._count()
        self._meter.leg_ended(self._leg, state, self._seconds(), error)

    def _count(self) -> None:
        """What was said so far, as the upstream counts it or as we do."""
        record, found = self.route.leg(self._leg), self._found
        if record is None or found is None:
            return
        record.completion_tokens = found.tokens
        if found.usage is not None:
            self._meter.usage_received((self._leg,), found.usage)
        self._exchange.reply_id = found.reply_id

    @property
    def _record(self) -> LegRecord:
        record = self.route.leg(self._leg)
        assert record is not None
        return record

    def _spoke(self) -> None:
        """The first content is there."""
        self._record.first_token = self._seconds()
        upstream = self._tiers[self._leg.tier].upstream
        if isinstance(upstream, Resilient):
            upstream.breaker.spoke()

    def _decided(self) -> None:
        """This is the answer: from here on no other is asked for."""
        now, timings = self._seconds(), self.route.timings
        self._shown = True
        self._meter.reader_told(Commit(self._leg.tier, self._verdict), now)
        if self._record.first_token is not None:
            timings.first_shown = timings.first_kept = now

    def _seconds(self) -> float:
        """Since the route started."""
        return self._now() - self._began


def _as_stream(body: bytes, exchange: Exchange) -> bytes:
    """A whole reply of a server that does not stream, for a client that asked for a stream. Raises `WireError`."""
    answer = WholeAnswer(n=exchange.asked.n)
    answer.feed(body)
    encoder = ChunkEncoder(
        id=exchange.id, created=exchange.created, model=exchange.asked.model, logprobs=exchange.logprobs
    )
    events: list[bytes] = []
    usage: Usage | None = None
    for delta in answer.eof():
        usage = delta.usage or usage
        events += [encoder.opening(delta.index), encoder.delta(delta)]
    return b"".join([*events, *([encoder.usage(usage)] if usage is not None else [])])

"""POST /v1/chat/completions: a request is assigned to a route, and the route's events become the reply."""

from __future__ import annotations

import dataclasses

import anyio
from aiohttp import web

from streamroute.core.types import Release
from streamroute.gateway.access.admission import admitted
from streamroute.gateway.access.body import body_of
from streamroute.gateway.errors import CLIENT_CLOSED, stopping
from streamroute.gateway.exchange import Exchange
from streamroute.gateway.feedback import keep_record
from streamroute.gateway.keys import CATALOGUE, CLIENT, IN_FLIGHT, NOTES, SHADOWS
from streamroute.gateway.passthrough import passed_through
from streamroute.gateway.process.guard import left_because
from streamroute.gateway.streaming import StreamedReply
from streamroute.gateway.telling import usage_of
from streamroute.gateway.trace import LiveTrace
from streamroute.routing.router import RoutedStream
from streamroute.routing.stream import Retracted, Route, TextDelta
from streamroute.wire.openai import Choice, ChoiceCollector, decode_request, encode_completion

__all__ = ("chat_completions",)


async def chat_completions(request: web.Request) -> web.StreamResponse:
    asked = decode_request(await body_of(request))
    assigned = request.app[CATALOGUE].assign(asked, request.headers, request[CLIENT])
    request[NOTES].update(model=asked.model, stream=asked.stream)
    exchange = await admitted(request, asked, assigned)
    assigned = exchange.assigned  # its judging may have been shed
    if assigned.passes:
        tiers = enumerate(assigned.served.router.tiers)
        able = [i for i, tier in tiers if i >= assigned.start_tier and (asked.n == 1 or tier.upstream.supports_n)]
        return await passed_through(exchange, "chat", able)
    return await _routed(exchange)


async def _routed(exchange: Exchange) -> web.StreamResponse:
    """By the router: judged, or by a tier whose bytes cannot be passed on."""
    asked, assigned = exchange.asked, exchange.assigned
    traced = assigned.trace and asked.stream and assigned.judge
    trace = LiveTrace(assigned.served.settings.tiers) if traced else None
    routing = assigned.served.router.stream(
        asked.messages,
        params=asked.params if asked.n == 1 else {**asked.params, "n": asked.n},
        release=assigned.release if asked.stream else Release.HOLD,
        on_escalation=assigned.on_escalation,
        start_tier=assigned.start_tier,
        judge=assigned.judge,
        probes=exchange.probes,
        hedge=exchange.hedge,
        observer=None if trace is None else trace.observe,
        headers=exchange.leg_headers,
    )
    route, reply, scope = Route(), None, anyio.CancelScope()
    with exchange.request.app[IN_FLIGHT].holding(scope):
        # What is settled is a route that is over: outside of its context, all that it did and cost is known.
        try:
            with scope:
                async with routing as stream:
                    route = stream.route
                    if trace is not None:
                        trace.stream = stream
                    if not asked.stream:
                        return await _whole_reply(stream, exchange)
                    reply = StreamedReply(stream, exchange)
                    return await reply.run()
            # Only a scope that was cancelled, because the server stops, comes here.
            if reply is None:
                raise stopping()
            return await reply.fail(stopping())
        except Exception as error:
            await exchange.failed(route, error)
            raise
        finally:
            # Unless it has been.
            exchange.settle(route, status=CLIENT_CLOSED, error=left_because(exchange.request))
            _note(exchange, route)


def _note(exchange: Exchange, route: Route) -> None:
    """A judged route leaves a record, and perhaps a shadow."""
    request, assigned = exchange.request, exchange.assigned
    if (pace := assigned.served.pace) is not None and pace.alarm is not None and pace.alarm.raised:
        request[NOTES]["drift"] = pace.alarm.raised
    keep_record(request, route, exchange.asked.messages, exchange.id)
    if assigned.judge and not exchange.shed and (shadows := request.app.get(SHADOWS)) is not None:
        shadows.consider(assigned.served, exchange.asked.messages, exchange.asked.params, exchange.id)


async def _whole_reply(stream: RoutedStream, exchange: Exchange) -> web.Response:
    """By the stream and not by `Router.complete`: tool calls, refusals and log-probabilities are part of the reply."""
    collector = ChoiceCollector()
    async for event in stream:
        if isinstance(event, TextDelta):
            collector.add(event.delta)
        elif isinstance(event, Retracted):
            collector.clear()
    route = stream.route
    choices = collector.choices() or [Choice(0)]
    body = encode_completion(
        id=exchange.id,
        created=exchange.created,
        model=exchange.asked.model,
        choices=[dataclasses.replace(c, finish_reason=c.finish_reason or route.finish_reason) for c in choices],
        usage=usage_of(route),
        fields=exchange.reply_fields(route),
        logprobs=exchange.logprobs,
    )
    exchange.settle(route, status=200)
    await exchange.account.written()
    return web.Response(body=body, content_type="application/json", headers=exchange.reply_headers(route))

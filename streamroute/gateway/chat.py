"""POST /v1/chat/completions: a request is assigned to a route, and the route's events become the reply."""

from __future__ import annotations

import dataclasses

import anyio
from aiohttp import web

from streamroute.core.types import Release
from streamroute.gateway.errors import RefusedError, refusal
from streamroute.gateway.feedback import keep_record
from streamroute.gateway.keys import CATALOGUE, IN_FLIGHT, NOTES, SHADOWS
from streamroute.gateway.ledger import route_fields, route_headers, route_notes, usage_of
from streamroute.gateway.streaming import Exchange, StreamedReply
from streamroute.routing.router import RoutedStream
from streamroute.routing.stream import Retracted, TextDelta
from streamroute.wire.openai import Choice, ChoiceCollector, decode_request, encode_completion

__all__ = ("chat_completions",)


async def chat_completions(request: web.Request) -> web.StreamResponse:
    in_flight, notes = request.app[IN_FLIGHT], request[NOTES]
    if in_flight.draining:
        raise _stopping()
    asked = decode_request(await request.read())
    assigned = request.app[CATALOGUE].assign(asked, request.headers)
    exchange = Exchange(asked, assigned)
    notes.update(model=asked.model, stream=asked.stream)
    reply: StreamedReply | None = None
    with anyio.CancelScope() as scope, in_flight.holding(scope):
        routing = assigned.served.router.stream(
            asked.messages,
            params=asked.params if asked.n == 1 else {**asked.params, "n": asked.n},
            release=assigned.release if asked.stream else Release.HOLD,
            start_tier=assigned.start_tier,
            judge=assigned.judge,
        )
        async with routing as stream:
            try:
                if not asked.stream:
                    return await _whole_reply(stream, exchange)
                reply = StreamedReply(request, stream, exchange)
                return await reply.run()
            finally:
                notes.update(route_notes(stream.route, exchange.route, assigned.unjudged))
                if (pace := assigned.served.pace) is not None and pace.alarm is not None and pace.alarm.raised:
                    notes["drift"] = pace.alarm.raised
                keep_record(request, stream.route, asked.messages, exchange.id)
                if assigned.judge and (shadows := request.app.get(SHADOWS)) is not None:
                    shadows.consider(assigned.served, asked.messages, asked.params, exchange.id)
    # Only a scope that was cancelled, because the server stops, comes here.
    if reply is None:
        raise _stopping()
    return await reply.fail(_stopping())


async def _whole_reply(stream: RoutedStream, exchange: Exchange) -> web.Response:
    """By the stream and not by `Router.complete`: tool calls, refusals and log-probabilities are part of the reply."""
    collector = ChoiceCollector()
    async for event in stream:
        if isinstance(event, TextDelta):
            collector.add(event.delta)
        elif isinstance(event, Retracted):
            collector.clear()
    route, unjudged = stream.route, exchange.assigned.unjudged
    choices = collector.choices() or [Choice(0)]
    body = encode_completion(
        id=exchange.id,
        created=exchange.created,
        model=exchange.asked.model,
        choices=[dataclasses.replace(c, finish_reason=c.finish_reason or route.finish_reason) for c in choices],
        usage=usage_of(route),
        fields=route_fields(route, exchange.route, unjudged),
        logprobs=exchange.logprobs,
    )
    headers = route_headers(route, exchange.route, unjudged)
    return web.Response(body=body, content_type="application/json", headers=headers)


def _stopping() -> RefusedError:
    return refusal(503, "the server is stopping", code="stopping", Connection="close")

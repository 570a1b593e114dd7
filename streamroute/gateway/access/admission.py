"""Whether a request may be served, and with how much of it: the key's scope, rate and money, the route's, and what it
may ask for beyond the answer."""

from __future__ import annotations

import dataclasses
import itertools
import math

from aiohttp import web

from streamroute.config.settings import AmplificationSettings, KeySettings, RouteSettings
from streamroute.gateway.access.amplification import Extras, extras_of, lesser
from streamroute.gateway.catalogue import Assignment
from streamroute.gateway.errors import Problem, RefusedError
from streamroute.gateway.exchange import Exchange
from streamroute.gateway.keys import CLIENT, LEDGER, SHADOWS
from streamroute.gateway.ledger.entries import Exceeded, Limits
from streamroute.wire.openai import ClientRequest

__all__ = ("admitted", "limits_of")

SHED = "amplification_budget"
"""Why an answer is not judged whose judging was shed."""


async def admitted(request: web.Request, asked: ClientRequest, assigned: Assignment) -> Exchange:
    """The exchange, with its account open and cut down to what it may take; nothing of it is started.

    What the key may ask for is for the catalogue to say. Raises a 429 refusal where its requests or money are spent.
    """
    client = request[CLIENT]
    exchange = Exchange(request, asked, assigned)
    settings = assigned.served.settings
    budget = settings.amplification
    wanted, allowed = _extras(exchange, budget.calls_per_request, budget.cost_per_request)
    entry = exchange.entry = dataclasses.replace(exchange.entry, extra_calls=allowed.calls, extra_cost=allowed.cost)
    limits = limits_of(client.key, settings, extras=allowed.judging)
    if limits == Limits():
        exchange.account = request.app[LEDGER].open(entry)
    else:
        admission = await request.app[LEDGER].admit(entry, limits)
        if isinstance(admission, Exceeded):
            raise _exceeded(admission, client.name, exchange.route)
        exchange.account, standing = admission
        left = _least(allowed.calls, standing.extra_calls), _least(allowed.cost, standing.extra_cost)
        _, allowed = _extras(exchange, *left)
    if budget != AmplificationSettings():
        _cut(exchange, allowed, allowed.shed(wanted))
    return exchange


def limits_of(key: KeySettings | None, route: RouteSettings, *, extras: bool = True) -> Limits:
    """What a request of this key to this route must keep within; without `extras` none of the amplification budget is
    asked for."""
    budget = None if key is None else key.budget
    return Limits(
        key_requests=None if key is None else key.requests_per_minute,
        key_day=None if budget is None else budget.day,
        key_month=None if budget is None else budget.month,
        route_day=route.budget.day,
        route_month=route.budget.month,
        extra_calls=route.amplification.calls_per_minute if extras else None,
        extra_cost=route.amplification.cost_per_minute if extras else None,
    )


def _extras(exchange: Exchange, calls: float | None, cost: float | None) -> tuple[Extras, Extras]:
    """What the request would ask for, and what it may."""
    shadows = exchange.request.app.get(SHADOWS)
    shadow = exchange.assigned.judge and shadows is not None and shadows.picks(exchange.assigned.served, exchange.id)
    levels = extras_of(exchange.asked, exchange.assigned, shadow=shadow)
    wanted = next(levels)
    return wanted, lesser(itertools.chain((wanted,), levels), calls, cost)  # the levels between are priced when needed


def _cut(exchange: Exchange, allowed: Extras, shed: tuple[str, ...]) -> None:
    """Leave out what is shed. Without its judging a request goes where what cannot be judged goes."""
    exchange.shed = shed
    if "judging" in shed:
        assigned = exchange.assigned
        start = max(assigned.start_tier, assigned.served.settings.unjudged_index)
        exchange.assigned = dataclasses.replace(assigned, unjudged=SHED, start_tier=start)
    elif "probes" in shed or "hedge" in shed:
        exchange.probes, exchange.hedge = allowed.probes, allowed.hedge


def _least(wanted: float, standing: float | None) -> float:
    return wanted if standing is None else min(wanted, standing)


def _exceeded(exceeded: Exceeded, key: str | None, route: str) -> RefusedError:
    """As OpenAI says it: a rate passes by itself, and clients ask again; a quota does not, and they should not."""
    seconds = max(1, math.ceil(exceeded.retry_after))
    headers = {"Retry-After": str(seconds)}
    owner, _, what = exceeded.limit.partition("_")
    whose = f"the key {key!r}" if owner == "key" else f"the route {route!r}"
    if what == "requests":
        headers |= {
            "x-ratelimit-limit-requests": f"{exceeded.allowed:g}",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": f"{seconds}s",
        }
        message = f"{whose} may ask {exceeded.allowed:g} times a minute; try again in {seconds} s"
        return RefusedError(
            Problem(status=429, message=message, type="requests", code="rate_limit_exceeded", headers=headers)
        )
    headers["x-should-retry"] = "false"
    message = f"the budget of {whose} is spent: {exceeded.allowed:g} a {what}"
    return RefusedError(
        Problem(status=429, message=message, type="insufficient_quota", code="insufficient_quota", headers=headers)
    )

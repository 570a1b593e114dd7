"""Stated times as distributions: the same routes, with every leg faster or slower than it was said to be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import exp
from random import Random

from streamroute.evaluation.simulation.legs import RecordedLeg, RecordedRoute

__all__ = ("spread",)


def spread(routes: Iterable[RecordedRoute], sigma: float, copies: int, random: Random) -> list[RecordedRoute]:
    """`copies` of each route, in which each leg takes exp(N(0, `sigma`)) times as long as it was said to: a log-normal
    with what was said as its median, independent from leg to leg. What the judge says of one copy, all know."""
    return [_copy(route, sigma, random) for route in routes for _ in range(copies)]


def _copy(route: RecordedRoute, sigma: float, random: Random) -> RecordedRoute:
    def slower(leg: RecordedLeg) -> RecordedLeg:
        by = exp(random.gauss(0.0, sigma))
        return replace(
            leg,
            events=tuple((by * at, event) for at, event in leg.events),
            curve=tuple((by * at, tokens) for at, tokens in leg.curve),
        )

    tiers = tuple(
        replace(tier, answer=slower(tier.answer), probes=tuple(map(slower, tier.probes))) for tier in route.tiers
    )
    return replace(route, tiers=tiers)

"""What a request asks for beyond its one answer, and what is left out of it where that is too much.

In the order in which least is lost: the shadow, then probes down to one, then the hedge, and at last the judging.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from streamroute.core.plan import Plan
from streamroute.gateway.catalogue import Assignment
from streamroute.routing.router import Router
from streamroute.wire.openai import ClientRequest

__all__ = ("ANSWER_TOKENS", "Extras", "extras_of", "lesser")

ANSWER_TOKENS = 256
"""How long an answer is taken to be where the request does not bound it, in tokens."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """Calls beyond the answer, and what they cost at most: `probes` of each judged tier, a hedge of each where the
    route hedges, and all that a shadow asks for. Without `judging` there is none of them."""

    probes: int = 0
    hedge: bool = False
    shadow: bool = False
    judging: bool = False
    calls: int = 0
    cost: float = 0.0

    def within(self, calls: float | None, cost: float | None) -> bool:
        """Whether it is no more than that; None: any."""
        return (calls is None or self.calls <= calls) and (cost is None or self.cost <= cost + _ROUNDING)

    def shed(self, wanted: Extras) -> tuple[str, ...]:
        """What of `wanted` is not in it."""
        lost = {
            "shadow": wanted.shadow and not self.shadow,
            "probes": self.probes < wanted.probes,
            "hedge": wanted.hedge and not self.hedge,
            "judging": wanted.judging and not self.judging,
        }
        return tuple(name for name, gone in lost.items() if gone)


_ROUNDING = 1e-12
"""What was allowed must be found to be within what was allowed."""


def extras_of(asked: ClientRequest, assigned: Assignment, *, shadow: bool = False) -> Iterator[Extras]:
    """All that the request may ask for, then ever less, down to nothing."""
    router = assigned.served.router
    plan, start = router.plan, assigned.start_tier
    judged = [tier for tier in range(start, len(router.tiers) - 1) if plan.tiers[tier]] if assigned.judge else []
    if not judged:
        yield Extras()
        return
    most = max(schedule.count for tier in judged if (schedule := plan.tiers[tier]))
    hedges = plan.hedge is not None or plan.hedge_after is not None
    made = _Maker(asked, router, judged)
    if shadow:
        yield made.extras(most, hedge=hedges, shadow=True)
    for probes in range(most, 0, -1):
        yield made.extras(probes, hedge=hedges)
    if hedges:
        yield made.extras(1, hedge=False)
    yield Extras()


def lesser(levels: Iterator[Extras], calls: float | None, cost: float | None) -> Extras:
    """The first of `levels` that is no more than that; their last asks for nothing, and is always possible."""
    return next(level for level in levels if level.within(calls, cost) or not level.judging)


class _Maker:
    """Prices the extras of one request."""

    def __init__(self, asked: ClientRequest, router: Router, judged: list[int]) -> None:
        limits = [asked.params.get(name) for name in ("max_tokens", "max_completion_tokens")]
        bounds = [limit for limit in limits if isinstance(limit, int) and limit > 0]
        self._bound = min(bounds, default=math.inf)
        self._messages, self._tiers, self._judged = asked.messages, router.tiers, judged
        self._counts = {tier: _count(router.plan, tier) for tier in judged}
        self._probe_costs = {tier: self._probe(tier) for tier in judged}

    def extras(self, probes: int, *, hedge: bool, shadow: bool = False) -> Extras:
        calls, cost = 0, 0.0
        for tier in self._judged:
            count = min(probes, self._counts[tier])
            calls += count + hedge
            cost += count * self._probe_costs[tier] + (self._answer(tier + 1) if hedge else 0.0)
        if shadow:  # once more all that it takes to answer and to judge
            first, last = self._judged[0], len(self._tiers) - 1
            calls += self._counts[first] + 2
            cost += self._counts[first] * self._probe_costs[first] + self._answer(first) + self._answer(last)
        return Extras(probes=probes, hedge=hedge, shadow=shadow, judging=True, calls=calls, cost=cost)

    def _probe(self, tier: int) -> float:
        plan = self._tiers[tier].probes
        assert plan is not None  # else it is not judged
        return self._tiers[tier].estimated_cost(self._messages, int(min(plan.max_tokens, self._bound)))

    def _answer(self, tier: int) -> float:
        length = ANSWER_TOKENS if math.isinf(self._bound) else int(self._bound)
        return self._tiers[tier].estimated_cost(self._messages, length)


def _count(plan: Plan, tier: int) -> int:
    schedule = plan.tiers[tier]
    return 0 if schedule is None else schedule.count

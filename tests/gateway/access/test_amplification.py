"""What a request asks for beyond its answer, in calls and in money."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.config.compose import ServedRoute
from streamroute.config.settings import RouteSettings
from streamroute.core.types import Release
from streamroute.gateway.access.amplification import ANSWER_TOKENS, Extras, extras_of, lesser
from streamroute.gateway.catalogue import Assignment
from streamroute.routing.router import Price, ProbePlan, Router, Tier
from streamroute.testing import ScriptedScorer, ScriptedUpstream
from streamroute.wire.openai import ClientRequest

MESSAGE = {"role": "user", "content": "x" * 399}  # 100 tokens


def levels(
    counts: tuple[int, ...] = (3,), *, shadow: bool = False, start: int = 0, judge: bool = True, **asked: Any
) -> list[Extras]:
    """Of a route with as many judged tiers as there are counts; a million tokens of tier i cost i + 1, or ten times."""
    names = [f"t{i}" for i in range(len(counts) + 1)]
    tiers = [
        Tier(
            upstream=ScriptedUpstream("x", name=name),
            price=Price(prompt=i + 1, completion=10 * (i + 1)),
            probes=ProbePlan(count=counts[i], max_tokens=50) if i < len(counts) else None,
        )
        for i, name in enumerate(names)
    ]
    hedge_after = asked.pop("hedge_after", 1.0)
    router = Router(tiers, scorer=ScriptedScorer(), hedge_after=hedge_after)
    served = ServedRoute(RouteSettings(name="r", tiers=tuple(names)), router)
    assigned = Assignment(served=served, start_tier=start, release=Release.HOLD, unjudged=None if judge else "asked")
    return list(extras_of(ClientRequest(model="r", messages=(MESSAGE,), params=asked), assigned, shadow=shadow))


def test_the_order_is_shadow_probes_hedge_judging() -> None:
    found = [(e.calls, e.probes, e.hedge, e.shadow, e.judging) for e in levels(shadow=True)]
    assert found == [
        (9, 3, True, True, True),
        (4, 3, True, False, True),
        (3, 2, True, False, True),
        (2, 1, True, False, True),
        (1, 1, False, False, True),
        (0, 0, False, False, False),
    ]


def test_without_a_hedge_the_judging_goes_with_the_last_probe() -> None:
    assert [(e.calls, e.hedge) for e in levels(hedge_after=None)] == [(3, False), (2, False), (1, False), (0, False)]


def test_each_tier_that_may_be_judged_counts() -> None:
    assert [e.calls for e in levels((2, 3))] == [7, 6, 4, 2, 0]
    assert [e.calls for e in levels((2, 3), start=1)] == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("more", [{"judge": False}, {"start": 1}])
def test_what_is_not_judged_asks_for_nothing(more: dict[str, Any]) -> None:
    assert levels(**more) == [Extras()]


@pytest.mark.parametrize(("limits", "probe", "answer"), [({}, 50, ANSWER_TOKENS), ({"max_tokens": 20}, 20, 20)])
def test_money_is_prompt_and_longest_answer_at_the_price_of_the_tier(
    limits: dict[str, Any], probe: int, answer: int
) -> None:
    one = (100 + 10 * probe) / 1e6
    hedge = (200 + 20 * answer) / 1e6
    assert [e.cost for e in levels(**limits)] == pytest.approx([3 * one + hedge, 2 * one + hedge, one + hedge, one, 0])


def test_what_is_shed_is_named() -> None:
    all_of_it, *_, nothing = levels(shadow=True)
    assert nothing.shed(all_of_it) == ("shadow", "probes", "hedge", "judging")
    assert all_of_it.shed(all_of_it) == ()


@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
    shadow=st.booleans(),
    calls=st.none() | st.integers(0, 30),
    cost=st.none() | st.floats(0, 0.05),
)
def test_the_most_that_is_within_the_budget_is_taken(
    counts: tuple[int, ...], shadow: bool, calls: int | None, cost: float | None
) -> None:
    found = levels(counts, shadow=shadow)
    taken = lesser(iter(found), calls, cost)
    assert taken.within(calls, cost)
    assert all(not more.within(calls, cost) for more in found[: found.index(taken)])
    assert [e.calls for e in found] == sorted((e.calls for e in found), reverse=True)
    assert [e.cost for e in found] == sorted((e.cost for e in found), reverse=True)

"""Cascade routing over three tiers: keep, go on, skip, and get past a tier that fails."""

from __future__ import annotations

import pytest

from streamroute.core.cascading import CascadeRouting, TierValue
from streamroute.core.types import Decision, Release
from streamroute.routing.router import ProbePlan, Router, Tier
from streamroute.routing.stream import Route
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream, run_virtual
from tests.routing.support import ASK

SAME = ["Rome."] * 3
ONE_DIFFERS = ["Rome.", "Rome.", "Oslo."]
DIFFER = ["Oslo.", "Bern.", "Riga."]

VALUES = (
    TierValue(),
    TierValue(keeps=0.9, mends=0.5, cost=1.0),
    TierValue(keeps=0.98, mends=0.9, cost=3.0),
)


def route(
    small: list[str], middle: list[str], *, price: float, release: Release = Release.HOLD, broken: bool = False
) -> tuple[Route, list[int]]:
    """The route, and how many answers each tier was asked for."""
    plan = ProbePlan(count=3)
    failing = Script.failing(name="middle") if broken else Script.of("Canberra.")
    upstreams = [
        ScriptedUpstream("Rome.", small, name="small"),
        ScriptedUpstream(failing, middle, name="middle"),
        ScriptedUpstream("Canberra!", name="large"),
    ]

    async def main() -> Route:
        tiers = [Tier(upstream=upstream, probes=plan) for upstream in upstreams[:2]] + [Tier(upstream=upstreams[2])]
        policy = CascadeRouting(tiers=VALUES, price=price)
        async with (
            Router(tiers, scorer=ScriptedScorer(), policy=policy, release=release) as router,
            router.stream(ASK) as stream,
        ):
            async for _ in stream:
                pass
            return stream.route

    found = run_virtual(main)
    assert all(upstream.running == 0 for upstream in upstreams)
    return found, [sum(not call.request.probe for call in upstream.calls) for upstream in upstreams]


def test_a_sure_small_answer_asks_nobody_else() -> None:
    found, asked = route(SAME, SAME, price=0.1)
    assert (found.answer, asked) == ("Rome.", [1, 0, 0])


def test_a_doubtful_one_goes_to_the_middle_tier_whose_sure_answer_is_kept() -> None:
    found, asked = route(DIFFER, ["Canberra."] * 3, price=0.25)
    assert (found.answer, asked) == ("Canberra.", [1, 1, 0])
    assert found.verdict is not None
    assert found.verdict.decision is Decision.ACCEPT


def test_a_doubtful_middle_answer_is_judged_again_and_goes_on() -> None:
    found, asked = route(DIFFER, DIFFER, price=0.25)
    assert (found.answer, asked) == ("Canberra!", [1, 1, 1])


def test_where_the_largest_is_worth_more_at_once_the_middle_tier_is_skipped() -> None:
    found, asked = route(DIFFER, SAME, price=0.1)
    assert (found.answer, asked) == ("Canberra!", [1, 0, 1])
    assert found.verdict is not None
    assert found.verdict.to == 2


@pytest.mark.parametrize("release", [Release.HOLD, Release.RETRACT])
def test_a_failing_middle_tier_is_got_past(release: Release) -> None:
    found, asked = route(DIFFER, SAME, price=0.25, release=release, broken=True)
    assert (found.answer, asked) == ("Canberra!", [1, 1, 1])


def test_a_price_beyond_all_worth_keeps_even_doubtful_answers() -> None:
    found, asked = route(DIFFER, SAME, price=50.0)
    assert (found.answer, asked) == ("Rome.", [1, 0, 0])


def test_doubt_that_is_slight_is_not_worth_a_tier() -> None:
    found, asked = route(ONE_DIFFERS, SAME, price=0.4)
    assert (found.answer, asked) == ("Rome.", [1, 0, 0])

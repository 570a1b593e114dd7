"""Cascade routing over three tiers through the real router, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streamroute.core.selection import Candidate, CascadeRouting, LinearLink
from streamroute.core.types import Decision, Release
from streamroute.routing.router import ProbePlan, Router, Tier
from streamroute.routing.stream import Route
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream, run_virtual
from tests.routing.support import ASK, told

AGREE = ["It is Rome."] * 3
DIFFER = ["It is Oslo.", "It is Bern.", "It is Riga."]
NEXT = CascadeRouting(
    # From a wrong first tier: the middle one .6 for .1, the large one .84 for .6: worth it only from the middle.
    tiers=(
        Candidate(cost=0.0),
        Candidate(cost=0.1, link=LinearLink(0.9, 0.6)),
        Candidate(cost=0.6, link=LinearLink(0.9, 0.75)),
    ),
    trade=0.8,
)
SKIP = CascadeRouting(
    tiers=(
        Candidate(cost=0.0),
        Candidate(cost=0.1, link=LinearLink(0.9, 0.05)),
        Candidate(cost=0.6, link=LinearLink(0.95, 0.9)),
    ),
    trade=0.5,
)


def play(
    policy: CascadeRouting,
    small: Sequence[str],
    middle: Sequence[str] = (),
    *,
    answer: Script | str = "It is Rome.",
) -> tuple[list[str], Route, list[int]]:
    """What the reader was told, the route, and how many calls each tier had."""
    upstreams = [
        ScriptedUpstream("It is Rome.", small, name="small"),
        ScriptedUpstream(answer, middle, name="middle"),
        ScriptedUpstream("It is Canberra.", name="large"),
    ]
    tiers = [Tier(upstream=upstream, probes=ProbePlan(count=3)) for upstream in upstreams]
    made = Router(tiers, scorer=ScriptedScorer(), policy=policy, release=Release.HOLD)

    async def main() -> tuple[list[str], Route, list[int]]:
        async with made, made.stream(ASK) as stream:
            words = told([event async for event in stream])
            await asyncio.sleep(0)
        return words, stream.route, [len(upstream.calls) for upstream in upstreams]

    return run_virtual(main)


def test_an_agreed_answer_is_kept_at_the_first_tier() -> None:
    words, route, calls = play(NEXT, AGREE)
    assert words == ["[small]", "It", " is", " Rome."]
    assert route.verdict is not None
    assert (route.verdict.decision, calls) == (Decision.ACCEPT, [4, 0, 0])


def test_a_doubtful_answer_moves_one_tier_up_and_is_judged_there() -> None:
    words, route, calls = play(NEXT, DIFFER, AGREE)
    assert words == ["[middle]", "It", " is", " Rome."]
    assert route.verdict is not None
    assert (route.verdict.decision, calls) == (Decision.ACCEPT, [4, 4, 0])


def test_a_second_doubtful_answer_moves_on_to_the_last_tier() -> None:
    words, route, calls = play(NEXT, DIFFER, DIFFER)
    assert words == ["[large]", "It", " is", " Canberra."]
    assert route.verdict is not None
    assert (route.verdict.decision, route.verdict.to, calls) == (Decision.ESCALATE, 2, [4, 4, 1])


def test_a_tier_that_would_not_help_is_skipped() -> None:
    words, route, calls = play(SKIP, DIFFER)
    assert words[0] == "[large]"
    assert route.verdict is not None
    assert (route.verdict.to, calls) == (2, [4, 0, 1])


def test_a_middle_tier_that_fails_is_passed_over() -> None:
    words, route, calls = play(NEXT, DIFFER, DIFFER, answer=Script.failing(name="middle"))
    assert words == ["[large]", "It", " is", " Canberra."]
    assert calls[2] == 1
    assert route.verdict is not None
    assert route.verdict.reason == "answer_failed"

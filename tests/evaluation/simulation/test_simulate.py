"""Small routes whose every moment can be worked out by hand, and random ones beside the real driver."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamroute.core.actions import Score
from streamroute.core.hedge import HedgeRule
from streamroute.core.plan import AutoRelease, Plan, ProbeSchedule
from streamroute.core.policy import Threshold
from streamroute.core.types import Decision, Evidence, Leg, Release
from streamroute.errors import LocalProtocolError
from streamroute.evaluation.rows import CheapLeg, LargeLeg, RoutingRow, Timing
from streamroute.evaluation.simulation.legs import Asked, RecordedLeg, RecordedRoute, RecordedTier
from streamroute.evaluation.simulation.outcome import Billing, Outcome
from streamroute.evaluation.simulation.simulate import simulate
from streamroute.evaluation.simulation.timings import JudgePace
from streamroute.routing.router import ProbePlan, Router, Tier
from streamroute.routing.stream import LegState, Route
from streamroute.routing.tiers import Price
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream, run_virtual
from tests.evaluation.simulation.recorded import BILLING, TIMINGS, Written, about, plan, route, scripted

AGREE, DIFFER = Written((0.1, 0.1)), Written((0.9, 0.9))
PACE = JudgePace(verdict=0.03, pair=0.01)

# `route()`: the cheap answer has 3 tokens at .3, .4, .5; probes end at .4 and .6. The judge is asked about one probe at
# .4 (.03 s, and .02 for two new pairs), again when the sentence is there at .5 (.03), and when it is known to be
# the last (.53, until .56); about both at .6, and says so at .65. The large answer has 3 tokens, from 1 s after its
# start.


def play(found: RecordedRoute, asked: Plan, judge: Written, billing: Billing = BILLING) -> Outcome:
    return simulate(found, asked, judge, billing, PACE)


def test_a_kept_answer_is_shown_at_its_first_token_and_decided_after_the_last_probe() -> None:
    found = play(route(), plan(release=Release.RETRACT), Written((0.1, 0.1)))
    assert (found.tier, found.reason, found.correct, found.failed) == (0, "samples_agree", False, False)
    assert (found.first_shown, found.first_kept) == (0.3, 0.3)
    assert (found.decided, found.finished) == (about(0.65), about(0.65))
    assert not found.retracted
    assert (found.probes, found.probes_started, found.probe_tokens) == (2, 2, 6)
    assert (found.verdicts, found.nli_pairs) == (4, 4)
    assert (found.cost, found.waste) == (about(9), 0)


def test_an_escalated_answer_is_withdrawn_and_the_large_one_comes_a_first_token_later() -> None:
    found = play(route(), plan(release=Release.RETRACT), Written((0.9, 0.9)))
    assert (found.tier, found.correct, found.retracted, found.withdrawn_tokens) == (1, True, True, 3)
    assert (found.first_shown, found.first_kept) == (0.3, about(1.65))
    assert (found.decided, found.finished) == (about(0.65), about(1.85))
    assert (found.wasted_cheap, found.wasted_probe, found.wasted_large) == (3, 0, 0)
    assert (found.cost, found.waste) == (about(3 + 6 + 30), about(3))


def test_held_answers_come_with_the_verdict() -> None:
    assert play(route(), plan(), Written((0.1, 0.1))).first_shown == about(0.65)
    held = play(route(), plan(), Written((0.9, 0.9)))
    assert (held.first_shown, held.first_kept) == (about(1.65), about(1.65))
    assert (held.retracted, held.withdrawn_tokens) == (False, 0)


def test_a_superseded_answer_is_no_retraction_but_what_was_shown_does_not_count_as_kept() -> None:
    found = play(route(), plan(release=Release.APPEND), Written((0.9, 0.9)))
    assert (found.first_shown, found.first_kept) == (0.3, about(1.65))
    assert (found.retracted, found.withdrawn_tokens) == (False, 3)


def test_a_verdict_stops_what_still_runs_and_pays_for_what_was_generated() -> None:
    long = route("It is Rome." + " And more of it" * 20)  # 78 tokens, to 8 s
    found = play(long, plan(release=Release.RETRACT), Written((0.9, 0.9)))
    assert found.decided == about(0.65)
    assert found.wasted_cheap == found.withdrawn_tokens == 1 + int((0.65 - 0.3) * 10)
    full = play(
        long, plan(release=Release.RETRACT), Written((0.9, 0.9)), Billing.of_ratio(10, prompt=0, cancelled="full")
    )
    assert full.wasted_cheap == long.tiers[0].answer.tokens > 70
    assert full.withdrawn_tokens == found.withdrawn_tokens


def test_probes_that_nobody_hears_are_waste() -> None:
    slow = route(samples=["Rome.", "Oslo."], sample_timings=[Timing(0.1, 0.4, 3), Timing(1.0, 5.0, 41)])

    def certain(route: RecordedRoute, asked: Asked, action: Score) -> Evidence:
        return Evidence(samples=1, expected=2, score=0.9, low=0.9, high=1.0, answer_cluster=0, nli_pairs=5)

    found = simulate(slow, plan(release=Release.RETRACT), certain, BILLING, PACE)
    assert (found.decided, found.reason) == (about(0.48), "certain_to_disagree")
    assert (found.probes, found.probes_started, found.wasted_probe) == (1, 2, 0)  # cancelled before its first token
    late = simulate(slow, plan(release=Release.RETRACT), certain, BILLING, JudgePace(verdict=1.6, pair=0))
    assert (late.decided, late.wasted_probe) == (about(2.0), 11)
    assert late.waste == about(3 + 11)


def test_a_hedge_runs_unseen_and_is_kept_or_wasted() -> None:
    hedged = plan(release=Release.RETRACT, hedge_after=0.0)
    won = play(route(), hedged, Written((0.9, 0.9)))
    assert (won.hedged, won.hedge_won, won.first_kept) == (True, True, 1.0)
    assert won.wasted_large == 0
    lost = play(route(), hedged, Written((0.1, 0.1), pairs=50))  # decided at 1.6, when 3 large tokens are there
    assert (lost.hedged, lost.hedge_won, lost.tier) == (True, False, 0)
    assert lost.wasted_large == 3
    assert lost.waste == about(30)


def test_a_deadline_decides_and_the_judge_comes_too_late() -> None:
    found = play(route(), plan(decision_deadline=0.45, on_timeout=Decision.ESCALATE), Written((0.1, 0.1)))
    assert (found.decided, found.reason, found.tier) == (0.45, "deadline", 1)
    assert found.first_kept == about(1.45)


def test_probes_in_waves_start_when_the_judge_has_spoken() -> None:
    judge = Written((0.1, 0.1))
    found = play(route(), plan(wave=1), judge)
    # The first is judged by .45; then the second starts and takes .6, while the answer is judged as it grows.
    asked = [(asked.probes, asked.finished) for asked in judge.asked]
    assert asked == [((0,), False), ((0,), False), ((0,), True), ((0, 1), True)]
    assert found.decided == about(0.45 + 0.6 + 0.05)


def test_evidence_is_asked_once_and_costs_its_time_again() -> None:
    judge, found = Written((0.9, 0.9)), route()
    first = play(found, plan(), judge)
    assert len(judge.asked) == 4
    assert play(found, plan(), judge) == first
    assert len(judge.asked) == 4


def test_the_judge_is_asked_by_what_had_ended_when() -> None:
    judge = Written((0.1, 0.1))
    late_first = route(sample_timings=[Timing(0.1, 0.8, 3), Timing(0.1, 0.45, 3)])
    play(late_first, plan(), judge)
    assert [asked.probes for asked in judge.asked] == [(1,), (1,), (1,), (1, 0)]
    assert {asked.expected for asked in judge.asked} == {2}
    assert [asked.characters for asked in judge.asked] == [4, 11, 11, 11]


def test_a_judge_that_fails_leaves_the_route_to_its_plan() -> None:
    found = play(route(), plan(on_uncertain=Decision.ESCALATE), Written(broken=True))
    assert (found.reason, found.tier, found.decided) == ("scorer_failed", 1, about(0.43))


def test_what_is_not_recorded_fails() -> None:
    found = play(route(large=None), plan(), Written((0.9, 0.9)))
    assert (found.tier, found.failed, found.correct) == (0, False, False)  # falls back to the whole cheap answer
    none = play(route("", large=None), plan(), Written())
    assert (none.failed, none.correct, none.first_kept) == (True, None, None)
    assert none.waste == none.cost


def test_unjudged_plans_are_the_baselines() -> None:
    cheap = play(route(), Plan(tiers=(None, None), judge=False), Written())
    assert (cheap.first_kept, cheap.decided, cheap.cost, cheap.probes_started) == (0.3, None, 3, 0)
    large = play(route(), Plan(tiers=(None, None), start_tier=1, judge=False), Written())
    assert (large.first_kept, large.tier, large.cost, large.hedged) == (1.0, 1, 30, False)


def test_a_prompt_that_probes_share_is_paid_once() -> None:
    price = Price(prompt=1e6, completion=0)
    each, once = (Billing((price, price), together=together) for together in (False, True))
    found = route(prompt_tokens=100)
    assert play(found, plan(), AGREE, each).cost == 300
    assert play(found, plan(), AGREE, once).cost == 200


def test_three_tiers_are_judged_one_after_the_other() -> None:
    """The second tier's own two probes are heard from its start on, here the second of them first."""
    two = route()
    swapped = route(sample_timings=[Timing(0.2, 0.6, 3), Timing(0.2, 0.4, 3)])
    middle = RecordedTier(_moved(swapped.tiers[0].answer, 1), tuple(_moved(leg, 1) for leg in swapped.tiers[0].probes))
    three = dataclasses.replace(two, tiers=(two.tiers[0], middle, RecordedTier(_moved(two.tiers[1].answer, 2))))
    schedule = ProbeSchedule(count=2)
    asked = Plan(tiers=(schedule, schedule, None), policy=Threshold(0.5), decision_deadline=None)
    judge = Written((0.9, 0.9))
    found = play(three, asked, judge, Billing((Price(),) * 3))
    assert (found.tier, found.decided) == (2, about(0.65 + 0.65))
    assert [each.probes for each in judge.asked if each.tier == 0] == [(0,), (0,), (0,), (0, 1)]
    assert [each.probes for each in judge.asked if each.tier == 1] == [(1,), (1,), (1,), (1, 0)]
    assert found.first_kept == about(0.65 + 0.65 + 1.0)
    assert (found.probes, found.nli_pairs) == (4, 8)


def _moved(leg: RecordedLeg, tier: int) -> RecordedLeg:
    def of(event: Any) -> Any:
        return dataclasses.replace(event, leg=dataclasses.replace(event.leg, tier=tier))

    return dataclasses.replace(leg, events=tuple((at, of(event)) for at, event in leg.events))


def test_the_judge_takes_time_for_pairs_that_are_new_to_it_alone() -> None:
    def fewer(route: RecordedRoute, asked: Asked, action: Score) -> Evidence:
        pairs = 1 if len(asked.probes) == 2 else 7
        return Evidence(samples=len(asked.probes), expected=2, score=0.9, answer_cluster=0, nli_pairs=pairs)

    found = simulate(route(), plan(), fewer, BILLING, PACE)
    assert (found.nli_pairs, found.decided) == (7, about(0.63))


def test_a_leg_whose_record_ends_in_nothing_is_an_error_and_no_endless_wait() -> None:
    cut = dataclasses.replace(route(), tiers=(RecordedTier(RecordedLeg(route().tiers[0].answer.events[:-1])),))
    with pytest.raises(LocalProtocolError, match="route r1: nothing runs"):
        play(cut, Plan(tiers=(None,)), Written())


# -- the same as the driver --------------------------------------------------------------------------------------------

DELAY = 0.0173
# Equally long, for a record counts characters where a driver counts deltas.
WORDS = ("Rome", " it ", "so. ", "Yes.", "No!\n", "Oslo")
moments = st.integers(1, 900).map(lambda n: n / 1000)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6)


@st.composite
def scripts(draw: st.DrawFn, offset: float) -> Script:
    """Words at moments that no other leg shares: `offset` is this leg's own."""
    words = draw(texts)
    gaps = [draw(moments) for _ in words]
    steps = [(gap + (offset if i == 0 else 0), word) for i, (gap, word) in enumerate(zip(gaps, words, strict=True))]
    return Script(steps)


def timing_of(script: Script) -> Timing:
    at, characters, steps = 0.0, 0, []
    for wait, text in script.steps:
        at, characters = at + wait, characters + len(text)
        steps.append((at, characters))
    return Timing(steps[0][0], at, len(steps), steps)


def text_of(script: Script) -> str:
    return "".join(text for _, text in script.steps)


def driven(cheap: Script, probes: Sequence[Script], large: Script, **settings: Any) -> Route:
    small = ScriptedUpstream(cheap, probes, name="cheap")
    big = ScriptedUpstream(large, name="large")
    schedule = ProbePlan(count=len(probes), wave=settings.pop("wave"), after=settings.pop("after"))
    made = Router(
        [Tier(upstream=small, probes=schedule), Tier(upstream=big)], scorer=ScriptedScorer(delay=DELAY), **settings
    )

    async def main() -> Route:
        async with made, made.stream([{"role": "user", "content": "Capital of Norway?"}]) as stream:
            async for _ in stream:
                pass
            return stream.route

    return run_virtual(main)


def simulated(cheap: Script, probes: Sequence[Script], large: Script, **settings: Any) -> Outcome:
    found = RecordedRoute.of(
        RoutingRow(
            id="r",
            question="Capital of Norway?",
            cheap=CheapLeg(
                answer=text_of(cheap),
                samples=[text_of(probe) for probe in probes],
                timing=timing_of(cheap),
                sample_timings=[timing_of(probe) for probe in probes],
            ),
            large=LargeLeg(answer=text_of(large), timing=timing_of(large)),
        ),
        TIMINGS,
    )
    schedule = ProbeSchedule(count=len(probes), wave=settings.pop("wave"), after=settings.pop("after"))

    return simulate(
        found, Plan(tiers=(schedule, None), **settings), scripted, BILLING, JudgePace(verdict=DELAY, pair=0)
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_simulator_and_the_driver_agree(data: st.DataObject) -> None:
    """On verdict, tier, every moment the reader notices, and what was cancelled when: for any small scripts. Legs never
    speak at the same moment, for what is first then is nobody's promise."""
    cheap = data.draw(scripts(0.00001))
    large = data.draw(scripts(0.00002))
    probes = [data.draw(scripts(0.00003 + i / 100_000)) for i in range(data.draw(st.integers(1, 4)))]
    chosen: dict[str, Any] = {
        "policy": Threshold(data.draw(st.sampled_from([0.0, 0.3, 0.5, 0.9]))),
        "release": data.draw(st.sampled_from(Release)),
        "insurance": data.draw(st.booleans()),
        "hedge": data.draw(
            st.none()
            | st.builds(
                HedgeRule,
                waste=st.just(1.0),
                second=st.floats(0.1, 9),
                large_first=st.floats(0, 2),
                decision=st.floats(0, 2),
            )
        ),
        "auto": data.draw(st.builds(AutoRelease, annoyance=st.floats(0, 4), decision_gap=st.floats(0, 2))),
        "hedge_after": data.draw(st.none() | moments.map(lambda at: at + 0.000007)),
        "decision_deadline": data.draw(st.none() | moments.map(lambda at: 2 * at + 0.000005)),
        "on_timeout": data.draw(st.sampled_from([Decision.ACCEPT, Decision.ESCALATE])),
        "wave": data.draw(st.none() | st.integers(1, 2)),
        "after": data.draw(st.sampled_from(["start", "first_token"])),
    }
    route, found = driven(cheap, probes, large, **chosen), simulated(cheap, probes, large, **chosen)
    assert route.verdict is not None
    assert (found.tier, found.reason, found.retracted) == (route.tier, route.verdict.reason, route.retracted)
    timings = route.timings
    assert (found.first_shown, found.first_kept) == about((timings.first_shown, timings.first_kept))
    assert (found.decided, found.finished) == about((timings.decided, timings.finished))
    probing = [leg for leg in route.legs if leg.leg.probe is not None]
    assert found.probes_started == len(probing)
    assert found.probes == sum(leg.state is LegState.FINISHED for leg in probing)
    assert found.probe_tokens == sum(leg.completion_tokens for leg in probing)
    larger = route.leg(Leg(1))
    assert found.hedged == (larger is not None and larger.started < (timings.decided or 0))
    smaller = route.leg(Leg(0))
    assert smaller is not None
    wasted = (
        smaller.completion_tokens if found.tier else 0,
        0 if found.tier or larger is None else larger.completion_tokens,
    )
    assert (found.wasted_cheap, found.wasted_large) == wasted

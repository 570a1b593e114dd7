"""What the reader may see before the verdict, and what becomes of it: continue, auto, and appending late."""

from __future__ import annotations

import pytest

from streamroute.core.actions import Append, CancelLeg, Commit, Continue, Emit, Finish, Retract, StartAnswer
from streamroute.core.cascade import Cascade
from streamroute.core.events import (
    AnswerFinished,
    DeltaReceived,
    EvidenceReceived,
    LegFailed,
    ProbeFinished,
    TimerFired,
)
from streamroute.core.plan import AutoRelease, Plan, ProbeSchedule
from streamroute.core.policy import Policy, Snapshot
from streamroute.core.types import UNDECIDED, Decision, Delta, Leg, Release, Sample, Verdict
from streamroute.errors import ConfigError
from tests.core.world import BROKEN, World, evidence

CHEAP, LARGE, LARGEST = Leg(0), Leg(1), Leg(2)
ONE_PROBE = ProbeSchedule(count=1)
REASON = "samples_disagree"
HELLO, THERE, BYE = Delta("Hello"), Delta(" there."), Delta(" Bye.")


def plan(**settings: object) -> Plan:
    given = {"tiers": (ONE_PROBE, None), "release": Release.CONTINUE, "prefill": frozenset({1, 2}), **settings}
    return Plan(**given)  # type: ignore[arg-type]


def judged(world: World, score: float, *, tier: int = 0, now: float = 0.0, certified: bool = True) -> list[object]:
    world.feed(ProbeFinished(Leg(tier, 0), Sample("Hello.")), now)
    return list(world.feed(EvidenceReceived(tier, evidence(1, 1, score=score, certified=certified)), now))


def shown(settings: Plan, *deltas: Delta) -> World:
    world = World.begin(settings)
    for delta in deltas or (HELLO,):
        world.feed(DeltaReceived(CHEAP, delta), 0.0)
    return world


def test_the_larger_model_goes_on_from_what_was_shown_and_the_seam_is_marked() -> None:
    world = shown(plan())
    assert judged(world, 1.0) == [CancelLeg(CHEAP, REASON), StartAnswer(LARGE, "Hello")]
    actions = world.feed(DeltaReceived(LARGE, THERE), 0.0)
    assert actions == (
        Continue(0, 1, 5, REASON),
        Commit(1, Verdict(Decision.ESCALATE, REASON, 1)),
        Emit(1, THERE),
    )
    assert world.feed(AnswerFinished(LARGE), 0.0) == (Finish(1, "stop"),)
    assert world.screen == "Hello there."


def test_a_model_that_has_nothing_to_add_keeps_what_it_went_on_from() -> None:
    world = shown(plan())
    judged(world, 1.0)
    kinds = [type(action) for action in world.feed(AnswerFinished(LARGE), 0.0)]
    assert kinds == [Continue, Commit, Finish]


@pytest.mark.parametrize(
    "said",
    [Delta("Hi", tool_calls=b"[]"), Delta("Hi", refusal="no"), Delta("Hi", index=1), Delta(" \n")],
    ids=["tool call", "refusal", "another choice", "blank"],
)
def test_what_no_text_can_be_continued_from_is_withdrawn(said: Delta) -> None:
    assert judged(shown(plan(), said), 1.0)[1:] == [Retract(0, REASON), StartAnswer(LARGE)]


def test_a_whole_answer_is_withdrawn_for_there_is_nothing_to_go_on_with() -> None:
    world = shown(plan())
    world.feed(AnswerFinished(CHEAP), 0.0)
    assert judged(world, 1.0) == [Retract(0, REASON), StartAnswer(LARGE)]


def test_a_tier_without_prefill_starts_anew() -> None:
    assert Retract(0, REASON) in judged(shown(plan(prefill=frozenset())), 1.0)


def test_a_hedge_cannot_go_on_from_what_it_was_not_told() -> None:
    world = World.begin(plan(hedge_after=0.5))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    world.feed(TimerFired(), 0.5)
    assert Retract(0, REASON) in judged(world, 1.0, now=0.6)


def test_a_middle_tier_is_judged_with_what_it_went_on_from() -> None:
    world = shown(plan(tiers=(ONE_PROBE, ONE_PROBE, None)))
    judged(world, 1.0)
    assert world.feed(DeltaReceived(LARGE, THERE), 0.0) == (Continue(0, 1, 5, REASON), Emit(1, THERE))
    (score,) = world.feed(ProbeFinished(Leg(1, 0), Sample("x")), 0.0)
    assert score.answer == "Hello there."  # type: ignore[union-attr]
    actions = world.feed(EvidenceReceived(1, evidence(1, 1, score=1.0)), 0.0)
    assert actions == (CancelLeg(LARGE, REASON), StartAnswer(LARGEST, "Hello there."))


def test_the_next_tier_takes_over_the_text_from_one_that_failed_unheard() -> None:
    world = shown(plan(tiers=(ONE_PROBE, None, None)))
    judged(world, 1.0)
    assert world.feed(LegFailed(LARGE, BROKEN), 0.0) == (StartAnswer(LARGEST, "Hello"),)
    assert world.feed(DeltaReceived(LARGEST, THERE), 0.0)[0] == Continue(0, 2, 5, "answer_failed")


def test_a_continuation_that_was_withdrawn_is_shown_again_with_its_beginning() -> None:
    world = shown(plan(tiers=(ONE_PROBE, ONE_PROBE, None)))
    judged(world, 1.0)
    world.feed(DeltaReceived(LARGE, THERE), 0.0)
    world.feed(AnswerFinished(LARGE), 0.0)
    assert Retract(1, REASON) in judged(world, 1.0, tier=1)
    actions = world.feed(LegFailed(LARGEST, BROKEN), 0.0)
    assert actions[1:] == (Emit(1, HELLO), Emit(1, THERE), Finish(1, "stop"))


def test_an_appended_answer_that_fails_gives_way_to_the_first_one_under_a_marker() -> None:
    world = shown(plan(tiers=(ONE_PROBE, ONE_PROBE, None), release=Release.APPEND))
    world.feed(AnswerFinished(CHEAP), 0.0)
    judged(world, 1.0)
    world.feed(DeltaReceived(LARGE, BYE), 0.0)
    judged(world, 1.0, tier=1)
    kinds = [type(action) for action in world.feed(LegFailed(LARGEST, BROKEN), 0.0)]
    assert kinds == [Append, Commit, Emit, Finish]
    assert world.screen == "Hello"


class _AppendLate(Policy):
    def __call__(self, snapshot: Snapshot) -> Verdict:
        return UNDECIDED if snapshot.evidence is None else Verdict(Decision.ESCALATE, "late", append=True)


def test_a_verdict_may_append_where_the_mode_is_to_retract() -> None:
    world = shown(plan(release=Release.RETRACT, policy=_AppendLate()))
    world.may_append = True
    judged(world, 1.0)
    assert world.feed(DeltaReceived(LARGE, BYE), 0.0)[0] == Append(0, 1, "late")


# -- auto -------------------------------------------------------------------------------------------------------------


def auto(**settings: object) -> Plan:
    return plan(release=Release.AUTO, auto=AutoRelease(**settings))  # type: ignore[arg-type]


def test_auto_shows_at_once_what_will_hardly_be_escalated() -> None:
    world = World.begin(auto(prior=0.08))
    assert world.feed(DeltaReceived(CHEAP, HELLO), 0.0) == (Emit(0, HELLO),)


def test_auto_holds_what_will_rather_be_escalated_until_the_verdict() -> None:
    world = World.begin(auto(prior=0.9))
    assert world.feed(DeltaReceived(CHEAP, HELLO), 0.0) == ()
    kept = judged(world, 0.1)
    assert kept == [Commit(0, Verdict(Decision.ACCEPT, "samples_agree")), Emit(0, HELLO)]


def test_agreeing_evidence_ends_the_hold_before_the_verdict() -> None:
    world = World.begin(plan(release=Release.AUTO, auto=AutoRelease(prior=0.9), tiers=(ProbeSchedule(count=2), None)))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    world.feed(ProbeFinished(Leg(0, 0), Sample("x")), 0.0)
    agreeing = evidence(1, 2, score=0.0, certified=False)
    assert world.feed(EvidenceReceived(0, agreeing), 0.0) == (Emit(0, HELLO),)


def test_what_auto_has_shown_stays_shown() -> None:
    world = World.begin(plan(release=Release.AUTO, auto=AutoRelease(prior=0.08), tiers=(ProbeSchedule(count=2), None)))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    world.feed(ProbeFinished(Leg(0, 0), Sample("x")), 0.0)
    world.feed(EvidenceReceived(0, evidence(1, 2, score=0.6, certified=False)), 0.0)
    assert world.feed(DeltaReceived(CHEAP, BYE), 0.0)[0] == Emit(0, BYE)


def test_disagreeing_probes_that_come_before_the_answer_hold_it() -> None:
    world = World.begin(plan(release=Release.AUTO, auto=AutoRelease(prior=0.08), tiers=(ProbeSchedule(count=2), None)))
    world.feed(ProbeFinished(Leg(0, 0), Sample("x")), 0.0)
    world.feed(EvidenceReceived(0, evidence(1, 2, score=0.6, judged=False, certified=False)), 0.0)
    assert world.feed(DeltaReceived(CHEAP, HELLO), 0.0) == ()


@pytest.mark.parametrize(
    ("mode", "action"), [(Release.RETRACT, Retract), (Release.APPEND, Append), (Release.CONTINUE, Continue)]
)
def test_auto_escalates_as_the_reader_declared(mode: Release, action: type) -> None:
    world = World.begin(auto(prior=0.08, on_escalation=mode))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    actions = [*judged(world, 1.0), *world.feed(DeltaReceived(LARGE, BYE), 0.0)]
    assert [type(a) for a in actions if isinstance(a, Retract | Append | Continue)] == [action]


def test_the_nearer_the_verdict_the_less_there_is_to_gain_from_showing() -> None:
    rule = AutoRelease(annoyance=2.0, decision_gap=0.8)
    assert [rule.holds(0.3, waited) for waited in (0.0, 0.1, 0.3)] == [False, False, True]
    assert (rule.holds(0.4, 0.0), rule.holds(0.41, 0.0)) == (False, True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"annoyance": -1.0}, "annoyance must not be negative"),
        ({"decision_gap": float("nan")}, "decision_gap must not be negative"),
        ({"prior": 1.5}, "prior must be between 0 and 1"),
        ({"on_escalation": Release.HOLD}, "on_escalation must be"),
    ],
)
def test_rules_that_make_no_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AutoRelease(**settings)  # type: ignore[arg-type]


def test_nothing_of_this_is_known_to_a_cascade_that_holds() -> None:
    assert Cascade(plan(release=Release.HOLD)).plan.on_escalation is Release.HOLD

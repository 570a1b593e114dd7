"""What a route does, told one story at a time."""

from __future__ import annotations

import pytest

from streamroute.core.actions import (
    Append,
    CancelLeg,
    Commit,
    Emit,
    Fail,
    Finish,
    Retract,
    Score,
    StartAnswer,
    StartProbes,
)
from streamroute.core.cascade import Cascade
from streamroute.core.events import (
    AnswerFinished,
    DeltaReceived,
    EvidenceReceived,
    LegFailed,
    ProbeFinished,
    ReaderLeft,
    RouteStarted,
    ScorerFailed,
    TimerFired,
)
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Always
from streamroute.core.states import Phase, diagram
from streamroute.core.types import Confidence, Decision, Delta, Leg, Release, Sample, TokenLogprob, Verdict
from streamroute.errors import ConfigError, LocalProtocolError
from tests.core.world import BROKEN, World, evidence

CHEAP, LARGE, LARGEST = Leg(0), Leg(1), Leg(2)
PROBE = Leg(0, 0)
ONE_PROBE = ProbeSchedule(count=1)
HELLO = Delta("Hello.")
BYE = Delta("Bye.")


def plan(**settings: object) -> Plan:
    return Plan(**{"tiers": (ONE_PROBE, None), **settings})  # type: ignore[arg-type]


def judged(world: World, score: float, *, tier: int = 0, now: float = 0.0) -> tuple[object, ...]:
    """The one probe of a tier ends and the judge gives its score."""
    world.feed(ProbeFinished(Leg(tier, 0), Sample("Hello.")), now)
    return world.feed(EvidenceReceived(tier, evidence(1, 1, score=score)), now)


def test_a_start_asks_for_the_answer_and_its_probes() -> None:
    world = World(Cascade(plan()))
    assert world.feed(RouteStarted(), 0.0) == (StartAnswer(CHEAP), StartProbes((PROBE,)))


def test_the_judge_hears_what_log_probabilities_say_of_the_answer() -> None:
    world = World(Cascade(plan()))
    world.feed(RouteStarted(), 0.0)
    blank, red, fox = (TokenLogprob(*one) for one in ((" ", -0.5), ("Red", -0.1), (" fox.", -0.3)))
    world.feed(DeltaReceived(CHEAP, Delta(" ", logprobs=(blank,))), 0.1)
    world.feed(DeltaReceived(CHEAP, Delta("Red fox.", logprobs=(red, fox))), 0.2)
    (score,) = world.feed(ProbeFinished(PROBE, Sample("Hello.")), 0.3)
    assert isinstance(score, Score)
    assert score.confidence == Confidence(red, (-0.5 - 0.1 - 0.3) / 3, -0.5, 3)


def test_an_answer_without_log_probabilities_has_no_confidence() -> None:
    world = World(Cascade(plan()))
    world.feed(RouteStarted(), 0.0)
    world.feed(DeltaReceived(CHEAP, HELLO), 0.1)
    (score,) = world.feed(ProbeFinished(PROBE, Sample("Hello.")), 0.3)
    assert isinstance(score, Score)
    assert score.confidence is None


def test_hold_shows_nothing_before_the_verdict_and_everything_with_it() -> None:
    world = World.begin(plan())
    assert world.feed(DeltaReceived(CHEAP, HELLO), 0.0) == ()
    actions = judged(world, 0.0)
    assert actions == (Commit(0, Verdict(Decision.ACCEPT, "samples_agree")), Emit(0, HELLO))
    assert world.feed(AnswerFinished(CHEAP, "stop"), 0.0) == (Finish(0, "stop"),)


def test_a_kept_answer_streams_on_after_the_verdict() -> None:
    world = World.begin(plan())
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    judged(world, 0.0)
    assert world.feed(DeltaReceived(CHEAP, BYE), 0.0) == (Emit(0, BYE),)


def test_disagreement_cancels_the_cheap_leg_and_starts_the_large_one() -> None:
    world = World.begin(plan(release=Release.RETRACT))
    assert world.feed(DeltaReceived(CHEAP, HELLO), 0.0) == (Emit(0, HELLO),)
    reason = "samples_disagree"
    assert judged(world, 1.0) == (CancelLeg(CHEAP, reason), Retract(0, reason), StartAnswer(LARGE))
    commit = Commit(1, Verdict(Decision.ESCALATE, reason, 1))
    assert world.feed(DeltaReceived(LARGE, BYE), 0.0) == (commit, Emit(1, BYE))


def test_role_chunks_are_never_a_first_token() -> None:
    world = World.begin(plan(release=Release.RETRACT))
    assert world.feed(DeltaReceived(CHEAP, Delta("")), 0.0) == ()
    assert world.feed(DeltaReceived(CHEAP, HELLO), 0.0) == (Emit(0, Delta("")), Emit(0, HELLO))


def test_append_marks_the_old_answer_only_when_the_new_one_speaks() -> None:
    world = World.begin(plan(release=Release.APPEND))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    assert not any(isinstance(action, Append) for action in judged(world, 1.0))
    actions = world.feed(DeltaReceived(LARGE, BYE), 0.0)
    assert actions[0] == Append(0, 1, "samples_disagree")


def test_a_whole_cheap_answer_stands_when_the_escalation_fails() -> None:
    world = World.begin(plan(release=Release.RETRACT))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    world.feed(AnswerFinished(CHEAP, "stop"), 0.0)
    judged(world, 1.0)
    verdict = Verdict(Decision.ACCEPT, "escalation_failed")
    assert world.feed(LegFailed(LARGE, BROKEN), 0.0) == (Commit(0, verdict), Emit(0, HELLO), Finish(0, "stop"))


def test_an_appended_answer_stands_unmarked_when_the_escalation_fails() -> None:
    world = World.begin(plan(release=Release.APPEND))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    world.feed(AnswerFinished(CHEAP, "stop"), 0.0)
    judged(world, 1.0)
    verdict = Verdict(Decision.ACCEPT, "escalation_failed")
    assert world.feed(LegFailed(LARGE, BROKEN), 0.0) == (Commit(0, verdict), Finish(0, "stop"))


def test_a_failed_cheap_leg_escalates() -> None:
    world = World.begin(plan())
    actions = world.feed(LegFailed(CHEAP, BROKEN), 0.0)
    assert actions == (CancelLeg(PROBE, "answer_failed"), StartAnswer(LARGE))


def test_an_empty_answer_escalates() -> None:
    world = World.begin(plan())
    assert StartAnswer(LARGE) in world.feed(AnswerFinished(CHEAP), 0.0)
    assert world.cascade.verdict == Verdict(Decision.ESCALATE, "answer_empty", 1)


def test_all_failed_says_so_once_with_every_error() -> None:
    world = World.begin(plan())
    world.feed(LegFailed(CHEAP, BROKEN), 0.0)
    assert world.feed(LegFailed(LARGE, BROKEN), 0.0) == (Fail(((CHEAP, BROKEN), (LARGE, BROKEN)), False),)


def test_a_shown_answer_that_breaks_off_is_never_restarted() -> None:
    world = World.begin(plan(tiers=(ONE_PROBE, None, None)))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    judged(world, 0.0)
    assert world.feed(LegFailed(CHEAP, BROKEN), 0.0) == (Fail(((CHEAP, BROKEN),), True),)


def test_an_unseen_failure_of_the_committed_leg_falls_back_to_the_next_tier() -> None:
    world = World.begin(plan(tiers=(ONE_PROBE, None, None)))
    world.feed(LegFailed(CHEAP, BROKEN), 0.0)
    assert world.feed(LegFailed(LARGE, BROKEN), 0.0) == (StartAnswer(LARGEST),)
    actions = world.feed(DeltaReceived(LARGEST, HELLO), 0.0)
    assert actions == (Commit(2, Verdict(Decision.ESCALATE, "answer_failed", 2)), Emit(2, HELLO))


def test_a_hedge_runs_unseen_and_is_released_on_escalation() -> None:
    world = World.begin(plan(hedge_after=0.5))
    assert world.cascade.next_deadline() == 0.5
    assert world.feed(TimerFired(), 0.5) == (StartAnswer(LARGE),)
    assert world.feed(DeltaReceived(LARGE, BYE), 0.6) == ()
    assert judged(world, 1.0, now=0.7) == (
        CancelLeg(CHEAP, "samples_disagree"),
        Commit(1, Verdict(Decision.ESCALATE, "samples_disagree", 1)),
        Emit(1, BYE),
    )


def test_a_hedge_that_fails_leaves_the_cheap_answer_and_ends_the_probes() -> None:
    world = World.begin(plan(hedge_after=0.5))
    world.feed(TimerFired(), 0.5)
    assert world.feed(LegFailed(LARGE, BROKEN), 0.6) == (CancelLeg(PROBE, "escalation_failed"),)
    assert world.cascade.verdict == Verdict(Decision.ACCEPT, "escalation_failed")


def test_a_failed_hedge_is_skipped_when_the_policy_asks_for_it() -> None:
    policy = plan(tiers=(ONE_PROBE, None, None), hedge_after=0.5)
    world = World.begin(policy)
    world.feed(TimerFired(), 0.5)
    world.feed(LegFailed(LARGE, BROKEN), 0.6)
    assert world.cascade.phase is Phase.JUDGING
    assert StartAnswer(LARGEST) in judged(world, 1.0, now=0.7)


def test_an_unneeded_hedge_is_cancelled_with_the_verdict() -> None:
    world = World.begin(plan(hedge_after=0.5))
    world.feed(TimerFired(), 0.5)
    assert judged(world, 0.0, now=0.6)[0] == CancelLeg(LARGE, "samples_agree")


@pytest.mark.parametrize("verdict", [Decision.ACCEPT, Decision.ESCALATE])
def test_the_deadline_decides_when_the_evidence_does_not(verdict: Decision) -> None:
    world = World.begin(plan(decision_deadline=1.5, on_timeout=verdict))
    assert world.cascade.next_deadline() == 1.5
    world.feed(TimerFired(), 1.5)
    assert world.cascade.verdict is not None
    assert (world.cascade.verdict.decision, world.cascade.verdict.reason) == (verdict, "deadline")
    assert world.cascade.next_deadline() is None


@pytest.mark.parametrize("verdict", [Decision.ACCEPT, Decision.ESCALATE])
def test_a_broken_judge_falls_back(verdict: Decision) -> None:
    world = World.begin(plan(on_uncertain=verdict))
    world.feed(ProbeFinished(PROBE, Sample("x")), 0.0)
    world.feed(ScorerFailed(0, BROKEN), 0.0)
    assert world.cascade.verdict is not None
    assert (world.cascade.verdict.decision, world.cascade.verdict.reason) == (verdict, "scorer_failed")


def test_without_a_single_sample_there_is_nothing_to_wait_for() -> None:
    world = World.begin(plan())
    world.feed(LegFailed(PROBE, BROKEN), 0.0)
    assert world.cascade.verdict == Verdict(Decision.ACCEPT, "no_evidence")


def test_a_policy_that_never_decides_is_overruled_when_all_is_known() -> None:
    world = World.begin(plan(policy=Always(Verdict(Decision.UNDECIDED))))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    world.feed(AnswerFinished(CHEAP), 0.0)
    judged(world, 0.0)
    assert world.cascade.verdict == Verdict(Decision.ACCEPT, "policy_undecided")


def test_the_judge_is_asked_again_when_the_answer_completes_a_sentence() -> None:
    world = World.begin(plan())
    (score,) = world.feed(ProbeFinished(PROBE, Sample("x")), 0.0)
    assert score == Score(0, "", False, (Sample("x"),), 1, deadline=2.5)
    assert world.feed(EvidenceReceived(0, evidence(1, 1, score=0.0, judged=False, certified=False)), 0.0) == ()
    assert world.feed(DeltaReceived(CHEAP, Delta("Hel")), 0.0) == ()
    (score,) = world.feed(DeltaReceived(CHEAP, Delta("lo.")), 0.0)
    assert score == Score(0, "Hello.", False, (Sample("x"),), 1, deadline=2.5)


def test_the_judge_gets_one_question_at_a_time() -> None:
    world = World.begin(plan(tiers=(ProbeSchedule(count=3), None)))
    assert len(world.feed(ProbeFinished(Leg(0, 0), Sample("a")), 0.0)) == 1
    assert world.feed(ProbeFinished(Leg(0, 2), Sample("c")), 0.0) == ()
    (score,) = world.feed(EvidenceReceived(0, evidence(1, 3, score=0.5, certified=False)), 0.0)
    assert score == Score(0, "", False, (Sample("a"), Sample("c")), 3, deadline=2.5)


def test_probes_can_wait_for_the_first_token_and_come_in_waves() -> None:
    world = World.begin(plan(tiers=(ProbeSchedule(count=3, wave=2, after="first_token"), None)))
    assert world.running == {CHEAP}
    assert world.feed(DeltaReceived(CHEAP, Delta("")), 0.0) == ()
    assert world.feed(DeltaReceived(CHEAP, HELLO), 0.0) == (StartProbes((Leg(0, 0), Leg(0, 1))),)
    world.feed(ProbeFinished(Leg(0, 0), Sample("a")), 0.0)
    world.feed(EvidenceReceived(0, evidence(1, 3, score=0.5, certified=False)), 0.0)
    world.feed(ProbeFinished(Leg(0, 1), Sample("b")), 0.0)
    actions = world.feed(EvidenceReceived(0, evidence(2, 3, score=0.5, certified=False)), 0.0)
    assert actions == (StartProbes((Leg(0, 2),)),)


def test_certain_evidence_saves_the_probes_that_are_left() -> None:
    world = World.begin(plan(tiers=(ProbeSchedule(count=3), None)))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    world.feed(ProbeFinished(Leg(0, 0), Sample("a")), 0.0)
    actions = world.feed(EvidenceReceived(0, evidence(1, 3, score=0.9)), 0.0)
    cancelled = {action.leg for action in actions if isinstance(action, CancelLeg)}
    assert cancelled == {CHEAP, Leg(0, 1), Leg(0, 2)}
    assert world.cascade.verdict == Verdict(Decision.ESCALATE, "certain_to_disagree", 1)


def test_a_middle_tier_is_judged_by_its_own_probes() -> None:
    world = World.begin(plan(tiers=(ONE_PROBE, ONE_PROBE, None), release=Release.RETRACT, decision_deadline=1.0))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    assert judged(world, 1.0, now=0.5)[-2:] == (StartAnswer(LARGE), StartProbes((Leg(1, 0),)))
    assert world.cascade.next_deadline() == 1.5
    assert world.feed(DeltaReceived(LARGE, HELLO), 0.6) == (Emit(1, HELLO),)
    assert Retract(1, "samples_disagree") in judged(world, 1.0, tier=1, now=0.7)
    assert world.cascade.tier == 2


def test_a_policy_may_skip_tiers_but_not_go_back() -> None:
    skip = Always(Verdict(Decision.ESCALATE, "hard", 2))
    world = World.begin(plan(tiers=(ONE_PROBE, ONE_PROBE, None), policy=skip))
    assert world.cascade.tier == 2
    with pytest.raises(LocalProtocolError, match="from tier 0 to tier 0"):
        World.begin(plan(policy=Always(Verdict(Decision.ESCALATE, "odd", 0))))


def test_unjudged_routes_commit_to_the_tier_they_start_on() -> None:
    world = World.begin(plan(start_tier=1))
    actions = world.feed(DeltaReceived(LARGE, HELLO), 0.0)
    assert actions == (Commit(1, Verdict(Decision.ACCEPT, "unjudged")), Emit(1, HELLO))
    assert World.begin(plan(judge=False)).running == {CHEAP}


def test_an_empty_committed_answer_still_commits_and_ends() -> None:
    world = World.begin(plan(judge=False))
    assert world.feed(AnswerFinished(CHEAP, "length"), 0.0) == (
        Commit(0, Verdict(Decision.ACCEPT, "unjudged")),
        Finish(0, "length"),
    )


def test_a_reader_who_leaves_ends_everything() -> None:
    world = World.begin(plan(hedge_after=0.0))
    world.feed(TimerFired(), 0.0)
    assert world.feed(ReaderLeft(), 0.1) == tuple(CancelLeg(leg, "reader left") for leg in (PROBE, CHEAP, LARGE))
    assert world.cascade.receive(TimerFired(), now=9.0) == ()


def test_a_timer_that_comes_late_changes_nothing() -> None:
    world = World.begin(plan(judge=False))
    assert world.feed(TimerFired(), 9.0) == ()
    early = World.begin(plan(decision_deadline=2.0))
    assert early.feed(TimerFired(), 1.0) == ()


def test_the_judged_tier_is_known_while_a_verdict_is_pending() -> None:
    world = World.begin(plan())
    assert world.cascade.judged_tier == 0
    judged(world, 0.0)
    assert world.cascade.judged_tier is None


def test_late_evidence_changes_nothing() -> None:
    world = World.begin(plan())
    judged(world, 0.0)
    assert world.feed(EvidenceReceived(0, evidence(1, 1, score=1.0)), 0.0) == ()
    assert world.feed(ScorerFailed(0, BROKEN), 0.0) == ()


def test_events_out_of_place_are_bugs_of_the_caller() -> None:
    with pytest.raises(LocalProtocolError, match="TimerFired in phase idle"):
        Cascade(plan()).receive(TimerFired(), now=0.0)
    world = World.begin(plan())
    with pytest.raises(LocalProtocolError, match="RouteStarted in phase judging"):
        world.feed(RouteStarted(), 0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tiers": ()}, "at least one tier"),
        ({"start_tier": 2}, "start_tier must be between 0 and 1"),
        ({"on_timeout": Decision.UNDECIDED}, "on_timeout must be"),
        ({"on_uncertain": Decision.UNDECIDED}, "on_uncertain must be"),
        ({"decision_deadline": -1.0}, "decision_deadline must not be negative"),
        ({"hedge_after": -1.0}, "hedge_after must not be negative"),
    ],
)
def test_plans_that_make_no_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(**settings)


@pytest.mark.parametrize(("count", "wave"), [(0, None), (1, 0)])
def test_schedules_that_make_no_sense_are_refused(count: int, wave: int | None) -> None:
    with pytest.raises(ConfigError, match="must be at least 1"):
        ProbeSchedule(count=count, wave=wave)


def test_the_diagram_shows_every_phase() -> None:
    drawn = diagram()
    assert all(f" {phase}" in drawn for phase in Phase)
    assert drawn.startswith("stateDiagram-v2")

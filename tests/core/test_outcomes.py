"""What happens at the edges: no probe, one, none that works, no judge, no time, nothing but refusals, three tiers."""

from __future__ import annotations

import pytest

from streamroute.core.actions import Commit, StartAnswer
from streamroute.core.events import DeltaReceived, EvidenceReceived, LegFailed, ProbeFinished, ScorerFailed, TimerFired
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Always, Threshold
from streamroute.core.types import UNDECIDED, Decision, Delta, Evidence, Leg, Sample, Verdict
from tests.core.world import BROKEN, World, evidence

BOTH = pytest.mark.parametrize("fallback", [Decision.ACCEPT, Decision.ESCALATE])


def begun(**settings: object) -> World:
    """A route whose cheap tier has said its first sentence."""
    world = World.begin(Plan(**{"tiers": (ProbeSchedule(count=2), None), **settings}))  # type: ignore[arg-type]
    world.feed(DeltaReceived(Leg(0), Delta("Hello.")), 0.0)
    return world


def decided(world: World) -> tuple[Decision, str]:
    assert world.cascade.verdict is not None
    return world.cascade.verdict.decision, world.cascade.verdict.reason


def test_zero_probes_leave_the_answer_unjudged() -> None:
    assert decided(begun(tiers=(None, None))) == (Decision.ACCEPT, "unjudged")


@pytest.mark.parametrize(
    ("score", "outcome"),
    [(0.0, (Decision.ACCEPT, "samples_agree")), (1.0, (Decision.ESCALATE, "samples_disagree"))],
)
def test_one_probe_decides(score: float, outcome: tuple[Decision, str]) -> None:
    world = begun(tiers=(ProbeSchedule(count=1), None))
    world.feed(ProbeFinished(Leg(0, 0), Sample("x")), 0.0)
    world.feed(EvidenceReceived(0, evidence(1, 1, score=score)), 0.0)
    assert decided(world) == outcome


@BOTH
def test_when_every_probe_fails_the_plan_says_what_to_do(fallback: Decision) -> None:
    world = begun(on_uncertain=fallback)
    world.feed(LegFailed(Leg(0, 0), BROKEN), 0.0)
    world.feed(LegFailed(Leg(0, 1), BROKEN), 0.0)
    assert decided(world) == (fallback, "no_evidence")


@BOTH
def test_when_the_judge_fails_the_plan_says_what_to_do(fallback: Decision) -> None:
    world = begun(on_uncertain=fallback)
    world.feed(ProbeFinished(Leg(0, 0), Sample("x")), 0.0)
    world.feed(ScorerFailed(0, BROKEN), 0.0)
    assert decided(world) == (fallback, "scorer_failed")


@BOTH
def test_a_deadline_of_zero_decides_at_once(fallback: Decision) -> None:
    world = World.begin(Plan(tiers=(ProbeSchedule(), None), decision_deadline=0.0, on_timeout=fallback))
    assert world.cascade.next_deadline() == 0.0
    world.feed(TimerFired(), 0.0)
    assert decided(world) == (fallback, "deadline")


@pytest.mark.parametrize(("score", "decision"), [(0.0, Decision.ACCEPT), (1.0, Decision.ESCALATE)])
@pytest.mark.parametrize("judge_gives_up", [False, True])
@BOTH
def test_at_the_deadline_the_evidence_that_there_is_decides(
    score: float, decision: Decision, fallback: Decision, judge_gives_up: bool
) -> None:
    world = begun(on_timeout=fallback, on_uncertain=fallback)
    world.feed(ProbeFinished(Leg(0, 0), Sample("x")), 0.0)
    world.feed(EvidenceReceived(0, evidence(1, 2, score=score, judged=False, certified=False)), 0.0)
    if judge_gives_up:  # before the timer of the same moment
        world.feed(ProbeFinished(Leg(0, 1), Sample("y")), 1.0)
        world.feed(ScorerFailed(0, BROKEN), 2.5)
    else:
        world.feed(TimerFired(), 2.5)
    assert decided(world) == (decision, "deadline_partial")


def test_at_the_deadline_a_policy_that_stays_undecided_is_overruled() -> None:
    world = begun(policy=Always(UNDECIDED), on_timeout=Decision.ESCALATE)
    world.feed(ProbeFinished(Leg(0, 0), Sample("x")), 0.0)
    world.feed(EvidenceReceived(0, evidence(1, 2, score=0.0)), 0.0)
    world.feed(TimerFired(), 2.5)
    assert decided(world) == (Decision.ESCALATE, "deadline")


def test_where_all_refuse_alike_the_refusal_is_kept() -> None:
    """The judge's score of agreeing refusals is 0: asking a larger model is not a way around a refusal."""
    world = begun(tiers=(ProbeSchedule(count=1), None))
    world.feed(ProbeFinished(Leg(0, 0), Sample("I cannot help with that.")), 0.0)
    refused = Evidence(samples=1, expected=1, score=0.0, high=0.0, refusals=2, answer_cluster=0)
    world.feed(EvidenceReceived(0, refused), 0.0)
    assert decided(world) == (Decision.ACCEPT, "samples_agree")


@pytest.mark.parametrize(("scores", "tier"), [((0.2,), 0), ((0.9, 0.2), 1), ((0.9, 0.9), 2)])
def test_of_three_tiers_the_first_whose_samples_agree_answers(scores: tuple[float, ...], tier: int) -> None:
    one = ProbeSchedule(count=1)
    world = World.begin(Plan(tiers=(one, one, None), policy=Threshold(0.5)))
    told: list[object] = []
    for level, score in enumerate(scores):
        told += world.feed(DeltaReceived(Leg(level), Delta("Hello.")), 0.0)
        told += world.feed(ProbeFinished(Leg(level, 0), Sample("x")), 0.0)
        told += world.feed(EvidenceReceived(level, evidence(1, 1, score=score)), 0.0)
    if tier == 2:
        told += world.feed(DeltaReceived(Leg(2), Delta("Hello.")), 0.0)
    assert [action.tier for action in told if isinstance(action, Commit)] == [tier]
    assert [action.leg.tier for action in told if isinstance(action, StartAnswer)] == list(range(1, tier + 1))


def test_without_log_probabilities_nothing_is_known_of_the_confidence() -> None:
    world = begun(tiers=(ProbeSchedule(count=1, skip_confident=0.5), None))
    (score,) = world.feed(ProbeFinished(Leg(0, 0), Sample("x")), 0.0)
    assert score.confidence is None  # type: ignore[union-attr]
    assert world.cascade.verdict is None or world.cascade.verdict == Verdict(Decision.UNDECIDED)

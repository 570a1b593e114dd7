"""When a larger tier is started before it is known to be needed, a probe is not, and a loser is kept for a while."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.actions import CancelLeg, Commit, Emit, Finish, StartAnswer, StartProbes
from streamroute.core.events import (
    AnswerFinished,
    DeltaReceived,
    EvidenceReceived,
    LegFailed,
    ProbeFinished,
    TimerFired,
)
from streamroute.core.hedge import HedgeRule
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Policy, Snapshot
from streamroute.core.states import Phase
from streamroute.core.types import UNDECIDED, Confidence, Decision, Delta, Leg, Release, Sample, TokenLogprob, Verdict
from streamroute.errors import ConfigError
from tests.core.world import BROKEN, World, evidence

CHEAP, LARGE = Leg(0), Leg(1)
PROBES = ProbeSchedule(count=2)
HELLO, BYE = Delta("Hello."), Delta("Bye.")


def plan(**settings: object) -> Plan:
    return Plan(**{"tiers": (PROBES, None), **settings})  # type: ignore[arg-type]


def rule(**settings: float) -> HedgeRule:
    return HedgeRule(**{"waste": 1.0, "second": 2.0, "large_first": 1.0, "decision": 1.5, **settings})


def heard(world: World, score: float, now: float, *, probe: int = 0, certified: bool = False) -> tuple[object, ...]:
    world.feed(ProbeFinished(Leg(0, probe), Sample("x")), now)
    return world.feed(EvidenceReceived(0, evidence(probe + 1, 2, score=score, certified=certified)), now)


# -- the hedge rule ---------------------------------------------------------------------------------------------------


def test_the_bar_is_waste_against_what_may_be_saved() -> None:
    assert rule().bar(0.0) == pytest.approx(1 / 3)  # 1 / (1 + 2 * 1 s)
    assert rule().bar(1.0) == pytest.approx(1 / 2)  # half a second is left to be saved
    assert rule().bar(1.5) == 1.0


prices = st.floats(0, 10)
rules = st.builds(HedgeRule, waste=prices, second=prices, large_first=prices, decision=prices)


@given(rules, st.floats(0, 3), st.floats(0, 3))
def test_the_bar_only_rises(made: HedgeRule, a: float, b: float) -> None:
    assert 0 <= made.bar(min(a, b)) <= made.bar(max(a, b)) <= 1


def test_a_likely_escalation_is_hedged_at_the_start() -> None:
    world = World.begin(plan(hedge=rule(prior=0.4)))
    assert world.running >= {CHEAP, LARGE}
    assert world.cascade.phase is Phase.HEDGED


def test_an_unlikely_one_is_hedged_with_the_first_evidence_that_makes_it_likely() -> None:
    world = World.begin(plan(hedge=rule(prior=0.1)))
    assert LARGE not in world.running
    world.feed(DeltaReceived(CHEAP, HELLO), 0.2)
    assert heard(world, 0.45, 0.3)[0] == StartAnswer(LARGE)


def test_a_hedge_is_early_or_not_at_all() -> None:
    world = World.begin(plan(hedge=rule(prior=0.1), tiers=(ProbeSchedule(count=3), None)))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.2)
    assert StartAnswer(LARGE) not in heard(world, 0.1, 0.3)
    assert StartAnswer(LARGE) not in heard(world, 0.5, 0.4, probe=1)


def test_a_hedge_that_loses_is_cancelled_with_the_verdict() -> None:
    world = World.begin(plan(hedge=rule(prior=0.4), hedge_after=0.1))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.05)
    assert world.cascade.next_deadline() == 2.5, "the timer has nothing left to start"
    assert CancelLeg(LARGE, "certain_to_agree") in heard(world, 0.0, 0.2, certified=True)


@pytest.mark.parametrize(
    ("settings", "message"), [({"waste": -1.0}, "waste must not be negative"), ({"prior": 2.0}, "prior must be")]
)
def test_hedge_rules_that_make_no_sense_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        rule(**settings)


# -- probes only where they are needed --------------------------------------------------------------------------------


def sure(logprob: float | None, text: str = "Hello.") -> Delta:
    return Delta(text, logprobs=() if logprob is None else (TokenLogprob(text, logprob),))


def test_a_confident_first_token_saves_every_probe() -> None:
    world = World.begin(plan(tiers=(ProbeSchedule(count=2, skip_confident=0.9), None)))
    assert world.running == {CHEAP}
    actions = world.feed(DeltaReceived(CHEAP, sure(math.log(0.95))), 0.0)
    assert actions[0] == Commit(0, Verdict(Decision.ACCEPT, "confident_first_token"))
    assert world.started == {CHEAP}


@pytest.mark.parametrize("logprob", [math.log(0.85), None], ids=["not confident", "no log-probabilities"])
def test_otherwise_the_probes_start_with_the_first_token(logprob: float | None) -> None:
    world = World.begin(plan(tiers=(ProbeSchedule(count=2, skip_confident=0.9), None)))
    assert world.feed(DeltaReceived(CHEAP, sure(logprob)), 0.0) == (StartProbes((Leg(0, 0), Leg(0, 1))),)


def test_the_first_token_is_asked_about_once() -> None:
    world = World.begin(plan(tiers=(ProbeSchedule(count=2, wave=1, skip_confident=0.9), None)))
    world.feed(DeltaReceived(CHEAP, Delta("Hello.")), 0.0)
    world.feed(DeltaReceived(CHEAP, sure(0.0)), 0.0)
    assert StartProbes((Leg(0, 1),)) in heard(world, 0.5, 0.1)


@pytest.mark.parametrize("value", [0.0, 1.1])
def test_confidence_is_a_probability(value: float) -> None:
    with pytest.raises(ConfigError, match="skip_confident"):
        ProbeSchedule(skip_confident=value)


# -- insurance --------------------------------------------------------------------------------------------------------


def escalated(**settings: object) -> World:
    world = World.begin(plan(insurance=True, tiers=(ProbeSchedule(count=1), None), **settings))
    world.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    world.feed(ProbeFinished(Leg(0, 0), Sample("x")), 0.0)
    world.feed(EvidenceReceived(0, evidence(1, 1, score=1.0)), 0.0)
    return world


def test_an_insured_loser_runs_until_the_larger_one_speaks() -> None:
    world = escalated()
    assert world.running == {CHEAP, LARGE}
    assert world.feed(DeltaReceived(LARGE, BYE), 0.0)[0] == CancelLeg(CHEAP, "samples_disagree")


def test_the_insured_answer_goes_on_when_the_larger_one_fails_unheard() -> None:
    world = escalated(release=Release.RETRACT)
    assert world.feed(DeltaReceived(CHEAP, BYE), 0.0) == ()
    verdict = Verdict(Decision.ACCEPT, "escalation_failed")
    assert world.feed(LegFailed(LARGE, BROKEN), 0.0) == (Commit(0, verdict), Emit(0, HELLO), Emit(0, BYE))
    assert world.feed(AnswerFinished(CHEAP), 0.0) == (Finish(0, "stop"),)


def test_an_insured_answer_that_fails_changes_nothing_for_the_larger_one() -> None:
    world = escalated()
    assert world.feed(LegFailed(CHEAP, BROKEN), 0.0) == ()
    assert world.running == {LARGE}


def test_an_empty_larger_answer_ends_the_insured_one() -> None:
    kinds = [type(action) for action in escalated().feed(AnswerFinished(LARGE), 0.0)]
    assert kinds == [Commit, CancelLeg, Finish]


def test_an_insured_answer_may_end_while_the_larger_one_is_awaited() -> None:
    world = escalated()
    assert world.feed(AnswerFinished(CHEAP), 0.0) == ()
    assert [type(action) for action in world.feed(LegFailed(LARGE, BROKEN), 0.0)] == [Commit, Emit, Finish]


def test_a_hedge_that_has_spoken_needs_no_insurance() -> None:
    world = World.begin(plan(insurance=True, hedge_after=0.1))
    world.feed(TimerFired(), 0.1)
    world.feed(DeltaReceived(LARGE, BYE), 0.2)
    world.feed(DeltaReceived(CHEAP, HELLO), 0.2)
    assert CancelLeg(CHEAP, "certain_to_disagree") in heard(world, 1.0, 0.3, certified=True)


# -- what a policy is told --------------------------------------------------------------------------------------------


class Listening(Policy):
    """Never decides; remembers the last snapshot."""

    last: Snapshot | None = None

    def __call__(self, snapshot: Snapshot) -> Verdict:
        self.last = snapshot
        return UNDECIDED


def test_a_policy_is_told_what_is_out_for_how_long_and_what_runs_beside_it() -> None:
    policy = Listening()
    world = World.begin(plan(policy=policy, release=Release.RETRACT, hedge_after=0.5, dice=0.25))
    assert policy.last is not None
    assert (policy.last.shown, policy.last.shown_characters, policy.last.hedged) == (None, 0, None)
    world.feed(DeltaReceived(CHEAP, sure(-1.0)), 0.25)
    world.feed(TimerFired(), 0.5)
    world.feed(DeltaReceived(CHEAP, sure(-3.0, " Good day.")), 0.75)
    last = policy.last
    assert last.confidence == Confidence(TokenLogprob("Hello.", -1.0), -2.0, -3.0, 2)
    assert (last.shown, last.shown_characters, last.hedged, last.dice) == (0.5, 16, 0.25, 0.25)


def test_blank_tokens_are_not_the_first() -> None:
    policy = Listening()
    world = World.begin(plan(policy=policy))
    blank = Delta("", logprobs=(TokenLogprob(" ", -5.0),))
    world.feed(DeltaReceived(CHEAP, blank), 0.0)
    world.feed(DeltaReceived(CHEAP, sure(-1.0)), 0.0)
    assert policy.last is not None
    assert policy.last.confidence == Confidence(TokenLogprob("Hello.", -1.0), -3.0, -5.0, 2)

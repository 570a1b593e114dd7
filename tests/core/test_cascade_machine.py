"""The same promises for larger cascades, odd plans and any order of events, searched by Hypothesis."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from streamroute.core.events import (
    AnswerFinished,
    DeltaReceived,
    Event,
    EvidenceReceived,
    LegFailed,
    ProbeFinished,
    ReaderLeft,
    ScorerFailed,
    TimerFired,
)
from streamroute.core.gain import Gain
from streamroute.core.hedge import HedgeRule
from streamroute.core.plan import AutoRelease, Plan, ProbeSchedule
from streamroute.core.policy import Always, Policy, Threshold
from streamroute.core.types import UNDECIDED, Decision, Delta, Leg, Release, Sample, TokenLogprob, Verdict
from tests.core.world import BROKEN, World, evidence

verdicts = st.sampled_from([Decision.ACCEPT, Decision.ESCALATE])
schedules = st.builds(
    ProbeSchedule,
    count=st.integers(1, 4),
    wave=st.none() | st.integers(1, 3),
    after=st.sampled_from(["start", "first_token"]),
    skip_confident=st.none() | st.just(0.9),
)
prices = st.floats(0, 2)
gains = st.builds(Gain, second=st.floats(0, 0.1), annoyance=prices, reading=prices, append_after=st.just(0.01))
hedges = st.builds(HedgeRule, waste=prices, second=prices, large_first=prices, decision=prices, prior=st.floats(0, 1))
autos = st.builds(
    AutoRelease,
    annoyance=st.floats(0, 3),
    prior=st.floats(0, 1),
    on_escalation=st.sampled_from([Release.RETRACT, Release.APPEND, Release.CONTINUE]),
)
thresholds = gains | st.builds(Threshold, st.floats(0, 1))
leaves: st.SearchStrategy[Policy] = thresholds | st.builds(
    Always, st.sampled_from([UNDECIDED, Verdict(Decision.ACCEPT, "x"), Verdict(Decision.ESCALATE, "x")])
)
policies = st.recursive(
    leaves, lambda inner: st.builds(lambda a, b: a & b, inner, inner) | st.builds(lambda a, b: a | b, inner, inner)
)
plans = st.builds(
    Plan,
    tiers=st.lists(st.none() | schedules, min_size=1, max_size=4).map(tuple),
    policy=policies,
    release=st.sampled_from(Release),
    auto=autos,
    prefill=st.frozensets(st.integers(0, 3)),
    hedge=st.none() | hedges,
    insurance=st.booleans(),
    on_break=st.sampled_from(["fail", "continue"]),
    judge=st.booleans(),
    decision_deadline=st.none() | st.floats(0, 3),
    on_timeout=verdicts,
    on_uncertain=verdicts,
    hedge_after=st.none() | st.floats(0, 3),
)


class Routes(RuleBasedStateMachine):
    """A world in which anything that can happen does."""

    world: World
    now: float = 0.0

    @initialize(plan=plans)
    def begin(self, plan: Plan) -> None:
        self.world = World.begin(plan)
        self.world.may_append = True

    def live(self) -> bool:
        return hasattr(self, "world") and not self.world.cascade.over

    def _pick(self, data: st.DataObject, *, probe: bool) -> Leg | None:
        legs = sorted(leg for leg in self.world.running if (leg.probe is not None) is probe)
        return data.draw(st.sampled_from(legs)) if legs else None

    @precondition(live)
    @rule(data=st.data(), text=st.sampled_from(["", "word", " end.", "\n"]), sure=st.none() | st.booleans())
    def says(self, data: st.DataObject, text: str, sure: bool | None) -> None:
        """Each tier in words of its own, with log-probabilities or without."""
        if (leg := self._pick(data, probe=False)) is not None:
            logprobs = () if sure is None else (TokenLogprob(text, -0.01 if sure else -1.0),)
            said = f"{leg.tier}{text}" if text.strip() else text
            self.world.feed(DeltaReceived(leg, Delta(said, logprobs=logprobs)), self.now)

    @precondition(live)
    @rule(data=st.data())
    def ends(self, data: st.DataObject) -> None:
        if (leg := self._pick(data, probe=False)) is not None:
            self.world.feed(AnswerFinished(leg), self.now)

    @precondition(live)
    @rule(data=st.data())
    def samples(self, data: st.DataObject) -> None:
        if (leg := self._pick(data, probe=True)) is not None:
            self.world.feed(ProbeFinished(leg, Sample("s")), self.now)

    @precondition(live)
    @rule(data=st.data(), probe=st.booleans())
    def breaks(self, data: st.DataObject, probe: bool) -> None:
        if (leg := self._pick(data, probe=probe)) is not None:
            self.world.feed(LegFailed(leg, BROKEN), self.now)

    @precondition(live)
    @rule(score=st.floats(0, 1), judged=st.booleans(), certified=st.booleans())
    def judges(self, score: float, judged: bool, certified: bool) -> None:
        if (asked := self.world.scoring) is not None:
            found = evidence(len(asked.samples), asked.expected, score=score, judged=judged, certified=certified)
            self.world.feed(EvidenceReceived(asked.tier, found), self.now)

    @precondition(live)
    @rule()
    def judge_breaks(self) -> None:
        if (asked := self.world.scoring) is not None:
            self.world.feed(ScorerFailed(asked.tier, BROKEN), self.now)

    @precondition(live)
    @rule(wait=st.floats(0, 1))
    def waits(self, wait: float) -> None:
        deadline = self.world.cascade.next_deadline()
        self.now += wait
        if deadline is not None and deadline <= self.now:
            self.world.feed(TimerFired(), self.now)

    @precondition(live)
    @rule(leg=st.builds(Leg, st.integers(0, 3), st.none() | st.integers(0, 3)))
    def speaks_too_late(self, leg: Leg) -> None:
        """A leg that does not run may still have an event under way: it must change nothing."""
        if leg in self.world.running:
            return
        before = self.world.key()
        for event in (DeltaReceived(leg, Delta("late")), AnswerFinished(leg), LegFailed(leg, BROKEN)):
            assert self.world.cascade.receive(event, now=self.now) == ()
        assert self.world.cascade.receive(ProbeFinished(leg, Sample("late")), now=self.now) == ()
        assert self.world.key() == before

    @precondition(live)
    @rule(chance=st.integers(0, 9))
    def reader_leaves(self, chance: int) -> None:
        if chance == 0:
            self.world.feed(ReaderLeft(), self.now)

    @precondition(lambda self: not self.live())
    @rule(event=st.sampled_from([TimerFired(), ReaderLeft(), AnswerFinished(Leg(0)), LegFailed(Leg(0, 0), BROKEN)]))
    def nothing_happens_after_the_end(self, event: Event) -> None:
        assert self.world.cascade.receive(event, now=self.now) == ()
        assert self.world.cascade.next_deadline() is None


TestRoutes = Routes.TestCase
TestRoutes.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)

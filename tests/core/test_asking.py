"""When the policy is asked: a policy by evidence only where its verdict may have changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from streamroute.core.cascade import Cascade
from streamroute.core.events import (
    AnswerFinished,
    DeltaReceived,
    Event,
    EvidenceReceived,
    LegFailed,
    ProbeFinished,
    RouteStarted,
    ScorerFailed,
    TimerFired,
)
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Policy, Snapshot, Threshold
from streamroute.core.types import UNDECIDED, Delta, Leg, Sample, Verdict
from tests.core.world import evidence

ERROR = ValueError("broken")
TIERS = (ProbeSchedule(count=2, wave=1), None)
EVENTS: list[Event] = [
    DeltaReceived(Leg(0), Delta("word")),
    DeltaReceived(Leg(0), Delta("end.")),
    AnswerFinished(Leg(0)),
    *(ProbeFinished(Leg(0, probe), Sample("word")) for probe in range(2)),
    *(LegFailed(Leg(0, probe), ERROR) for probe in range(2)),
    *(
        EvidenceReceived(0, evidence(samples, 2, score=0.8, judged=judged, certified=certified))
        for samples in (1, 2)
        for judged in (True, False)
        for certified in (True, False)
    ),
    ScorerFailed(0, ERROR),
    TimerFired(),
]


@dataclass(frozen=True, slots=True)
class AlwaysAsked(Policy):
    """A threshold that is asked whenever anything happened."""

    limit: float = 0.5

    def __call__(self, snapshot: Snapshot) -> Verdict:
        return Threshold(self.limit)(snapshot)


@dataclass(slots=True)
class Counting(Policy):
    by_evidence: ClassVar[bool] = True
    asked: list[Snapshot] = field(default_factory=list)

    def __call__(self, snapshot: Snapshot) -> Verdict:
        self.asked.append(snapshot)
        return UNDECIDED


@settings(max_examples=500)
@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_a_policy_by_evidence_decides_as_if_it_were_always_asked(events: list[Event]) -> None:
    seldom, always = (Cascade(Plan(tiers=TIERS, policy=policy)) for policy in (Threshold(), AlwaysAsked()))
    for number, event in enumerate([RouteStarted(), *events]):
        assert seldom.receive(event, now=number / 10) == always.receive(event, now=number / 10)
        assert (seldom.phase, seldom.verdict) == (always.phase, always.verdict)


def test_a_policy_by_evidence_is_asked_at_evidence_failures_and_the_end() -> None:
    policy = Counting()
    cascade = Cascade(Plan(tiers=(ProbeSchedule(count=3), None), policy=policy))

    def asked(event: Event) -> int:
        before = len(policy.asked)
        cascade.receive(event, now=0.0)
        return len(policy.asked) - before

    assert asked(RouteStarted()) == 1
    assert asked(DeltaReceived(Leg(0), Delta("Oslo."))) == 0
    assert asked(ProbeFinished(Leg(0, 0), Sample("Oslo"))) == 0
    assert asked(EvidenceReceived(0, evidence(1, 3, score=0.5, certified=False))) == 1
    assert asked(LegFailed(Leg(0, 1), ERROR)) == 1
    assert asked(AnswerFinished(Leg(0))) == 1
    assert [each.pending for each in policy.asked] == [3, 2, 1, 1]

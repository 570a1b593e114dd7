"""A pace follows its tracker until the alarm is raised."""

from __future__ import annotations

from streamroute.calibration.drift import DriftAlarm, Reference
from streamroute.calibration.pacing import Fixed, Pace
from streamroute.calibration.tracker import Jittered, RateTracker
from streamroute.core.policy import Threshold
from streamroute.core.types import Evidence

CERTAIN = Evidence(samples=1, expected=1, score=0.1, low=0.1, high=0.1)
UNCERTAIN = Evidence(samples=1, expected=1, score=0.9, low=0.9, high=0.9)


def test_a_tracker_is_told_what_became_of_each_request() -> None:
    pace = Pace(RateTracker(0.5, start=0.5))
    pace.settle(UNCERTAIN, escalated=True, cost=1.0)
    assert pace.policy() == Jittered(0.51)


def test_an_alarm_falls_back_to_the_conservative_policy() -> None:
    reference = Reference(edges=(0.5,), shares=(0.9, 0.1), n=1000, rate=0.1)
    watched = Pace(Fixed(Threshold(0.5)), alarm=DriftAlarm(reference, 0.5), fallback=Threshold(0.05))
    for _ in range(10):
        watched.settle(CERTAIN, escalated=False, cost=1.0)
    assert watched.policy() == Threshold(0.5)
    for _ in range(30):
        watched.settle(UNCERTAIN, escalated=True, cost=1.0)
    assert watched.policy() == Threshold(0.05)


def test_an_alarm_without_a_fallback_only_tells() -> None:
    reference = Reference(edges=(0.5,), shares=(0.9, 0.1), n=1000, rate=0.1)
    pace = Pace(Fixed(Threshold(0.5)), alarm=DriftAlarm(reference, 0.5))
    for _ in range(30):
        pace.settle(UNCERTAIN, escalated=True, cost=1.0)
    assert pace.alarm is not None
    assert pace.alarm.raised
    assert pace.policy() == Threshold(0.5)

"""The state of one route's decisions: what the next request is decided by, after those before it."""

from __future__ import annotations

from typing import Protocol

from streamroute.calibration.drift import DriftAlarm
from streamroute.core.policy import Policy
from streamroute.core.types import Evidence

__all__ = ("Fixed", "Pace", "Tracker")


class Tracker(Protocol):
    def policy(self) -> Policy: ...

    def update(self, *, escalated: bool, cost: float) -> None: ...


class Fixed:
    """A policy that learns nothing."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def policy(self) -> Policy:
        return self._policy

    def update(self, *, escalated: bool, cost: float) -> None:
        pass


class Pace:
    """A tracker under a drift alarm: once that is raised, requests are decided by `fallback`. A router's `Pacer`."""

    def __init__(self, tracker: Tracker, *, alarm: DriftAlarm | None = None, fallback: Policy | None = None) -> None:
        self._tracker = tracker
        self._fallback = fallback
        self.alarm = alarm

    def policy(self) -> Policy:
        if self._fallback is not None and self.alarm is not None and self.alarm.raised:
            return self._fallback
        return self._tracker.policy()

    def settle(self, evidence: Evidence, *, escalated: bool, cost: float) -> None:
        if self.alarm is not None:
            self.alarm.observe(evidence.score, evidence.low, evidence.high)
        self._tracker.update(escalated=escalated, cost=cost)

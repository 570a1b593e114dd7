"""The live trace: what is being found out about an answer, told to its reader while it is.

A client that sends `streamroute: {"trace": true}` and asks for a judged stream gets four more kinds of notes, each with
`at`, the seconds since the route started:

- `started`: the judging of a tier begins. `tier`, all `tiers`, the `release` mode, how many `probes` are expected, and
  the `threshold` that the score must not exceed (null where the route's policy is none).
- `probe`: one has ended, as `state` says: `finished` with its `number` (from 0, in the order of their ends) and `text`,
  or `failed` with its `error`. `done` of `expected` have finished.
- `evidence`: what the judge makes of `samples` of the `expected` probes: the `score` and the least and most (`low`,
  `high`) that it can still become, the `entropy` in nats, how large the `clusters` of one meaning are, in which of them
  each probe is (`assignment`, by its number) and the answer (`answer_cluster`, null while it cannot be judged).
- `verdict`: `decision` and `reason` about `tier`, and the tier that it is left for (`to`, null if it is kept).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamroute.core.actions import Action
from streamroute.core.events import Event, EvidenceReceived, LegFailed, ProbeFinished, ReaderLeft, RouteStarted
from streamroute.core.types import Decision, Evidence
from streamroute.gateway.telling import evidence_fields
from streamroute.routing.router import RoutedStream

__all__ = ("LiveTrace",)


class LiveTrace:
    """Notes for one route. `observe` is its observer; `stream`, to be set before the route runs, is where they go."""

    def __init__(self, tiers: Sequence[str]) -> None:
        self.stream: RoutedStream | None = None
        self._tiers = tuple(tiers)
        self._judged: int | None = None
        self._decided: float | None = None
        self._done = self._expected = 0

    def observe(self, now: float, event: Event, actions: tuple[Action, ...]) -> None:
        """Whatever comes of a tier after the verdict on it was under way when it fell, and is not told."""
        match event:
            case RouteStarted():
                self._begin(now, self._stream.plan.start_tier)
            case ProbeFinished(leg, sample) if leg.tier == self._judged:
                self._done += 1
                self._probe(now, state="finished", number=self._done - 1, text=sample.text)
            case LegFailed(leg, error) if leg.tier == self._judged and leg.probe is not None:
                self._expected -= 1
                self._probe(now, state="failed", error=str(error))
            case EvidenceReceived(tier, evidence) if tier == self._judged:
                self._note(now, "evidence", **_evidence(evidence))
            case ReaderLeft():
                return
            case _:
                pass
        if self._stream.route.timings.decided != self._decided:
            self._verdict(now)

    @property
    def _stream(self) -> RoutedStream:
        assert self.stream is not None
        return self.stream

    def _begin(self, now: float, tier: int) -> None:
        plan = self._stream.plan
        schedule = plan.schedule(tier)
        self._judged = None if schedule is None else tier
        if schedule is not None:
            self._done, self._expected = 0, schedule.count
            fields = {"tiers": self._tiers, "probes": schedule.count, "threshold": plan.policy.score_limit}
            self._note(now, "started", tier=self._tiers[tier], release=str(plan.release), **fields)

    def _probe(self, now: float, **fields: Any) -> None:
        self._note(now, "probe", **fields, done=self._done, expected=self._expected)

    def _verdict(self, now: float) -> None:
        route, judged = self._stream.route, self._judged
        verdict = route.verdict
        assert verdict is not None
        assert judged is not None
        self._decided, self._judged = route.timings.decided, None
        escalated = verdict.decision is Decision.ESCALATE and verdict.to is not None
        to = verdict.to if escalated else None
        name = None if to is None else self._tiers[to]
        fields = {"decision": str(verdict.decision), "reason": verdict.reason, "to": name}
        self._note(now, "verdict", tier=self._tiers[judged], **fields)
        if to is not None:
            self._begin(now, to)

    def _note(self, now: float, event: str, **fields: Any) -> None:
        self._stream.note({"event": event, "at": round(now, 6), **fields})


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        **(evidence_fields(evidence) or {}),
        "low": evidence.low,
        "high": evidence.high,
        "assignment": evidence.assignment,
        "answer_cluster": evidence.answer_cluster,
    }

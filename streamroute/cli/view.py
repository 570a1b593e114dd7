"""What a person sees of one route: a fold over the core's events and actions, and nothing else."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace

from streamroute.core.actions import (
    Action,
    Append,
    CancelLeg,
    Commit,
    Continue,
    Emit,
    Fail,
    Finish,
    Retract,
    Score,
    StartAnswer,
    StartProbes,
)
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
from streamroute.core.types import Decision, Evidence, Leg, Release, Verdict

__all__ = ("AnswerState", "AnswerView", "Cluster", "ProbeState", "ProbeView", "RouteView")


class ProbeState(enum.StrEnum):
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class AnswerState(enum.StrEnum):
    """What the reader may make of a tier's text."""

    HELD = "held"
    SHOWN = "shown"
    KEPT = "kept"
    RETRACTED = "retracted"
    SUPERSEDED = "superseded"
    DROPPED = "dropped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AnswerView:
    """One tier's answer. Times are seconds since the route started."""

    tier: int
    name: str
    started: float
    text: str = ""
    state: AnswerState = AnswerState.HELD
    first_token: float | None = None
    first_shown: float | None = None
    finished: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProbeView:
    leg: Leg
    state: ProbeState = ProbeState.RUNNING
    text: str = ""
    cluster: int | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Answers that mean the same. `size` counts the shown answer when `has_answer`."""

    index: int
    size: int
    texts: tuple[str, ...]
    has_answer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteView:
    """The state of one route at time `at` (seconds since it started).

    `limit` is the score above which the policy escalates, None where it is not a threshold. `evidence` is the latest,
    about tier `judged`; its assignment follows that tier's legs in `finish_order`.
    """

    question: str
    tier_names: tuple[str, ...]
    release: Release = Release.HOLD
    limit: float | None = None
    at: float = 0.0
    answers: tuple[AnswerView, ...] = ()
    probes: tuple[ProbeView, ...] = ()
    finish_order: tuple[Leg, ...] = ()
    judged: int | None = None
    evidence: Evidence | None = None
    scoring: bool = False
    verdict: Verdict | None = None
    decided: float | None = None
    committed: int | None = None
    finished: float | None = None
    failure: str | None = None

    def after(self, at: float, event: Event, actions: Iterable[Action]) -> RouteView:
        """The state after one step of the core. Its signature is the router's `Observer`, made pure."""
        view: RouteView = replace(self, at=at)._heard(event)
        for action in actions:
            view = view._did(action)
            if _decides(action, event):
                view = view._decided()
        return view

    @property
    def first_shown(self) -> float | None:
        times = [answer.first_shown for answer in self.answers if answer.first_shown is not None]
        return min(times, default=None)

    @property
    def first_kept(self) -> float | None:
        return next((answer.first_shown for answer in self.answers if answer.tier == self.committed), None)

    @property
    def escalated(self) -> bool:
        return self.verdict is not None and self.verdict.decision is Decision.ESCALATE

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """Largest first; equal sizes in order of appearance."""
        evidence = self.evidence
        if evidence is None:
            return ()
        found = [
            Cluster(
                index,
                size,
                tuple(probe.text for probe in self.probes if probe.cluster == index and probe.leg.tier == self.judged),
                evidence.answer_cluster == index,
            )
            for index, size in enumerate(evidence.sizes)
        ]
        return tuple(sorted(found, key=lambda cluster: -cluster.size))

    def name(self, tier: int) -> str:
        return self.tier_names[tier] if 0 <= tier < len(self.tier_names) else f"tier {tier}"

    def _heard(self, event: Event) -> RouteView:
        match event:
            case DeltaReceived(leg, delta):
                answer = self._answer(leg.tier)
                first = self.at if answer.first_token is None and delta.has_content else answer.first_token
                return self._with(replace(answer, text=answer.text + delta.text, first_token=first))
            case AnswerFinished(leg):
                return self._with(replace(self._answer(leg.tier), finished=True))
            case ProbeFinished(leg, sample):
                view = replace(self, finish_order=(*self.finish_order, leg))
                return view._probe(leg, state=ProbeState.DONE, text=sample.text.strip())
            case LegFailed(leg, error) if leg.probe is not None:
                return self._probe(leg, state=ProbeState.FAILED, text=str(error))
            case LegFailed(leg, error):
                return self._with(replace(self._answer(leg.tier), state=AnswerState.FAILED, note=str(error)))
            case EvidenceReceived(tier, evidence):
                return self._judged(tier, evidence)
            case ScorerFailed():
                return replace(self, scoring=False)
            case _:
                return self

    def _did(self, action: Action) -> RouteView:
        match action:
            case StartAnswer(leg):
                return replace(self, answers=(*self.answers, AnswerView(leg.tier, self.name(leg.tier), self.at)))
            case StartProbes(legs):
                return replace(self, probes=(*self.probes, *(ProbeView(leg) for leg in legs)))
            case CancelLeg(leg) if leg.probe is not None:
                return self._probe(leg, state=ProbeState.CANCELLED)
            case CancelLeg(leg, reason):
                return self._dropped(leg.tier, reason)
            case Score():
                return replace(self, scoring=True)
            case Emit(tier, delta):
                return self._shown(tier) if delta.has_content else self
            case Retract(tier, reason):
                return self._marked(tier, AnswerState.RETRACTED, reason)
            case Append(tier, _, reason):
                return self._marked(tier, AnswerState.SUPERSEDED, reason)
            case Continue(tier, _, _, reason):
                return self._marked(tier, AnswerState.KEPT, reason)
            case Commit(tier, verdict):
                return replace(self, committed=tier, verdict=verdict)._marked(tier, AnswerState.KEPT, "")
            case Finish():
                return replace(self, finished=self.at)
            case Fail(causes):
                listed = "; ".join(f"{leg}: {error}" for leg, error in causes)
                return replace(self, finished=self.at, failure=listed)

    def _judged(self, tier: int, evidence: Evidence) -> RouteView:
        order = [leg for leg in self.finish_order if leg.tier == tier]
        clusters = dict(zip(order, evidence.assignment, strict=False))
        probes = tuple(
            replace(probe, cluster=clusters.get(probe.leg)) if probe.leg.tier == tier else probe
            for probe in self.probes
        )
        return replace(self, judged=tier, evidence=evidence, scoring=False, probes=probes)

    def _decided(self) -> RouteView:
        return self if self.decided is not None else replace(self, decided=self.at)

    def _answer(self, tier: int) -> AnswerView:
        started = (answer for answer in self.answers if answer.tier == tier)
        return next(started, AnswerView(tier, self.name(tier), self.at))

    def _with(self, answer: AnswerView) -> RouteView:
        others = tuple(answer if known.tier == answer.tier else known for known in self.answers)
        return replace(self, answers=others)

    def _marked(self, tier: int, state: AnswerState, note: str) -> RouteView:
        return self._with(replace(self._answer(tier), state=state, note=note))

    def _shown(self, tier: int) -> RouteView:
        answer = self._answer(tier)
        state = AnswerState.KEPT if self.committed == tier else AnswerState.SHOWN
        first = self.at if answer.first_shown is None else answer.first_shown
        return self._with(replace(answer, state=state, first_shown=first))

    def _dropped(self, tier: int, reason: str) -> RouteView:
        """A cancelled answer: what the reader had seen of it keeps the mark that `Retract` or `Append` gave it."""
        answer = self._answer(tier)
        gone = AnswerState.DROPPED if answer.state is AnswerState.HELD else answer.state
        return self._with(replace(answer, state=gone, note=reason))

    def _probe(self, leg: Leg, *, state: ProbeState, text: str | None = None) -> RouteView:
        """A probe that has ended stays as it ended."""
        probes = tuple(
            replace(probe, state=state, text=probe.text if text is None else text)
            if probe.leg == leg and probe.state is ProbeState.RUNNING
            else probe
            for probe in self.probes
        )
        return replace(self, probes=probes)


def _decides(action: Action, event: Event) -> bool:
    """Whether this action shows that the verdict has fallen. `Commit` may come later, with the first kept content; a
    larger tier that a timer starts is only a hedge."""
    match action:
        case StartAnswer(leg):
            return leg.tier > 0 and not isinstance(event, TimerFired | RouteStarted)
        case CancelLeg() | Retract() | Append() | Continue() | Commit():
            return True
        case _:
            return False

"""What happened: the inputs of a `Cascade`, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass

from streamroute.core.types import Delta, Evidence, Leg, Sample


@dataclass(frozen=True, slots=True)
class RouteStarted:
    """A reader asked. Always the first event."""


@dataclass(frozen=True, slots=True)
class DeltaReceived:
    """A tier's answer grew. `leg` is never a probe: probes are heard when they are finished."""

    leg: Leg
    delta: Delta


@dataclass(frozen=True, slots=True)
class AnswerFinished:
    leg: Leg
    finish_reason: str = "stop"


@dataclass(frozen=True, slots=True)
class ProbeFinished:
    leg: Leg
    sample: Sample


@dataclass(frozen=True, slots=True)
class LegFailed:
    """An answer or a probe failed; a fact like any other."""

    leg: Leg
    error: Exception


@dataclass(frozen=True, slots=True)
class EvidenceReceived:
    """The answer to the latest `Score` action for this tier."""

    tier: int
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ScorerFailed:
    """The judge could not answer the latest `Score` action for this tier."""

    tier: int
    error: Exception


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time that `next_deadline` asked for has come."""


@dataclass(frozen=True, slots=True)
class ReaderLeft:
    """Nobody is listening any more."""


Event = (
    RouteStarted
    | DeltaReceived
    | AnswerFinished
    | ProbeFinished
    | LegFailed
    | EvidenceReceived
    | ScorerFailed
    | TimerFired
    | ReaderLeft
)

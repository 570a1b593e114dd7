"""What happened: the inputs of a `Cascade`, in the past tense."""

from __future__ import annotations

from streamroute.core.types import Delta, Evidence, Leg, Sample
from streamroute.core.values import value


@value
class RouteStarted:
    """A reader asked. Always the first event."""


@value
class DeltaReceived:
    """A tier's answer grew. `leg` is never a probe: probes are heard when they are finished."""

    leg: Leg
    delta: Delta


@value
class AnswerFinished:
    leg: Leg
    finish_reason: str = "stop"


@value
class ProbeFinished:
    leg: Leg
    sample: Sample


@value
class LegFailed:
    """An answer or a probe failed; a fact like any other."""

    leg: Leg
    error: Exception


@value
class EvidenceReceived:
    """The answer to the latest `Score` action for this tier."""

    tier: int
    evidence: Evidence


@value
class ScorerFailed:
    """The judge could not answer the latest `Score` action for this tier."""

    tier: int
    error: Exception


@value
class TimerFired:
    """The time that `next_deadline` asked for has come."""


@value
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

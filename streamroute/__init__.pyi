"""The public names, and where each comes from: `__init__.py` loads them from here, when each is first used."""

from .calibration.recalibrate import Isotonic, Platt, Recalibrated
from .calibration.thresholds import Calibrated
from .core.gain import Gain
from .core.hedge import HedgeRule
from .core.plan import AutoRelease
from .core.policy import Always, Policy, Snapshot, Threshold
from .core.selection import Candidate, CascadeRouting, LinearLink, LogisticLink
from .core.trace import Trace, replay
from .core.types import Decision, Delta, Evidence, Release, Sample, Verdict
from .errors import RouteError, StreamrouteError, UpstreamError
from .nli.judge import bundled_judge
from .routing.prerouter import PreRouter, Step
from .routing.router import RoutedStream, Router
from .routing.stream import Appended, Committed, Continued, Reply, Retracted, Route, TextDelta
from .routing.tiers import Price, ProbePlan, Tier
from .uncertainty.judge import SemanticEntropy
from .uncertainty.stopping import ESC, AdaptiveConsistency, Costs, Sprt, StoppingTable
from .upstreams.breaker import Breaker
from .upstreams.local import LocalUpstream
from .upstreams.openai import OpenAIUpstream
from .upstreams.recorded import RecordedUpstream
from .upstreams.resilient import Resilient
from .upstreams.retry import RetryPolicy
from .upstreams.sdk import SDKUpstream

__all__ = (
    "ESC",
    "AdaptiveConsistency",
    "Always",
    "Appended",
    "AutoRelease",
    "Breaker",
    "Calibrated",
    "Candidate",
    "CascadeRouting",
    "Committed",
    "Continued",
    "Costs",
    "Decision",
    "Delta",
    "Evidence",
    "Gain",
    "HedgeRule",
    "Isotonic",
    "LinearLink",
    "LocalUpstream",
    "LogisticLink",
    "OpenAIUpstream",
    "Platt",
    "Policy",
    "PreRouter",
    "Price",
    "ProbePlan",
    "Recalibrated",
    "RecordedUpstream",
    "Release",
    "Reply",
    "Resilient",
    "Retracted",
    "RetryPolicy",
    "Route",
    "RouteError",
    "RoutedStream",
    "Router",
    "SDKUpstream",
    "Sample",
    "SemanticEntropy",
    "Snapshot",
    "Sprt",
    "Step",
    "StoppingTable",
    "StreamrouteError",
    "TextDelta",
    "Threshold",
    "Tier",
    "Trace",
    "UpstreamError",
    "Verdict",
    "bundled_judge",
    "replay",
)

"""streamroute: stream a cheap model at once, judge it while it streams, switch to a larger one when it is unsure."""

from streamroute.calibration.recalibrate import Isotonic, Platt, Recalibrated
from streamroute.calibration.thresholds import Calibrated
from streamroute.core.gain import Gain
from streamroute.core.hedge import HedgeRule
from streamroute.core.plan import AutoRelease
from streamroute.core.policy import Always, Policy, Snapshot, Threshold
from streamroute.core.selection import Candidate, CascadeRouting, LinearLink, LogisticLink
from streamroute.core.trace import Trace, replay
from streamroute.core.types import Decision, Delta, Evidence, Release, Sample, Verdict
from streamroute.errors import RouteError, StreamrouteError, UpstreamError
from streamroute.nli.judge import bundled_judge
from streamroute.routing.prerouter import PreRouter, Step
from streamroute.routing.router import RoutedStream, Router
from streamroute.routing.stream import Appended, Committed, Continued, Reply, Retracted, Route, TextDelta
from streamroute.routing.tiers import Price, ProbePlan, Tier
from streamroute.uncertainty.judge import SemanticEntropy
from streamroute.uncertainty.stopping import ESC, AdaptiveConsistency, Costs, Sprt, StoppingTable
from streamroute.upstreams.breaker import Breaker
from streamroute.upstreams.local import LocalUpstream
from streamroute.upstreams.openai import OpenAIUpstream
from streamroute.upstreams.recorded import RecordedUpstream
from streamroute.upstreams.resilient import Resilient
from streamroute.upstreams.retry import RetryPolicy
from streamroute.upstreams.sdk import SDKUpstream

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

"""streamroute: stream a cheap model at once, judge it while it streams, switch to a larger one when it is unsure."""

from streamroute.core.policy import Always, Policy, Snapshot, Threshold
from streamroute.core.trace import Trace, replay
from streamroute.core.types import Decision, Delta, Evidence, Release, Sample, Verdict
from streamroute.errors import RouteError, StreamrouteError, UpstreamError
from streamroute.nli.judge import bundled_judge
from streamroute.routing.router import RoutedStream, Router
from streamroute.routing.stream import Appended, Committed, Reply, Retracted, Route, TextDelta
from streamroute.routing.tiers import Price, ProbePlan, Tier
from streamroute.uncertainty.judge import SemanticEntropy
from streamroute.upstreams.local import LocalUpstream
from streamroute.upstreams.openai import OpenAIUpstream
from streamroute.upstreams.recorded import RecordedUpstream
from streamroute.upstreams.sdk import SDKUpstream

__all__ = (
    "Always",
    "Appended",
    "Committed",
    "Decision",
    "Delta",
    "Evidence",
    "LocalUpstream",
    "OpenAIUpstream",
    "Policy",
    "Price",
    "ProbePlan",
    "RecordedUpstream",
    "Release",
    "Reply",
    "Retracted",
    "Route",
    "RouteError",
    "RoutedStream",
    "Router",
    "SDKUpstream",
    "Sample",
    "SemanticEntropy",
    "Snapshot",
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

"""OpenTelemetry traces of requests, made after the fact: nothing is paid while an answer streams.

One SERVER span for a request and one CLIENT span for each of its legs, in the words of the GenAI semantic conventions
(gen-ai-spans, status Development) and our own `streamroute.*`. Never a prompt, an answer or an upstream's message.
Needs the extra `otel`; imported only where it is configured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from streamroute.config.settings import OpenAISettings, OtelSettings, Settings, UpstreamSettings
from streamroute.core.types import Leg
from streamroute.gateway.ledger.entries import Opened, Outcome
from streamroute.gateway.log import Logger
from streamroute.gateway.observe.conventions import (
    Place,
    address_attributes,
    known,
    leg_attributes,
    operation_of,
    request_attributes,
)
from streamroute.gateway.observe.tracecontext import TraceContext
from streamroute.routing.stream import LegState, Route

__all__ = ("OtelTracing", "otel_tracing", "to_collector")

_EXPORT_SECONDS: Final = 5.0
"""How long one export may take. It happens in a thread of its own; at the end it is also how long we wait."""


_SOMEWHERE: Final = Place("openai")


def otel_tracing(settings: Settings, otel: OtelSettings, processor: SpanProcessor, log: Logger) -> OtelTracing:
    """The tracing of a server with these settings, into `processor`."""
    server = Place("streamroute", settings.server.host, settings.server.port)
    places = {upstream.name: _place(upstream) for upstream in settings.upstreams}
    return OtelTracing(otel, processor, own=server, places=places, log=log)


def _place(upstream: UpstreamSettings) -> Place:
    if not isinstance(upstream, OpenAISettings):
        return Place("streamroute")
    url = urlsplit(upstream.base_url)
    return Place("openai", url.hostname, url.port or (443 if url.scheme == "https" else 80))


def to_collector(settings: OtelSettings) -> SpanProcessor:
    """Sends spans in batches, from a thread of its own. What cannot be sent is logged there, and dropped."""
    exporter = OTLPSpanExporter(f"{settings.endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
    return BatchSpanProcessor(exporter)


class OtelTracing:
    """A `Tracing` whose spans go to `processor`. `own` is where this server is, `places` where the upstreams are. For
    one event loop."""

    def __init__(
        self,
        settings: OtelSettings,
        processor: SpanProcessor,
        *,
        own: Place,
        places: Mapping[str, Place],
        log: Logger,
    ) -> None:
        self.log = log
        self.own = own
        self.places = places
        self._ids = _Ids()
        self._sampler = ParentBased(TraceIdRatioBased(settings.sample))
        self._provider = TracerProvider(
            sampler=self._sampler,
            resource=Resource.create({"service.name": settings.service_name}),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("streamroute")

    def begin(self, headers: Mapping[str, str]) -> _Traced:
        context = TraceContext.of(headers)
        parent = _remote(context)
        trace_id = self._ids.random.generate_trace_id() if context is None else int(context.trace_id, 16)
        # Decided now and not by the span that is made at the end: the upstreams are told before.
        decision = self._sampler.should_sample(parent, trace_id, "").decision
        return _Traced(self, parent, trace_id, context, sampled=decision is Decision.RECORD_AND_SAMPLE)

    def new_span_id(self) -> int:
        return self._ids.random.generate_span_id()

    def span(self, name: str, parent: Context, kind: SpanKind, start: int, *, trace_id: int, span_id: int) -> Span:
        """A span with these ids, that began at `start` (nanoseconds since the epoch)."""
        self._ids.trace_id, self._ids.span_id = trace_id, span_id
        return self._tracer.start_span(name, context=parent, kind=kind, start_time=start)

    def close(self) -> None:
        """Sends what waits. Blocks, for a few seconds at most."""
        self._provider.force_flush(int(_EXPORT_SECONDS * 1000))
        self._provider.shutdown()


class _Ids(IdGenerator):
    """Gives a span the ids that its upstreams were told before it was made."""

    def __init__(self) -> None:
        self.random = RandomIdGenerator()
        self.trace_id = 0
        self.span_id = 0

    def generate_span_id(self) -> int:
        return self.span_id

    def generate_trace_id(self) -> int:
        return self.trace_id


class _Traced:
    """One request."""

    __slots__ = ("_context", "_legs", "_over", "_parent", "_sampled", "_span_id", "_trace_id", "_tracing")

    def __init__(
        self, tracing: OtelTracing, parent: Context, trace_id: int, context: TraceContext | None, *, sampled: bool
    ) -> None:
        self._tracing = tracing
        self._parent = parent
        self._trace_id = trace_id
        self._context = context
        self._sampled = sampled
        self._span_id = tracing.new_span_id()
        self._legs: dict[Leg, int] = {}
        self._over = False

    @property
    def id(self) -> str:
        return f"{self._trace_id:032x}"

    def headers(self, leg: Leg | None = None) -> dict[str, str]:
        span_id = self._span_id if leg is None else self._leg_id(leg)
        state = "" if self._context is None else self._context.state
        return TraceContext(self.id, f"{span_id:016x}", f"{int(self._sampled):02x}", state).headers()

    def ended(self, entry: Opened, outcome: Outcome) -> None:
        if self._over:
            return
        self._over = True
        if self._sampled:  # later: the client waits for the end of its reply
            asyncio.get_running_loop().call_soon(self._tell, entry, outcome)

    def _tell(self, entry: Opened, outcome: Outcome) -> None:
        try:
            self._spans(entry, outcome)
        except Exception:  # a trace is no reason to fail a reply
            self._tracing.log.exception("tracing", id=entry.id)

    def _leg_id(self, leg: Leg) -> int:
        if leg not in self._legs:
            self._legs[leg] = self._tracing.new_span_id()
        return self._legs[leg]

    def _spans(self, entry: Opened, outcome: Outcome) -> None:
        def at(seconds: float) -> int:
            return int((entry.started + seconds) * 1e9)

        tracing, operation = self._tracing, operation_of(entry)
        span = self._span(f"{operation} {entry.asked}", self._parent, SpanKind.SERVER, at(0), self._span_id)
        span.set_attributes(known({**request_attributes(entry, outcome, operation), **address_attributes(tracing.own)}))
        _events(span, outcome.route, at)
        if outcome.status >= 500:
            span.set_status(StatusCode.ERROR)
        inside = set_span_in_context(span)
        for record in outcome.route.legs:
            name, span_id = f"{operation} {record.model}", self._leg_id(record.leg)
            leg = self._span(name, inside, SpanKind.CLIENT, at(record.started), span_id)
            place = tracing.places.get(record.tier_name, _SOMEWHERE)
            leg.set_attributes(known({**leg_attributes(record, operation), **address_attributes(place)}))
            if record.state is LegState.FAILED:
                leg.set_status(StatusCode.ERROR)
            leg.end(at(outcome.seconds if record.ended is None else record.ended))
        span.end(at(outcome.seconds))

    def _span(self, name: str, parent: Context, kind: SpanKind, start: int, span_id: int) -> Span:
        return self._tracing.span(name, parent, kind, start, trace_id=self._trace_id, span_id=span_id)


def _remote(context: TraceContext | None) -> Context:
    """The client's span as a parent."""
    if context is None:
        return Context()
    state = TraceState.from_header([context.state]) if context.state else TraceState()
    flags = TraceFlags(int(context.sampled))
    parent = SpanContext(int(context.trace_id, 16), int(context.span_id, 16), True, flags, state)
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _events(span: Span, route: Route, at: Any) -> None:
    timings, verdict, evidence = route.timings, route.verdict, route.evidence
    if timings.decided is not None and verdict is not None:
        told: dict[str, str | float] = {"streamroute.decision": str(verdict.decision)}
        if evidence is not None:
            told |= {"streamroute.score": evidence.score, "streamroute.samples": evidence.samples}
        span.add_event("streamroute.verdict", told, at(timings.decided))
    if timings.retracted is not None:
        kind = "retraction" if route.retracted else "append"
        span.add_event(f"streamroute.{kind}", timestamp=at(timings.retracted))
    if timings.committed is not None:
        span.add_event("streamroute.commit", known({"streamroute.tier": route.tier_name}), at(timings.committed))

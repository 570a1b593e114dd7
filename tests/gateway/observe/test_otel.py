"""Traces by OpenTelemetry, as an exporter receives them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import aiohttp
import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from streamroute.config.settings import LocalSettings, OpenAISettings, OtelSettings, ServerSettings, Settings
from streamroute.errors import UpstreamStatusError
from streamroute.gateway.keys import IN_FLIGHT
from streamroute.gateway.observe.otel import OtelTracing, otel_tracing
from streamroute.gateway.observe.tracing import traced
from streamroute.testing import Script
from tests.gateway.process.test_server import ASK, serving_model
from tests.gateway.served import QUESTION, RIGHT, WRONG, RecordingLog, Served, disagreeing, larger, serving, virtually
from tests.support.upstream_server import Reply

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ASKED = {"model": "auto", "messages": QUESTION}
SETTINGS = Settings(
    upstreams=(
        OpenAISettings(name="cheap", base_url="https://models.example/v1", model="small-1"),
        LocalSettings(name="large", model="tiny"),
    )
)


def tracing(
    processor: SpanProcessor | SpanExporter, *, sample: float = 1.0, log: RecordingLog | None = None
) -> OtelTracing:
    otel = OtelSettings(endpoint="http://collector", service_name="gateway", sample=sample)
    own = SimpleSpanProcessor(processor) if isinstance(processor, SpanExporter) else processor
    return otel_tracing(SETTINGS, otel, own, log or RecordingLog())


def split(exporter: InMemorySpanExporter) -> tuple[ReadableSpan, Sequence[ReadableSpan]]:
    """The one request, and its legs in the order in which they started."""
    spans = exporter.get_finished_spans()
    (server,) = [span for span in spans if span.kind is SpanKind.SERVER]
    return server, sorted((span for span in spans if span is not server), key=lambda span: span.start_time or 0)


def seconds(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def escalating() -> tuple[Any, Any]:
    return disagreeing(), larger(Script([(0.5, RIGHT)]))


def test_a_request_is_one_span_with_one_for_each_leg() -> None:
    async def main() -> None:
        exporter = InMemorySpanExporter()
        async with serving(*escalating(), tracing=tracing(exporter)) as served:
            reply = await served.post(
                {**ASKED, "stream": True, "streamroute": {"release": "retract"}}, x_request_id="mine"
            )
            server, legs = split(exporter)
            assert server.name == "chat auto"
            assert server.resource.attributes["service.name"] == "gateway"
            assert server.parent is None
            assert server.status.status_code is StatusCode.UNSET
            found = attributes(server)
            assert found.pop("streamroute.cost") == 0
            assert found.pop("gen_ai.response.id") == reply.events[0]["id"]
            assert 0 <= found.pop("gen_ai.response.time_to_first_chunk") < 0.5
            assert found == {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "streamroute",
                "gen_ai.request.model": "auto",
                "gen_ai.request.stream": True,
                "gen_ai.response.model": "large-1",
                "gen_ai.response.finish_reasons": ("stop",),
                "gen_ai.usage.input_tokens": found["gen_ai.usage.input_tokens"],
                "gen_ai.usage.output_tokens": found["gen_ai.usage.output_tokens"],
                "http.request.method": "POST",
                "http.response.status_code": 200,
                "url.path": "/v1/chat/completions",
                "server.address": "127.0.0.1",
                "server.port": 8080,
                "streamroute.request_id": "mine",
                "streamroute.route": "auto",
                "streamroute.tier": "large",
                "streamroute.decision": "escalate",
                "streamroute.reason": "samples_disagree",
                "streamroute.retracted": True,
                "streamroute.score": 1.0,
                "streamroute.entropy": 0.0,
            }
            assert [leg.name for leg in legs] == ["chat small-1"] * 4 + ["chat large-1"]
            assert all(leg.kind is SpanKind.CLIENT for leg in legs)
            assert all(leg.parent is not None and leg.parent.span_id == server.context.span_id for leg in legs)
            assert {leg.context.trace_id for leg in legs} == {server.context.trace_id}
            large = attributes(legs[-1])
            assert (large["gen_ai.provider.name"], large["streamroute.leg"]) == ("streamroute", "answer")
            assert "server.address" not in large
            assert large["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.5)
            assert seconds(legs[-1]) == pytest.approx(0.5, abs=1e-6)
            probe = attributes(legs[1])
            assert (probe["server.address"], probe["server.port"]) == ("models.example", 443)
            assert (probe["gen_ai.provider.name"], probe["streamroute.leg"]) == ("openai", "probe")

    virtually(main)


def test_verdict_retraction_and_commit_are_events_at_their_times() -> None:
    async def main() -> None:
        exporter = InMemorySpanExporter()
        async with serving(*escalating(), tracing=tracing(exporter)) as served:
            await served.post({**ASKED, "stream": True, "streamroute": {"release": "retract"}})
            server, _ = split(exporter)
            assert server.start_time is not None
            times = {event.name: (event.timestamp - server.start_time) / 1e9 for event in server.events}
            assert times.keys() == {"streamroute.verdict", "streamroute.retraction", "streamroute.commit"}
            assert times["streamroute.verdict"] <= times["streamroute.retraction"] <= times["streamroute.commit"]
            told = dict(server.events[0].attributes or {})
            assert told == {"streamroute.decision": "escalate", "streamroute.score": 1.0, "streamroute.samples": 3}

    virtually(main)


def test_no_text_is_in_a_trace() -> None:
    async def main() -> None:
        exporter = InMemorySpanExporter()
        quoting = Script([], error=UpstreamStatusError(f"HTTP 400: bad: {RIGHT}", upstream="large", status=400))
        async with serving(disagreeing(), larger(quoting), tracing=tracing(exporter)) as served:
            await served.post({**ASKED, "model": "large"})
            await served.post({**ASKED, "stream": True, "streamroute": {"release": "retract"}})
            text = "".join(span.to_json() for span in exporter.get_finished_spans())
            assert text
            assert not any(secret in text for secret in ("Australia", "Canberra", RIGHT, WRONG))

    virtually(main)


def test_a_failure_is_an_error_by_its_code_and_of_its_leg() -> None:
    async def main() -> None:
        exporter = InMemorySpanExporter()
        refused = Script([], error=UpstreamStatusError("HTTP 500: no", upstream="large", status=500))
        async with serving(disagreeing(), larger(refused), tracing=tracing(exporter)) as served:
            await served.post({**ASKED, "model": "large"})
            server, (leg,) = split(exporter)
            assert server.status.status_code is leg.status.status_code is StatusCode.ERROR
            assert attributes(server)["error.type"] == "every_leg_failed"
            assert attributes(leg)["error.type"] == "500"
            assert attributes(leg)["streamroute.state"] == "failed"

    virtually(main)


def test_the_clients_span_is_the_parent_and_each_upstream_is_told_its_own() -> None:
    async def main() -> None:
        exporter = InMemorySpanExporter()
        async with serving(disagreeing(), tracing=tracing(exporter, sample=0.0)) as served:
            await served.post(ASKED, traceparent=f"00-{TRACE}-{SPAN}-01", tracestate="vendor=1")
            server, legs = split(exporter)
            assert server.parent is not None
            assert (f"{server.context.trace_id:032x}", f"{server.parent.span_id:016x}") == (TRACE, SPAN)
            told = [call.request.headers for call in served.cheap.calls + served.large.calls]
            assert sorted(head["traceparent"] for head in told) == sorted(
                f"00-{TRACE}-{leg.context.span_id:016x}-01" for leg in legs
            )
            assert {head["tracestate"] for head in told} == {"vendor=1"}
            assert served.log.lines[0]["trace_id"] == TRACE

    virtually(main)


@pytest.mark.parametrize(("parent", "sample"), [(f"00-{TRACE}-{SPAN}-00", 1.0), (None, 0.0)])
def test_what_is_not_sampled_leaves_no_span_and_tells_the_upstreams_so(parent: str | None, sample: float) -> None:
    async def main() -> None:
        exporter = InMemorySpanExporter()
        async with serving(tracing=tracing(exporter, sample=sample)) as served:
            await served.post(ASKED, **({} if parent is None else {"traceparent": parent}))
            assert exporter.get_finished_spans() == ()
            assert all(call.request.headers["traceparent"].endswith("-00") for call in served.cheap.calls)

    virtually(main)


def test_an_exporter_that_fails_harms_no_reply() -> None:
    class Broken(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            raise OSError("no such collector")

    class Buggy(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            raise RuntimeError("a bug")

    async def main() -> None:
        log = RecordingLog()
        for broken in (Broken(), Buggy()):
            async with serving(tracing=tracing(broken, log=log)) as served:
                assert (await served.post(ASKED, x_request_id="mine")).status == 200
        assert {"event": "tracing", "id": "mine"} in log.lines

    virtually(main)


def test_a_client_that_leaves_is_an_error_of_its_own() -> None:
    async def main() -> None:
        exporter = InMemorySpanExporter()
        async with serving(disagreeing(), larger(Script([(60.0, RIGHT)])), tracing=tracing(exporter)) as served:
            await _leave(served)
            server, _ = split(exporter)
            assert attributes(server)["error.type"] == "client_closed"
            assert server.status.status_code is StatusCode.UNSET

    virtually(main)


async def _leave(served: Served) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await served.post(ASKED)
    await served.app[IN_FLIGHT].empty()


async def test_a_collector_that_is_not_there_is_told_in_our_log_and_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamroute.gateway.observe.otel._EXPORT_SECONDS", 0.1)
    log = RecordingLog()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        otel = OtelSettings(endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        settings = Settings(server=ServerSettings(otel=otel))
        async with traced(settings, log) as found, serving(tracing=found) as served:
            assert (await served.post(ASKED)).status == 200
    assert log.lines
    assert {line["event"] for line in log.lines} == {"tracing"}
    theirs = logging.getLogger("opentelemetry")
    assert (theirs.handlers, theirs.propagate) == ([], True)


@contextmanager
def collecting() -> Iterator[tuple[OtelSettings, list[tuple[str, str | None, bytes]]]]:
    """A collector, and what it was sent: path, key, body."""
    received: list[tuple[str, str | None, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["x-key"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        listener = threading.Thread(target=collector.serve_forever, daemon=True)
        listener.start()
        yield OtelSettings(endpoint=f"http://127.0.0.1:{collector.server_port}/"), received
        collector.shutdown()
        listener.join()


async def test_what_waits_is_sent_when_the_server_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret")
    with collecting() as (otel, received):
        async with serving_model(Reply.of("It is Canberra."), otel=otel) as (url, model, _, _):
            async with aiohttp.ClientSession() as http, http.post(f"{url}/v1/chat/completions", json=ASK) as response:
                assert (await response.content.read()).endswith(b"data: [DONE]\n\n")
            (seen,) = model.seen
            os.kill(os.getpid(), signal.SIGTERM)
    ((path, key, body),) = received
    assert (path, key) == ("/v1/traces", "secret")
    assert b"chat small-1" in body
    trace_id, span_id = seen.headers["traceparent"].split("-")[1:3]
    assert bytes.fromhex(trace_id) in body
    assert bytes.fromhex(span_id) in body

"""A request's id and trace, from its client to every upstream and back."""

from __future__ import annotations

import re
import sys

import aiohttp
import pytest

from streamroute.config.settings import OtelSettings, ServerSettings, Settings
from streamroute.errors import ConfigError, UpstreamConnectError
from streamroute.gateway.observe.tracing import PassedOn, traced
from streamroute.testing import Script, ScriptedUpstream
from tests.gateway.served import QUESTION, RecordingLog, disagreeing, larger, serving, virtually
from tests.gateway.two_tiers import ModelServer, staged
from tests.support.upstream_server import Reply

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
ASKED = {"model": "auto", "messages": QUESTION}


def told(*upstreams: ScriptedUpstream) -> list[dict[str, str]]:
    return [dict(call.request.headers) for upstream in upstreams for call in upstream.calls]


def test_the_clients_id_and_trace_reach_every_leg() -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            reply = await served.post(ASKED, x_request_id="mine", traceparent=PARENT, tracestate="a=b")
            assert reply.headers["x-request-id"] == "mine"
            legs = told(served.cheap, served.large)
            assert len(legs) == 5
            assert all(leg == {"x-request-id": "mine", "traceparent": PARENT, "tracestate": "a=b"} for leg in legs)
            (line,) = served.log.lines
            assert (line["id"], line["trace_id"]) == ("mine", TRACE)

    virtually(main)


@pytest.mark.parametrize("unsafe", ["", "x" * 129, "with space", "semi;colon"])
def test_an_id_that_is_not_safe_is_replaced_by_ours(unsafe: str) -> None:
    async def main() -> None:
        async with serving() as served:
            reply = await served.post(ASKED, x_request_id=unsafe, traceparent="nonsense")
            own = reply.headers["x-request-id"]
            assert re.fullmatch(r"req_[0-9a-f]{32}", own)
            assert all(leg == {"x-request-id": own} for leg in told(served.cheap))
            assert "trace_id" not in served.log.lines[0]

    virtually(main)


async def test_they_are_headers_on_the_wire_and_the_clients_others_are_not() -> None:
    answer, probe = Reply.of("It is Sydney."), Reply.of("something else")
    async with staged(ModelServer(answer, probe), ModelServer(Reply.of("It is Canberra."))) as stage:
        headers = {"x-request-id": "mine", "traceparent": PARENT, "x-other": "1", "Authorization": "Bearer client"}
        url = f"{stage.url}/v1/chat/completions"
        async with aiohttp.ClientSession() as http, http.post(url, json=ASKED, headers=headers) as response:
            assert response.status == 200
        assert len(stage.seen) == 5
        for seen in stage.seen:
            assert (seen.headers["x-request-id"], seen.headers["traceparent"]) == ("mine", PARENT)
            assert "x-other" not in seen.headers
            assert "Authorization" not in seen.headers


def test_errors_before_and_in_the_stream_name_the_request() -> None:
    async def main() -> None:
        gone = UpstreamConnectError("gone", upstream="large")
        broken = Script([(0.1, "It is")], error=gone)
        async with serving(disagreeing(), larger(broken)) as served:
            unknown = await served.post({**ASKED, "model": "nope"}, x_request_id="first")
            assert unknown.json["streamroute"] == {"request_id": "first"}
            cut = await served.post({**ASKED, "model": "large", "stream": True}, x_request_id="second")
            assert cut.events[-1]["streamroute"]["request_id"] == "second"
            assert cut.events[-1]["streamroute"]["legs"] == [{"leg": "large", "error": "large: gone"}]
            assert [line["id"] for line in served.log.lines] == ["first", "second"]

    virtually(main)


def test_an_unauthorised_request_is_named_too() -> None:
    async def main() -> None:
        async with serving(api_key="secret") as served:
            reply = await served.post(ASKED, x_request_id="mine")
            assert (reply.status, reply.json["streamroute"]["request_id"]) == (401, "mine")

    virtually(main)


async def test_without_opentelemetry_nothing_of_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("opentelemetry", "streamroute.gateway.observe.otel"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    async with traced(Settings(), RecordingLog()) as tracing:
        assert isinstance(tracing, PassedOn)
    assert not any(name.startswith("opentelemetry") for name in sys.modules)


async def test_a_configuration_that_wants_traces_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "streamroute.gateway.observe.otel", None)
    settings = Settings(server=ServerSettings(otel=OtelSettings(endpoint="http://127.0.0.1:1")))
    with pytest.raises(ConfigError, match=r"pip install 'streamroute\[otel\]'"):
        async with traced(settings, RecordingLog()):
            pass

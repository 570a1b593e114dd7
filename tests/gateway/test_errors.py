"""Every bad request and every failure has OpenAI's error shape, names what is wrong, and starts nothing."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import aiohttp
import openai
import pytest
from aiohttp import web

from streamroute.core.types import Delta
from streamroute.errors import UpstreamError
from streamroute.gateway.errors import problem_of
from streamroute.testing import Script, ScriptedUpstream
from streamroute.wire.errors import WireError
from streamroute.wire.openai import ChunkEncoder
from tests.gateway.served import QUESTION, WRONG, agreeing, disagreeing, larger, serving, virtually


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": QUESTION, **fields}


@pytest.mark.parametrize(
    ("sent", "param", "named"),
    [
        (b'{"model": "auto", ', None, "not valid JSON"),
        (b"[1]", None, "JSON object"),
        (b"", None, "not valid JSON"),
        (b"\xff\xfe", None, "not valid JSON"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, None, ""),
        ({"model": "auto"}, "messages", "messages"),
        ({"messages": QUESTION}, "model", "model"),
        (body(messages=[]), "messages", "messages"),
        (body(messages="hi"), "messages", "messages"),
        (body(messages=[{"role": "user", "content": ""}]), "messages[0].content", "empty"),
        (body(messages=[{"role": "wizard", "content": "x"}]), "messages[0].role", "role"),
        (body(temperature="hot"), "temperature", "temperature"),
        (body(stream="yes"), "stream", "stream"),
        (body(n=0), "n", "n"),
        (body(streamroute={"relese": "hold"}), "streamroute.relese", "relese"),
        (body(streamroute={"release": "show"}), "streamroute.release", "release"),
        (body(streamroute={"tier": "huge"}), "streamroute.tier", "there is cheap, large"),
        (body(n=2), "n", "'large' gives one answer at a time"),
    ],
)
def test_a_bad_request_is_a_400_that_names_the_field_and_starts_nothing(
    sent: Any, param: str | None, named: str
) -> None:
    async def main() -> None:
        async with serving() as served:
            reply = await served.post(sent)
            assert reply.status == 400
            assert reply.error["type"] == "invalid_request_error"
            assert reply.error["param"] == param
            assert named in reply.error["message"]
            assert not served.cheap.calls
            assert not served.large.calls

    virtually(main)


def test_a_bad_release_header_is_named_with_what_is_possible() -> None:
    async def main() -> None:
        async with serving() as served:
            reply = await served.post(body(stream=True), x_streamroute_release="show")
            assert reply.status == 400
            assert reply.error["param"] == "x-streamroute-release"
            assert "hold, retract, append" in reply.error["message"]

    virtually(main)


def test_an_unknown_model_is_a_404_naming_the_known_ones() -> None:
    async def main() -> None:
        async with serving() as served:
            with pytest.raises(openai.NotFoundError) as caught:
                await served.client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "x"}])
            assert caught.value.code == "model_not_found"
            assert caught.value.param == "model"
            assert "auto, cheap, large" in caught.value.message
            reply = await served.post(body(model="aut"))
            assert "did you mean 'auto'" in reply.error["message"]

    virtually(main)


def test_a_body_over_the_limit_is_a_413() -> None:
    async def main() -> None:
        async with serving(max_body_bytes=1000) as served:
            reply = await served.post(body(messages=[{"role": "user", "content": "x" * 2000}]))
            assert reply.status == 413
            assert reply.error["code"] == "body_too_large"

    virtually(main)


def test_a_body_that_cannot_be_unpacked_is_a_400() -> None:
    async def main() -> None:
        async with serving() as served:
            reply = await served.post(b"no gzip", Content_Encoding="gzip")
            assert (reply.status, reply.error["code"]) == (400, "unreadable_body")

    virtually(main)


def test_unknown_paths_and_methods_have_the_error_shape() -> None:
    async def main() -> None:
        async with serving() as served:
            reply = await served.get("/v1/assistants")
            assert (reply.status, reply.error["code"]) == (404, "unknown_path")
            reply = await served.get("/v1/chat/completions")
            assert (reply.status, reply.error["code"]) == (405, "method_not_allowed")
            assert reply.headers["Allow"] == "POST"
            assert reply.error["message"] == "GET is not possible here, only POST"
            assert reply.headers["x-request-id"]

    virtually(main)


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "right"}, {"Authorization": "Bearer ké"}]
)
def test_without_the_key_nothing_is_served_but_the_health_page(headers: dict[str, str]) -> None:
    async def main() -> None:
        async with serving(api_key="right") as served:
            reply = await served.post(body(), **headers)
            assert reply.status == 401
            assert reply.error["type"] == "authentication_error"
            assert (await served.get("/v1/models", **headers)).status == 401
            assert (await served.get("/healthz", **headers)).status == 200
            assert not served.cheap.calls
            assert (await served.post(body(), Authorization="Bearer right")).status == 200

    virtually(main)


@pytest.mark.parametrize("stream", [True, False])
def test_a_route_that_fails_before_any_content_is_a_502_that_names_each_leg(stream: bool) -> None:
    async def main() -> None:
        cheap = ScriptedUpstream(Script.failing(name="cheap"), [Script.failing()], name="cheap")
        async with serving(cheap, larger(Script.failing(name="large"))) as served:
            reply = await served.post(body(stream=stream))
            assert reply.status == 502
            assert reply.error["type"] == "upstream_error"
            assert reply.error["code"] == "every_leg_failed"
            assert {"cheap", "large"} <= {leg["leg"] for leg in reply.json["streamroute"]["legs"]}
            assert "large: scripted failure" in reply.error["message"]
            assert served.running == 0
            with pytest.raises(openai.InternalServerError):
                await served.client.chat.completions.create(**body(stream=stream))

    virtually(main)


def test_a_route_that_fails_after_output_ends_with_an_error_frame_and_without_done() -> None:
    async def main() -> None:
        large = larger(Script([(0.1, "It is")], error=UpstreamError("broke off", upstream="large")))
        async with serving(disagreeing(), large) as served:
            reply = await served.post(body(stream=True))
            assert reply.status == 200
            *_, said, last = reply.events
            assert said["choices"][0]["delta"] == {"content": "It is"}
            assert said["choices"][0]["finish_reason"] is None
            assert last["error"]["code"] == "answer_broke_off"
            stream = await served.client.chat.completions.create(**body(stream=True))
            with pytest.raises(openai.APIError, match="broke off"):
                [chunk async for chunk in stream]
            assert served.log.lines[-1]["status"] == 502

    virtually(main)


def test_a_retracted_answer_whose_successor_fails_is_shown_again_and_committed() -> None:
    async def main() -> None:
        async with serving(disagreeing(), larger(Script.failing(name="large"))) as served:
            reply = await served.post(body(stream=True, streamroute={"release": "retract"}))
            *chunks, done = reply.events
            assert done == "[DONE]"
            notes = [chunk["streamroute"] for chunk in chunks if "streamroute" in chunk]
            assert [(note["event"], note["reason"]) for note in notes] == [
                ("retracted", "samples_disagree"),
                ("committed", "escalation_failed"),
            ]
            after = chunks[next(i for i, c in enumerate(chunks) if "streamroute" in c) :]
            assert "".join(c["choices"][0]["delta"].get("content", "") for c in after) == WRONG

    virtually(main)


def test_an_unexpected_error_says_nothing_of_itself_but_to_the_log() -> None:
    served_from: list[str] = []

    class Broken(ScriptedUpstream):
        @property
        def supports_n(self) -> bool:
            if served_from:
                raise RuntimeError("secret detail")
            return True

        @supports_n.setter
        def supports_n(self, value: bool) -> None:
            pass

    async def main() -> None:
        async with serving(agreeing(), Broken(name="large")) as served:
            served_from.append(served.url)
            reply = await served.post(body(n=2))
            assert reply.status == 500
            assert "secret detail" not in json.dumps(reply.json)
            assert [line["event"] for line in served.log.lines] == ["internal error", "request"]

    virtually(main)


def test_a_tool_call_that_is_none_is_the_upstreams_fault() -> None:
    problem = problem_of(WireError("not a tool-call array"))
    assert (problem.status, problem.type) == (502, "upstream_error")


def test_a_client_that_leaves_while_it_is_written_to_is_no_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    async def left(response: web.StreamResponse, data: bytes) -> None:
        assert response._req is not None
        assert response._req.transport is not None
        response._req.transport.abort()
        raise ConnectionResetError("Cannot write to closing transport")

    async def main() -> None:
        async with serving() as served:
            with monkeypatch.context() as patch:
                patch.setattr(web.StreamResponse, "write", left)
                with pytest.raises(aiohttp.ClientError):
                    await served.post(body(stream=True))
            (line,) = served.log.lines
            assert (line["event"], line["status"], line["error"]) == ("request", 499, "the client has left")
            assert served.running == 0

    virtually(main)


@pytest.mark.parametrize("judged", [True, False])
def test_a_defect_in_a_stream_that_has_begun_ends_it_with_an_error_frame(
    judged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never with a second reply in the middle of the first."""

    async def main() -> None:
        async with serving() as served:
            said = ChunkEncoder.delta
            told: list[Delta] = []

            def defective(encoder: ChunkEncoder, delta: Delta) -> bytes:
                told.append(delta)
                if len(told) > 1:
                    raise RuntimeError("secret detail")
                return said(encoder, delta)

            monkeypatch.setattr(ChunkEncoder, "delta", defective)
            asked = body(stream=True, streamroute={"release": "retract", "judge": judged})
            data = json.dumps(asked).encode()
            got, whole = b"", False
            async with served.http.post(f"{served.url}/v1/chat/completions", data=data) as response:
                assert response.status == 200
                with contextlib.suppress(aiohttp.ClientPayloadError):
                    async for block in response.content.iter_any():
                        got += block
                    whole = True
            assert not whole
            assert b"HTTP/1.1" not in got
            assert b"secret detail" not in got
            last = got.rstrip().split(b"\n\n")[-1]
            assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "internal_error"
            assert b"[DONE]" not in got
            assert served.running == 0

    virtually(main)

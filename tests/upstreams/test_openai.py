"""What the aiohttp upstream adds to the contract: odd answers, and errors in our words."""

from __future__ import annotations

import asyncio
import socket
from typing import NoReturn

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from streamroute.core.types import Delta, Usage
from streamroute.errors import (
    ConfigError,
    UpstreamConnectError,
    UpstreamInterruptedError,
    UpstreamProtocolError,
    UpstreamStatusError,
)
from streamroute.testing import run_virtual
from streamroute.upstreams.base import ChatRequest
from streamroute.upstreams.openai import OpenAIUpstream, Timeouts
from tests.support.upstream_server import HANG, Reply
from tests.upstreams.harness import REQUEST, collect
from tests.upstreams.served import failure, raw_server, read_request, serving

# -- the request ------------------------------------------------------------------------------------------------------


async def test_the_request_is_what_the_server_expects() -> None:
    async with serving(api_key="sk-1", headers={"X-Team": "blue"}) as (server, upstream):
        await collect(upstream, ChatRequest(messages=REQUEST.messages, params={"temperature": 0.5, "seed": 3}))
        (seen,) = server.seen
    assert seen.body == {
        "model": "small-1",
        "messages": list(REQUEST.messages),
        "temperature": 0.5,
        "seed": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert seen.headers["Authorization"] == "Bearer sk-1"
    assert seen.headers["X-Team"] == "blue"
    assert seen.headers["Accept-Encoding"] == "identity"


async def test_a_requests_own_headers_go_with_it_and_never_take_the_place_of_the_upstreams() -> None:
    async with serving(api_key="sk-1", headers={"X-Team": "blue"}) as (server, upstream):
        brought = {"x-request-id": "mine", "authorization": "Bearer other", "x-team": "red"}
        await collect(upstream, ChatRequest(messages=REQUEST.messages, headers=brought))
        await collect(upstream, REQUEST)
        first, second = (seen.headers for seen in server.seen)
    assert (first["x-request-id"], first["Authorization"], first["X-Team"]) == ("mine", "Bearer sk-1", "blue")
    assert "x-request-id" not in second


async def test_a_server_that_does_not_tell_usage_gets_no_stream_options() -> None:
    async with serving(include_usage=False) as (server, upstream):
        deltas = await collect(upstream)
        assert "stream_options" not in server.seen[0].body
    assert all(delta.usage is None for delta in deltas)


async def test_a_slash_at_the_end_of_the_address_does_not_matter() -> None:
    async with serving() as (server, _):
        upstream = OpenAIUpstream(name="cheap", base_url=f"{server.url}/", model="m")
        assert await collect(upstream)
        await upstream.aclose()


@pytest.mark.parametrize("address", ["localhost:8000/v1", "/v1", "ftp://host/v1", "", "http://"])
def test_what_is_no_address_is_refused_before_anything_starts(address: str) -> None:
    with pytest.raises(ConfigError, match="cheap: base_url must be an http or https address"):
        OpenAIUpstream(name="cheap", base_url=address, model="m")


async def test_a_request_that_json_cannot_say_fails_without_being_sent() -> None:
    async with serving() as (server, upstream):
        error = await failure(upstream, ChatRequest(messages=REQUEST.messages, params={"stop": object()}))
        assert "cheap: the request cannot be written as JSON" in str(error)
        assert server.seen == []


# -- answers that are not a stream, or not quite one ------------------------------------------------------------------

COMPLETION = (
    b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Canberra"}, "finish_reason": "stop"}],'
    b' "usage": {"prompt_tokens": 2, "completion_tokens": 1}}'
)


async def test_an_unstreamed_answer_is_an_answer() -> None:
    async with serving(Reply(body=COMPLETION, content_type="application/json")) as (_, upstream):
        assert await collect(upstream) == [Delta("Canberra", finish_reason="stop", usage=Usage(2, 1))]


async def test_an_answer_that_ends_without_done_is_whole() -> None:
    async with serving(Reply([(0, "Canberra")], end="finish")) as (_, upstream):
        assert [delta.text for delta in await collect(upstream)] == ["Canberra", "", ""]


async def test_an_answer_that_ends_without_a_finish_reason_is_not() -> None:
    async with serving(Reply([(0, "Canb")], end="eof")) as (_, upstream):
        error = await failure(upstream)
    assert isinstance(error, UpstreamInterruptedError)
    assert str(error) == "cheap: the stream ended before a finish_reason"


def test_what_comes_too_late_costs_the_usage_and_not_the_answer() -> None:
    finish = b'data: {"choices":[{"index":0,"delta":{"content":"Canberra"},"finish_reason":"stop"}]}\n\n'

    async def main() -> None:
        async with serving(Reply([(0, finish), (HANG, "")]), timeouts=Timeouts(tail=2)) as (server, upstream):
            loop = asyncio.get_running_loop()
            began = loop.time()
            assert await collect(upstream) == [Delta("Canberra", finish_reason="stop")]
            assert loop.time() - began == pytest.approx(2, abs=0.01)
            await server.until(lambda: server.running == 0)

    run_virtual(main, grace=0.002)


async def test_a_break_after_the_finish_reason_costs_the_usage_and_not_the_answer() -> None:
    finish = b'data: {"choices":[{"index":0,"delta":{"content":"Canberra"},"finish_reason":"stop"}]}\n\n'
    async with serving(Reply([(0, finish)], end="abort")) as (_, upstream):
        assert await collect(upstream) == [Delta("Canberra", finish_reason="stop")]


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_an_error_status_carries_the_servers_own_words(status: int) -> None:
    async with serving(Reply.error(status, "You exceeded\nyour quota")) as (server, upstream):
        error = await failure(upstream)
        assert isinstance(error, UpstreamStatusError)
        assert error.status == status
        assert str(error) == f"cheap: HTTP {status}: You exceeded your quota"
        await server.until(lambda: server.running == 0)


async def test_an_error_page_is_told_by_its_reason() -> None:
    page = Reply(status=502, body=b"<html><h1>nginx</h1></html>", content_type="text/html")
    async with serving(page) as (_, upstream):
        assert str(await failure(upstream)) == "cheap: HTTP 502: Bad Gateway"


async def test_an_endless_error_is_cut() -> None:
    async with serving(Reply(status=500, body=b"x" * 10_000_000, content_type="text/plain")) as (server, upstream):
        assert len(str(await failure(upstream))) < 600
        await server.until(lambda: server.running == 0)


async def test_a_redirect_is_not_followed_with_our_key() -> None:
    reply = Reply(status=307, headers={"Location": "https://elsewhere.example/v1"})
    async with serving(reply, api_key="sk-1") as (server, upstream):
        error = await failure(upstream)
        assert str(error) == "cheap: HTTP 307: redirects to https://elsewhere.example/v1"
        assert len(server.seen) == 1


async def test_secrets_that_a_server_repeats_are_not_passed_on() -> None:
    reply = Reply.error(401, "bad key sk-secret, bad token azure-secret, team blue")
    headers = {"api-key": "azure-secret", "X-Team": "blue"}
    async with serving(reply, api_key="sk-secret", headers=headers) as (_, upstream):
        assert str(await failure(upstream)) == "cheap: HTTP 401: bad key ***, bad token ***, team blue"


async def test_an_error_frame_ends_the_answer_with_what_it_says() -> None:
    frame = b'data: {"error": {"message": "out of memory for sk-secret", "code": 500}}\n\n'
    async with serving(Reply([(0, "Canb"), (0, frame), (HANG, "")]), api_key="sk-secret") as (server, upstream):
        async with upstream.stream(REQUEST) as deltas:
            assert await anext(deltas) == Delta("Canb")
            with pytest.raises(UpstreamStatusError, match=r"^cheap: out of memory for \*\*\*$") as caught:
                await anext(deltas)
        assert caught.value.status == 200
        await server.until(lambda: server.running == 0)


@pytest.mark.parametrize(
    "reply",
    [
        Reply([(0, b"data: {nonsense\n\n")]),
        Reply([(0, b"data: " + b"x" * 3000)], end="eof"),
        Reply([(0, b"data: {}\n\n" + b"data: " + b"x" * 3000)], end="eof"),
        Reply(body=b"<html>Welcome</html>", content_type="text/html"),
        Reply(body=b'{"choices": [', content_type="application/json"),
        Reply(body=b" " * 3000, content_type="application/json"),
    ],
)
async def test_what_is_no_chat_completion_is_a_protocol_error(reply: Reply) -> None:
    async with serving(reply, max_event=2000) as (server, upstream):
        assert isinstance(await failure(upstream), UpstreamProtocolError)
        await server.until(lambda: server.running == 0)


@pytest.mark.parametrize(("most", "fits"), [(len(Reply.of("It is Canberra.").steps) * 1000, True), (200, False)])
async def test_a_reply_is_cut_off_that_is_larger_than_is_taken(most: int, fits: bool) -> None:
    async with serving(Reply.of("It is Canberra."), max_reply=most) as (server, upstream):
        if fits:
            assert await collect(upstream)
        else:
            error = await failure(upstream)
            assert isinstance(error, UpstreamProtocolError)
            assert str(error) == "cheap: sent more than 200 bytes"
        await server.until(lambda: server.running == 0)


async def test_a_server_that_is_not_there_is_a_connect_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but it does not listen
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        upstream = OpenAIUpstream(name="cheap", base_url=address, model="m", api_key="sk-1")
        error = await failure(upstream)
        await upstream.aclose()
    assert isinstance(error, UpstreamConnectError)
    assert "127.0.0.1" in str(error)


class Nowhere(AbstractResolver):
    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> NoReturn:
        raise OSError(socket.EAI_NONAME, "Name or service not known")

    async def close(self) -> None:
        pass


async def test_a_name_that_does_not_exist_is_a_connect_error() -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Nowhere())) as session:
        upstream = OpenAIUpstream(name="cheap", base_url="http://nobody.invalid/v1", model="m", session=session)
        error = await failure(upstream)
    assert isinstance(error, UpstreamConnectError)
    assert "the host name cannot be resolved" in str(error)
    assert "nobody.invalid" in str(error)


async def test_tls_to_a_server_that_has_none_is_a_connect_error() -> None:
    async with serving() as (server, _):
        upstream = OpenAIUpstream(name="cheap", base_url=server.url.replace("http:", "https:"), model="m")
        error = await failure(upstream)
        await upstream.aclose()
    assert isinstance(error, UpstreamConnectError)


async def test_a_server_that_hangs_up_before_it_answers_has_interrupted() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with raw_server(peer) as address:
        upstream = OpenAIUpstream(name="cheap", base_url=address, model="m")
        error = await failure(upstream)
        await upstream.aclose()
    assert isinstance(error, UpstreamInterruptedError)
    assert str(error) == "cheap: closed the connection before it answered"


async def test_a_server_that_does_not_speak_http_is_a_protocol_error() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await writer.drain()

    async with raw_server(peer) as address:
        upstream = OpenAIUpstream(name="cheap", base_url=address, model="m")
        error = await failure(upstream)
        await upstream.aclose()
    assert isinstance(error, UpstreamProtocolError)


async def test_a_whole_answer_that_breaks_off_has_interrupted() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{")
        await writer.drain()

    async with raw_server(peer) as address:
        upstream = OpenAIUpstream(name="cheap", base_url=address, model="m")
        error = await failure(upstream)
        await upstream.aclose()
    assert isinstance(error, UpstreamInterruptedError)
    assert str(error) == "cheap: the connection broke off in the answer"


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"Retry-After": "7"}, 7.0), ({"retry-after-ms": "20"}, 0.02), ({}, None)]
)
async def test_when_to_come_back_is_part_of_the_error(headers: dict[str, str], seconds: float | None) -> None:
    body = b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}'
    refusing = Reply(status=429, body=body, content_type="application/json", headers=headers)
    async with serving(refusing) as (_, upstream):
        error = await failure(upstream)
        assert isinstance(error, UpstreamStatusError)
        assert (error.retry_after, error.code) == (seconds, "rate_limit_exceeded")

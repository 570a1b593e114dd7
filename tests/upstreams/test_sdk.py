"""What the SDK upstream adds to the contract: the user's client stays the user's, and its errors become ours."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest

from streamroute.core.types import Delta, Usage
from streamroute.errors import (
    UpstreamConnectError,
    UpstreamError,
    UpstreamInterruptedError,
    UpstreamProtocolError,
    UpstreamStatusError,
    UpstreamTimeoutError,
)
from streamroute.upstreams.base import ChatRequest
from streamroute.upstreams.sdk import SDKUpstream
from tests.support.upstream_server import HANG, Reply, UpstreamServer
from tests.upstreams.harness import REQUEST, collect


@asynccontextmanager
async def serving(
    reply: Reply | None = None, *, client: dict[str, Any] | None = None, **settings: Any
) -> AsyncGenerator[tuple[UpstreamServer, SDKUpstream]]:
    async with UpstreamServer() as server:
        if reply is not None:
            server.default = reply
        arguments = {"base_url": server.url, "api_key": "sk-secret", "max_retries": 0, **(client or {})}
        async with openai.AsyncOpenAI(**arguments) as theirs:
            yield server, SDKUpstream(theirs, model="small-1", name="cheap", **settings)


async def failure(upstream: SDKUpstream) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await collect(upstream)
    return caught.value


async def test_the_request_is_the_same_as_ours_with_the_clients_own_headers() -> None:
    params = {"temperature": 0.5, "top_k": 3}
    async with serving(client={"default_headers": {"X-Team": "blue"}}) as (server, upstream):
        await collect(upstream, ChatRequest(messages=REQUEST.messages, params=params))
        (seen,) = server.seen
    assert seen.body == {
        "model": "small-1",
        "messages": list(REQUEST.messages),
        "temperature": 0.5,
        "top_k": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert seen.headers["X-Team"] == "blue"
    assert seen.headers["Authorization"] == "Bearer sk-secret"


async def test_a_requests_own_headers_go_with_it_and_never_take_the_place_of_the_clients() -> None:
    async with serving(client={"default_headers": {"X-Team": "blue"}}) as (server, upstream):
        brought = {"x-request-id": "mine", "authorization": "Bearer other", "x-team": "red"}
        await collect(upstream, ChatRequest(messages=REQUEST.messages, headers=brought))
        (seen,) = server.seen
    assert seen.headers["x-request-id"] == "mine"
    assert (seen.headers["Authorization"], seen.headers["X-Team"]) == ("Bearer sk-secret", "blue")


async def test_the_name_is_the_models_unless_it_is_given() -> None:
    async with openai.AsyncOpenAI(api_key="k") as client:
        assert SDKUpstream(client, model="small-1").name == "small-1"


async def test_closing_the_upstream_leaves_the_client_open() -> None:
    async with serving() as (_, upstream):
        await upstream.aclose()
        assert await collect(upstream)


async def test_an_unstreamed_answer_is_an_answer() -> None:
    body = b'{"choices": [{"message": {"content": "Canberra"}}], "usage": {"prompt_tokens": 2, "completion_tokens": 1}}'
    async with serving(Reply(body=body, content_type="application/json")) as (_, upstream):
        assert await collect(upstream) == [Delta("Canberra", finish_reason="stop", usage=Usage(2, 1))]


async def test_a_stream_read_to_its_end_gives_its_connection_to_the_next() -> None:
    async with serving() as (server, upstream):
        for _ in range(3):
            await collect(upstream)
        assert len({seen.connection for seen in server.seen}) == 1


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_an_error_status_carries_the_servers_own_words_without_the_key(status: int) -> None:
    async with serving(Reply.error(status, "bad key\nsk-secret")) as (_, upstream):
        error = await failure(upstream)
    assert isinstance(error, UpstreamStatusError)
    assert error.status == status
    assert str(error) == f"cheap: HTTP {status}: bad key ***"


async def test_an_error_page_is_bounded() -> None:
    async with serving(Reply(status=500, body=b"x" * 100_000, content_type="text/plain")) as (_, upstream):
        assert len(str(await failure(upstream))) < 600


async def test_an_error_frame_is_told_without_the_key() -> None:
    frame = b'data: {"error": {"message": "out of memory for sk-secret"}}\n\n'
    async with serving(Reply([(0, frame)])) as (_, upstream):
        error = await failure(upstream)
    assert isinstance(error, UpstreamStatusError)
    assert str(error) == "cheap: out of memory for ***"


async def test_rubbish_is_a_protocol_error() -> None:
    async with serving(Reply([(0, b"data: {nonsense\n\n")])) as (_, upstream):
        assert isinstance(await failure(upstream), UpstreamProtocolError)


async def test_a_broken_stream_has_interrupted() -> None:
    async with serving(Reply([(0, "Canb")], end="abort")) as (_, upstream):
        assert isinstance(await failure(upstream), UpstreamInterruptedError)


async def test_a_server_that_is_not_there_is_a_connect_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but it does not listen
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        async with serving(client={"base_url": address}) as (_, upstream):
            assert isinstance(await failure(upstream), UpstreamConnectError)


@pytest.mark.parametrize(
    ("reply", "phase"),
    [
        (Reply(before_headers=HANG), "waiting for the first token"),
        (Reply([(0, "a"), (HANG, "")]), "waiting for the next token"),
    ],
)
async def test_the_clients_own_timeout_is_a_timeout_of_the_phase(reply: Reply, phase: str) -> None:
    async with serving(reply, client={"timeout": 0.05}) as (server, upstream):
        error = await failure(upstream)
        assert isinstance(error, UpstreamTimeoutError)
        assert str(error) == f"cheap: timed out {phase}"
        await server.until(lambda: server.running == 0)


async def test_what_comes_after_done_is_not_waited_for() -> None:
    done = b'data: {"choices":[{"delta":{"content":"yes"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    async with serving(Reply([(0, done), (HANG, "")])) as (server, upstream):
        async with asyncio.timeout(5):
            assert await collect(upstream) == [Delta("yes", finish_reason="stop")]
        await server.until(lambda: server.running == 0)


async def test_a_client_that_is_broken_itself_is_an_upstream_error() -> None:
    async with serving() as (server, upstream):
        with pytest.raises(UpstreamError) as caught:
            await collect(upstream, ChatRequest(messages=REQUEST.messages, params={"stop": object()}))
        assert str(caught.value).startswith("cheap: TypeError")
        assert server.seen == []


def test_the_sdk_is_not_loaded_before_it_is_used() -> None:
    code = "import streamroute.upstreams.sdk, sys; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_what_follows_done_is_read_over() -> None:
    done = b'data: {"choices":[{"delta":{"content":"yes"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    async with serving(Reply([(0, done), (0, b": bye\n\n"), (0, b": bye\n\n")], end="eof")) as (server, upstream):
        for _ in range(2):
            assert await collect(upstream) == [Delta("yes", finish_reason="stop")]
        assert len({seen.connection for seen in server.seen}) == 1

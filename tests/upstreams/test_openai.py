"""What the aiohttp upstream adds to the contract: deadlines, errors in our words, connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from streamroute.core.types import Delta, Usage
from streamroute.errors import (
    ConfigError,
    UpstreamConnectError,
    UpstreamError,
    UpstreamInterruptedError,
    UpstreamProtocolError,
    UpstreamStatusError,
    UpstreamTimeoutError,
)
from streamroute.testing import run_virtual
from streamroute.upstreams.base import ChatRequest
from streamroute.upstreams.openai import OpenAIUpstream, Timeouts
from tests.support.upstream_server import HANG, Reply, UpstreamServer
from tests.upstreams.harness import REQUEST, collect


@asynccontextmanager
async def serving(reply: Reply | None = None, **settings: Any) -> AsyncGenerator[tuple[UpstreamServer, OpenAIUpstream]]:
    async with UpstreamServer() as server:
        if reply is not None:
            server.default = reply
        upstream = OpenAIUpstream(**{"name": "cheap", "base_url": server.url, "model": "small-1", **settings})
        try:
            yield server, upstream
        finally:
            await upstream.aclose()


async def failure(upstream: OpenAIUpstream, request: ChatRequest = REQUEST) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await collect(upstream, request)
    return caught.value


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


async def test_a_server_that_is_not_there_is_a_connect_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but it does not listen
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        upstream = OpenAIUpstream(name="cheap", base_url=address, model="m", api_key="sk-1")
        error = await failure(upstream)
        await upstream.aclose()
    assert isinstance(error, UpstreamConnectError)
    assert "127.0.0.1" in str(error)


async def test_a_name_that_does_not_exist_is_a_connect_error() -> None:
    upstream = OpenAIUpstream(name="cheap", base_url="http://nobody.invalid/v1", model="m")
    error = await failure(upstream)
    await upstream.aclose()
    assert isinstance(error, UpstreamConnectError)
    assert "nobody.invalid" in str(error)


async def test_tls_to_a_server_that_has_none_is_a_connect_error() -> None:
    async with serving() as (server, _):
        upstream = OpenAIUpstream(name="cheap", base_url=server.url.replace("http:", "https:"), model="m")
        error = await failure(upstream)
        await upstream.aclose()
    assert isinstance(error, UpstreamConnectError)


Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(peer: Peer) -> AsyncGenerator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await peer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    await reader.readexactly(length)


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


# -- deadlines, in virtual time ---------------------------------------------------------------------------------------


def times_out(reply: Reply, timeouts: Timeouts) -> tuple[float, str]:
    """When, in seconds after the request, and with what message. The server must see the close at that moment."""

    async def main() -> tuple[float, str]:
        async with serving(reply, timeouts=timeouts) as (server, upstream):
            loop = asyncio.get_running_loop()
            began = loop.time()
            error = await failure(upstream)
            assert isinstance(error, UpstreamTimeoutError)
            failed = loop.time()
            await server.until(lambda: server.running == 0)
            closed = server.seen[0].closed_by_client
            assert closed is not None
            assert closed - failed <= 0.05
            return failed - began, str(error)

    return run_virtual(main, grace=0.002)


PING = b": ping\n\n"
EMPTY = b'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":null}]}\n\n'


@pytest.mark.parametrize(
    ("reply", "timeouts", "seconds", "phase"),
    [
        (Reply(before_headers=HANG), Timeouts(first=3), 3, "waiting for the first token"),
        (Reply([(HANG, "")]), Timeouts(first=3), 3, "waiting for the first token"),
        (Reply([(2, "a"), (HANG, "")]), Timeouts(first=3, between=4), 6, "waiting for the next token"),
        (Reply([(2, "a"), (3, "b"), (HANG, "")]), Timeouts(first=3, between=4), 9, "waiting for the next token"),
        (Reply([(1, "a")] * 20), Timeouts(first=3, total=5.5), 5.5, "in total"),
        (Reply(before_headers=HANG), Timeouts(first=9, total=2), 2, "waiting for the first token"),
        (Reply(status=500, before_headers=1), Timeouts(first=0.5), 0.5, "waiting for the first token"),
    ],
)
def test_each_phase_has_its_deadline(reply: Reply, timeouts: Timeouts, seconds: float, phase: str) -> None:
    took, message = times_out(reply, timeouts)
    assert took == pytest.approx(seconds, abs=0.01)
    assert message == f"cheap: timed out {phase}"


@pytest.mark.parametrize("nothing", [PING, EMPTY])
def test_what_says_nothing_does_not_keep_a_deadline_off(nothing: bytes) -> None:
    took, _ = times_out(Reply([(1, nothing)] * 20), Timeouts(first=5.5))
    assert took == pytest.approx(5.5, abs=0.01)
    took, _ = times_out(Reply([(1, "a"), *[(1, nothing)] * 20]), Timeouts(between=5.5))
    assert took == pytest.approx(6.5, abs=0.01)


def test_a_slow_reader_is_not_the_models_fault() -> None:
    async def main() -> None:
        async with serving(Reply([(0, "a"), (0, "b")]), timeouts=Timeouts(between=1)) as (_, upstream):
            said = []
            async with upstream.stream(REQUEST) as deltas:
                async for delta in deltas:
                    said.append(delta.text)
                    await asyncio.sleep(5)
            assert said == ["a", "b", "", ""]

    run_virtual(main, grace=0.002)


def test_a_connection_that_is_not_accepted_has_a_deadline_of_its_own() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            # A full backlog: the kernel leaves further connections unanswered.
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for other in (first, second):
                other.setblocking(False)
                other.connect_ex(listener.getsockname())
            address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            upstream = OpenAIUpstream(name="cheap", base_url=address, model="m", timeouts=Timeouts(connect=2))
            began = loop.time()
            error = await failure(upstream)
            assert isinstance(error, UpstreamTimeoutError)
            assert str(error) == "cheap: timed out connecting"
            assert loop.time() - began == pytest.approx(2, abs=0.01)
            await upstream.aclose()

    run_virtual(main, grace=0.002)


# -- connections ------------------------------------------------------------------------------------------------------


async def test_a_stream_read_to_its_end_gives_its_connection_to_the_next() -> None:
    async with serving() as (server, upstream):
        for _ in range(3):
            await collect(upstream)
        assert len({seen.connection for seen in server.seen}) == 1


async def test_a_stream_that_was_left_does_not() -> None:
    async with serving() as (server, upstream):
        server.default = [Reply([(0, "a"), (HANG, "")]), Reply.of("yes.")]
        async with upstream.stream(REQUEST) as deltas:
            await anext(deltas)
        await collect(upstream)
        assert len({seen.connection for seen in server.seen}) == 2


async def test_an_error_status_gives_its_connection_to_the_next_too() -> None:
    async with serving(Reply.error(429, "slow down")) as (server, upstream):
        await failure(upstream)
        await failure(upstream)
        assert len({seen.connection for seen in server.seen}) == 1


@pytest.mark.parametrize("reply", [Reply(before_headers=HANG), Reply([(HANG, "")]), Reply([(0, "a"), (HANG, "")])])
def test_the_server_sees_the_close_within_50_ms_in_every_phase(reply: Reply) -> None:
    async def main() -> float:
        async with serving(reply) as (server, upstream):
            loop = asyncio.get_running_loop()
            task = asyncio.create_task(collect(upstream))
            await server.until(lambda: server.running == 1)
            await asyncio.sleep(1)
            left = loop.time()
            task.cancel()
            await server.until(lambda: server.running == 0)
            closed = server.seen[0].closed_by_client
            assert closed is not None
            return closed - left

    assert run_virtual(main, grace=0.002) <= 0.05


async def test_leaving_while_it_connects_opens_no_request() -> None:
    async with serving() as (server, upstream):
        task = asyncio.create_task(collect(upstream))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await collect(upstream)
        assert [seen.running for seen in server.seen] == [False]


STREAM = b'data: {"choices":[{"index":0,"delta":{"content":"yes"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


async def test_a_kept_connection_that_the_server_drops_on_reuse_is_replaced() -> None:
    served: list[int] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = len(served)
        served.append(0)
        await read_request(reader)
        served[mine] += 1
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(STREAM)
        writer.write(head + STREAM)
        await writer.drain()
        await read_request(reader)  # and then hangs up without a word
        served[mine] += 1

    async with raw_server(peer) as address:
        upstream = OpenAIUpstream(name="cheap", base_url=address, model="m")
        for _ in range(2):
            assert [delta.text for delta in await collect(upstream)] == ["yes"]
        await upstream.aclose()
    assert served == [2, 1]


async def test_a_session_that_was_given_is_used_and_left_open() -> None:
    async with (
        aiohttp.ClientSession(headers={"X-Mine": "1"}) as session,
        serving(session=session) as (server, upstream),
    ):
        await collect(upstream)
        await upstream.aclose()
        assert server.seen[0].headers["X-Mine"] == "1"
        assert not session.closed


async def test_closing_ends_what_still_streams_and_asks_no_more() -> None:
    async with serving(Reply([(0, "a"), (HANG, "")])) as (server, upstream):
        task = asyncio.create_task(collect(upstream))
        await server.until(lambda: server.running == 1)
        await upstream.aclose()
        with pytest.raises(UpstreamError):
            await task
        await server.until(lambda: server.running == 0)
        assert str(await failure(upstream)) == "cheap: is closed"

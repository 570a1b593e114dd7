"""The aiohttp upstream's deadlines, in virtual time, and its connections."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest

from streamroute.errors import (
    UpstreamError,
    UpstreamTimeoutError,
)
from streamroute.testing import run_virtual
from streamroute.upstreams.openai import OpenAIUpstream, Timeouts
from tests.support.upstream_server import HANG, Reply
from tests.upstreams.harness import REQUEST, collect
from tests.upstreams.served import failure, raw_server, read_request, serving

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


STREAM = b'data: {"choices":[{"index":0,"delta":{"content":"yes"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
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
        async with serving(Reply([(0, "a"), (5.5, "b")]), timeouts=Timeouts(between=1)) as (_, upstream):
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


@pytest.mark.parametrize("after", [b": bye\n\n", b"data: {}\n\n", b"x"])
async def test_what_follows_done_is_read_over(after: bytes) -> None:
    async with serving(Reply([(0, STREAM), (0, after), (0, after)], end="eof")) as (server, upstream):
        for _ in range(2):
            assert [delta.text for delta in await collect(upstream)] == ["yes"]
        assert len({seen.connection for seen in server.seen}) == 1


def test_what_follows_done_is_not_waited_for_long() -> None:
    async def main() -> None:
        async with serving(Reply([(0, STREAM), (HANG, "")])) as (server, upstream):
            began = asyncio.get_running_loop().time()
            assert [delta.text for delta in await collect(upstream)] == ["yes"]
            assert asyncio.get_running_loop().time() - began <= 0.06
            await server.until(lambda: server.running == 0)

    run_virtual(main, grace=0.002)


async def test_leaving_while_it_connects_opens_no_request() -> None:
    async with serving() as (server, upstream):
        task = asyncio.create_task(collect(upstream))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await collect(upstream)
        assert [seen.running for seen in server.seen] == [False]


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

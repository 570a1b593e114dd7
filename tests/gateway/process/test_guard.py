"""Connections that are slow, idle, deaf or talk nonsense: each ends in its time, and leaves nothing running."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.log import server_logger

from streamroute.config.settings import LimitSettings, ServerSettings
from streamroute.gateway.process.guard import _Discreet, _Guard, _kernel_holds
from streamroute.testing import Script, ScriptedUpstream, run_virtual
from tests.gateway.ledgers import FakeLedger
from tests.gateway.served import QUESTION, Served, larger, serving, virtually

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
LIMITS = LimitSettings(header_bytes=1000, headers=20)


@asynccontextmanager
async def guarded(*models: ScriptedUpstream, **more: Any) -> AsyncGenerator[Served]:
    async with serving(*models, server=ServerSettings(port=0, drain_seconds=0, limits=LIMITS), **more) as served:
        yield served


@asynccontextmanager
async def connected(served: Served) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def lasts(reader: asyncio.StreamReader) -> float:
    """How many seconds the connection goes on, from now."""
    began = asyncio.get_running_loop().time()
    with suppress(ConnectionResetError):
        await reader.read()
    return asyncio.get_running_loop().time() - began


async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEALTH)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
    await reader.readexactly(length)


def ask(**fields: Any) -> bytes:
    body = json.dumps({"model": "cheap", "messages": QUESTION, **fields}).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_a_head_that_comes_byte_by_byte_is_waited_for_so_long_and_no_longer() -> None:
    async def main() -> None:
        async with guarded() as served, connected(served) as (reader, writer):
            closing = asyncio.create_task(lasts(reader))
            for byte in HEALTH[:20]:
                writer.write(bytes([byte]))
                await asyncio.sleep(1)
            assert await closing == pytest.approx(10, abs=0.5)

    virtually(main)


def test_a_connection_that_says_nothing_is_closed() -> None:
    async def main() -> None:
        async with guarded() as served, connected(served) as (reader, _):
            assert await lasts(reader) == pytest.approx(10, abs=0.5)

    virtually(main)


def test_a_connection_may_be_idle_for_longer_but_its_next_head_may_not_be_slow() -> None:
    async def main() -> None:
        async with guarded() as served, connected(served) as (reader, writer):
            await healthy(reader, writer)
            await asyncio.sleep(70)
            await healthy(reader, writer)
            assert await lasts(reader) == pytest.approx(75, abs=0.5)
        async with guarded() as served, connected(served) as (reader, writer):
            await healthy(reader, writer)
            await asyncio.sleep(70)
            writer.write(HEALTH[:5])
            assert await lasts(reader) == pytest.approx(10, abs=0.5)

    virtually(main)


def test_an_answer_may_take_longer_than_a_connection_may_be_idle() -> None:
    async def main() -> None:
        slow = ScriptedUpstream(Script([(500.0, "It is Canberra.")]), name="cheap")
        async with guarded(slow) as served, connected(served) as (reader, writer):
            writer.write(ask())
            assert b"It is Canberra." in await reader.readuntil(b"Canberra.")

    virtually(main)


def test_a_body_that_does_not_come_is_a_408() -> None:
    async def main() -> None:
        async with guarded() as served, connected(served) as (reader, writer):
            writer.write(ask()[:-5])
            began = asyncio.get_running_loop().time()
            said = await reader.readuntil(b"}}")
            assert asyncio.get_running_loop().time() - began == pytest.approx(30, abs=0.5)
            assert said.startswith(b"HTTP/1.1 408")
            assert b'"code":"body_timeout"' in said
            assert served.cheap.calls == []
            assert await lasts(reader) < 11

    virtually(main)


FLOOD = 120
BLOCK = "x" * 100_000


def deaf(served: Served) -> socket.socket:
    """A client that asks for a flood, and whose socket nobody reads."""
    host, port = served.url.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
    client.connect((host, int(port)))
    client.sendall(ask(stream=True))
    client.setblocking(False)
    return client


def flooding() -> ScriptedUpstream:
    return ScriptedUpstream(Script([(0.001, BLOCK) for _ in range(FLOOD)]), name="cheap")


def test_a_client_that_reads_nothing_is_cut_off_and_said_to_have_read_nothing() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with guarded(flooding(), larger(), ledger=ledger) as served:
            client = deaf(served)
            try:
                await asyncio.sleep(29)
                assert served.running == 1
                await asyncio.sleep(32)  # what the kernels exchange at first takes no time here
                assert served.running == 0
                ((outcome,),) = (account.outcomes for account in ledger.accounts)
                assert (outcome.status, outcome.error) == (499, "the client read nothing for 30 s")
                assert served.log.lines[-1]["error"] == "the client read nothing for 30 s"
                assert served.log.lines[-1]["status"] == 499
            finally:
                client.close()

    virtually(main)


class Buffer(asyncio.Transport):
    """A transport whose buffer holds what it is told to hold."""

    def __init__(self, held: int) -> None:
        super().__init__()
        self.held = held
        self.aborted: float | None = None
        self.closed: float | None = None

    def close(self) -> None:
        self.closed = asyncio.get_running_loop().time()

    def get_write_buffer_size(self) -> int:
        return self.held

    def abort(self) -> None:
        self.aborted = asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    ("held", "aborted"),
    [
        ([100, 100], 30),
        ([100, 90, 90], 60),  # it read a little, and then nothing
        ([100, 90, 80, 70, 0], None),
        ([100, 150, 150], 60),  # more was written
        ([100, 150, 200], 60),  # and more: nothing can have been read
        ([100, 150, 140, 180, 170, 0], None),
    ],
)
def test_a_client_is_cut_off_only_when_nothing_is_taken_for_all_of_the_time(
    held: list[int], aborted: float | None
) -> None:
    async def main() -> None:
        transport = Buffer(held[0])
        guard = _Guard(asyncio.Protocol(), LIMITS, {})
        guard.connection_made(transport)
        guard.begun()
        began = asyncio.get_running_loop().time()
        guard.pause_writing()
        await asyncio.sleep(1)
        for transport.held in held[1:]:
            await asyncio.sleep(30)
        guard.resume_writing()
        await asyncio.sleep(100)
        assert transport.aborted == (None if aborted is None else pytest.approx(began + aborted))

    run_virtual(main)


def idle_guard(transport: Buffer) -> _Guard:
    """Of a connection whose first request has just been answered."""
    guard = _Guard(asyncio.Protocol(), LIMITS, {})
    guard.connection_made(transport)
    guard.begun()
    guard.ended()
    return guard


def test_an_idle_connection_is_closed_or_cut_off_where_something_is_still_unread() -> None:
    async def main() -> None:
        read, unread = Buffer(0), Buffer(10)
        for transport in (read, unread):
            idle_guard(transport)
        await asyncio.sleep(76)
        assert (read.closed, read.aborted) == (75, None)
        assert (unread.closed, unread.aborted) == (None, 75)

    run_virtual(main)


def test_a_large_answer_that_is_being_read_is_no_idle_connection() -> None:
    async def main() -> None:
        transport = Buffer(1000)
        guard = idle_guard(transport)
        guard.pause_writing()
        while transport.held:
            await asyncio.sleep(20)
            transport.held -= 100
        guard.resume_writing()
        assert (transport.aborted, transport.closed) == (None, None)
        await asyncio.sleep(76)
        assert transport.closed is not None

    run_virtual(main)


def test_a_connection_that_is_gone_is_watched_no_more() -> None:
    async def main() -> None:
        transport = Buffer(10)
        guard = idle_guard(transport)
        guard.pause_writing()
        guard.connection_lost(None)
        guard.ended()
        await asyncio.sleep(1000)
        assert (transport.aborted, transport.closed) == (None, None)

    run_virtual(main)


def test_aiohttp_may_log_what_is_no_bad_request(caplog: pytest.LogCaptureFixture) -> None:
    log = _Discreet(server_logger, {})
    log.exception("bad", exc_info=BadHttpMessage("secret"))
    log.exception("broken", exc_info=RuntimeError())
    assert [record.message for record in caplog.records] == ["broken"]


async def test_what_the_kernel_holds_is_counted_too() -> None:
    """It takes megabytes, and no more from us before a third of them has been read."""
    arrived: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()

    class Peer(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            arrived.set_result(transport)

    server = await asyncio.get_running_loop().create_server(Peer, "127.0.0.1", 0)
    async with server:
        with socket.create_connection(server.sockets[0].getsockname()[:2]):
            transport = await arrived
            assert _kernel_holds(transport) == 0
            transport.write(b"x" * 50_000_000)
            held = _kernel_holds(transport)
            assert 0 < held < 50_000_000
            transport.abort()
            await asyncio.sleep(0)
    assert _kernel_holds(None) == _kernel_holds(Buffer(1)) == 0


LONG = b"x" * 2000
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
GET = b"GET /v1/models HTTP/1.1\r\nHost: h\r\n"
NONSENSE = {
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "a length and chunks": CHUNKED + b"Content-Length: 2\r\n\r\n0\r\n\r\n",
    "a negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "a length that is none": POST + b"Content-Length: two\r\n\r\n{}",
    "chunks of no size": CHUNKED + b"\r\nxyz\r\n{}\r\n",
    "a chunk that is longer than it says": CHUNKED + b"\r\n2\r\n{}{}{}\r\n0\r\n\r\n",
    "a chunk of endless size": CHUNKED + b"\r\nfffffffffffffffffffff\r\n",
    "two encodings": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n{}",
    "a header without a name": GET + b": x\r\n\r\n",
    "a header with a NUL": GET + b"X-Request-Id: a\x00b\r\n\r\n",
    "a bare carriage return in a header": GET + b"X-Request-Id: a\rSet-Cookie: b\r\n\r\n",
    "blanks before the colon": b"GET /v1/models HTTP/1.1\r\nHost : h\r\n\r\n",
    "a long header": GET + b"X: " + LONG + b"\r\n\r\n",
    "a long path": b"GET /" + LONG + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    "many headers": GET + b"X: y\r\n" * 50 + b"\r\n",
    "no method": b"/v1/models\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_gets_a_4xx_or_a_close_and_starts_nothing(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with guarded() as served:
            async with connected(served) as (reader, writer):
                writer.write(NONSENSE[name])
                said = b""
                with suppress(ConnectionResetError):
                    while b"\r\n\r\n" not in said and (read := await reader.read(4096)):
                        said += read
                assert said[:10] in (b"HTTP/1.1 4", b"HTTP/1.0 4", b"")
                assert b"Set-Cookie" not in said.partition(b"\r\n\r\n")[0]
            assert (served.cheap.calls, served.large.calls) == ([], [])
            await asyncio.sleep(20)
            assert len(asyncio.all_tasks()) == 1

    with caplog.at_level(logging.DEBUG):
        virtually(main)
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


@pytest.mark.parametrize("given", [b"a b", b"x" * 200, b"a\tb", "ü".encode(), b'{"a":1}', b""])
def test_a_request_id_that_could_mislead_is_replaced(given: bytes) -> None:
    async def main() -> None:
        async with guarded() as served, connected(served) as (reader, writer):
            writer.write(b"GET /v1/models HTTP/1.1\r\nHost: h\r\nX-Request-Id: " + given + b"\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            (line,) = (line for line in head.split(b"\r\n") if line.lower().startswith(b"x-request-id"))
            assert line.split(b": ")[1].startswith(b"req_")
            assert served.log.lines[-1]["id"].startswith("req_")

    virtually(main)

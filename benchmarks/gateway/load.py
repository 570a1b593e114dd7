"""Clients on raw sockets, in a process of their own, so that what they cost is not the racer's.

    python -m benchmarks.gateway.load MEASURE URL MODEL [--streams N] [--pid PID] [--seconds S] [--requests N]

Prints one line of JSON. With `idle` it prints a line for each line that it reads, which says how many streams to hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

import uvloop

from benchmarks.figures import percentile
from benchmarks.gateway.processes import cpu_seconds

CONTENT: Final = re.compile(rb'"content": ?"w')
LENGTH: Final = re.compile(rb"content-length: ?(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One request at a time. `chunks` counts the events that came."""

    def __init__(self, url: str) -> None:
        self.url = urlsplit(url)
        self.chunks = 0
        self.loop = asyncio.get_running_loop()

    @classmethod
    async def to(cls, url: str) -> Connection:
        made = cls(url)
        await made.loop.create_connection(lambda: made, made.url.hostname or "", made.url.port or 80)
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by name

    def connection_lost(self, error: Exception | None) -> None:
        for waiting in (getattr(self, "said", None), getattr(self, "done", None)):
            if waiting is not None and not waiting.done():
                waiting.cancel()

    def ask(self, model: str, spec: str, *, stream: bool = True) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": f"bench:{spec}"}], "stream": stream}
        data = json.dumps(body).encode()
        head = f"POST {self.url.path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer none\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        self.said: asyncio.Future[float] = self.loop.create_future()
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.head: bytes | None = b""
        self.left: int | None = None
        self.tail = b""
        self.began = time.perf_counter()
        self.transport.write(head.encode() + data)

    def data_received(self, data: bytes) -> None:
        if self.head is not None:
            self.head += data
            head, blank, data = self.head.partition(b"\r\n\r\n")
            if not blank:
                return
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise SystemExit(f"{self.url.geturl()}: {self.head[:400]!r}")
            self.head = None
            length = LENGTH.search(head)
            self.left = int(length[1]) if length else None
        self.chunks += data.count(b"data: {")
        if not self.said.done() and CONTENT.search(data) is not None:
            self.said.set_result(time.perf_counter() - self.began)
        if self.left is not None:
            self.left -= len(data)
            over = self.left <= 0
        else:
            self.tail = (self.tail + data)[-5:]
            over = self.tail == b"0\r\n\r\n"
        if over and not self.done.done():
            self.done.set_result(None)


async def connections(args: argparse.Namespace) -> list[Connection]:
    return [await Connection.to(args.url) for _ in range(args.streams)]


async def first(args: argparse.Namespace) -> Mapping[str, Any]:
    """Seconds to the first token of one stream at a time; the upstream takes 2 ms."""
    (one,) = await connections(args)
    times = []
    for number in range(args.requests + 5):
        one.ask(args.model, "2:0:3")
        took = await one.said
        await one.done
        if number >= 5:
            times.append(took)
    return {"first": percentile(times, 0.5)}


async def crowd(args: argparse.Namespace) -> Mapping[str, Any]:
    """The same of many streams that run at once: 20 ms to the first token, 20 ms between two, 50 tokens."""
    times: list[float] = []
    opened = await connections(args)

    async def ask(one: Connection, number: int) -> None:
        await asyncio.sleep(number / len(opened))
        for turn in range(args.requests):
            one.ask(args.model, "20:20:50")
            took = await one.said
            if turn:
                times.append(took)
            await one.done

    await asyncio.gather(*(ask(one, number) for number, one in enumerate(opened)))
    return {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}


async def chunk(args: argparse.Namespace) -> Mapping[str, Any]:
    """Seconds of CPU that the racer takes for each chunk of streams of 50 tokens a second."""
    opened = await connections(args)
    for number, one in enumerate(opened):
        one.ask(args.model, f"{number * 20 // len(opened)}:20:1000000")
    await asyncio.gather(*(one.said for one in opened))
    await asyncio.sleep(0.5)
    before, count = cpu_seconds(args.pid), sum(one.chunks for one in opened)
    await asyncio.sleep(args.seconds)
    spent, count = cpu_seconds(args.pid) - before, sum(one.chunks for one in opened) - count
    for one in opened:
        one.transport.abort()
    return {"seconds": spent / max(1, count), "chunks": count}


async def whole(args: argparse.Namespace) -> Mapping[str, Any]:
    """Requests per second that are not streamed, and seconds of CPU that the racer takes for each."""
    opened = await connections(args)
    before = cpu_seconds(args.pid) if args.pid else 0.0
    count, until = 0, time.perf_counter() + args.seconds

    async def ask(one: Connection) -> None:
        nonlocal count
        while time.perf_counter() < until:
            one.ask(args.model, "0:0:1", stream=False)
            await one.done
            count += 1

    await asyncio.gather(*map(ask, opened))
    spent = cpu_seconds(args.pid) - before if args.pid else 0.0
    return {"rate": count / args.seconds, "seconds": spent / max(1, count)}


async def idle(args: argparse.Namespace) -> Mapping[str, Any]:
    """Holds streams that have said one token."""
    loop = asyncio.get_running_loop()
    opened: list[Connection] = []
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        while len(opened) < int(line):
            one = await Connection.to(args.url)
            one.ask(args.model, "0:100000000:2")
            await one.said
            opened.append(one)
        print(len(opened), flush=True)
    return {}


LEAVING: Final[Mapping[str, tuple[str, bool, bool]]] = {
    "fast": ("0:5:100000", True, True),
    "slow": ("0:300:100000", True, True),
    "before the first token": ("60000:5:10", True, False),
    "not streamed": ("60000:0:1", False, False),
}
"""What is asked for, whether as a stream, whether something is said before the client leaves."""


async def leave(args: argparse.Namespace) -> Mapping[str, Any]:
    """Seconds from the moment that the client leaves until the model sees it; 5 where it did not in that time."""
    found = {}
    for name, (spec, stream, says) in LEAVING.items():
        before = await asked(args.upstream)
        one = await Connection.to(args.url)
        one.ask(args.model, spec, stream=stream)
        if says:
            await one.said
        while (await asked(args.upstream))["begun"] <= before["begun"]:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        left = time.monotonic()
        one.transport.abort()
        while not (closed := [at for at in (await asked(args.upstream))["closed"] if at >= left]):
            if time.monotonic() > left + 5:
                closed = [left + 5]
                break
            await asyncio.sleep(0.02)
        found[name] = min(closed) - left
    return found


async def asked(upstream: str) -> Mapping[str, Any]:
    """What the model server tells of itself."""
    url = urlsplit(upstream)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    assert length is not None
    told: Mapping[str, Any] = json.loads(await reader.readexactly(int(length[1])))
    writer.close()
    return told


MEASURES: Final[Mapping[str, Callable[[argparse.Namespace], Awaitable[Mapping[str, Any]]]]] = {
    function.__name__: function for function in (first, crowd, chunk, whole, idle, leave)
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--requests", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--pid", type=int, default=0)
    parser.add_argument("--upstream", default="")
    args = parser.parse_args()

    async def run() -> Mapping[str, Any]:
        return await MEASURES[args.measure](args)

    print(json.dumps(uvloop.run(run())))


if __name__ == "__main__":
    main()

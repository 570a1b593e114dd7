"""A model server that says what a request asks it to, on raw sockets: `bench:FIRST:GAP:COUNT` in its text.

    python -m benchmarks.gateway.model PORT

Milliseconds to the first token, milliseconds between two (0: all at once), and how many. `GET /` tells how many replies
were begun, and when the clients of those closed that had not ended (seconds, CLOCK_MONOTONIC, the same for all
processes).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Final, cast

import uvloop

SPEC: Final = re.compile(rb"bench:(\d+):(\d+):(\d+)")
STREAM: Final = re.compile(rb'"stream": ?true')
USAGE: Final = re.compile(rb'"include_usage": ?true')
LENGTH: Final = re.compile(rb"content-length: ?(\d+)", re.IGNORECASE)

HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ABOUT: Final = (
    '"id":"chatcmpl-benchmark0123456789abcdef","object":"chat.completion%s","created":1700000000,'
    '"model":"mock-model","system_fingerprint":"fp_0123456789"'
)


def event(rest: str) -> bytes:
    return b"data: {%b,%b}\n\n" % ((ABOUT % ".chunk").encode(), rest.encode())


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def choice(delta: str, reason: str = "null") -> bytes:
    return event(f'"choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}]')


ROLE: Final = choice('{"role":"assistant","content":""}')
TOKEN: Final = choice('{"content":"word "}')
STOP: Final = choice("{}", '"stop"')
TOLD: Final = event('"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}')
DONE: Final = b"data: [DONE]\n\n"
WHOLE: Final = (
    "{%s,"
    '"choices":[{"index":0,"message":{"role":"assistant","content":"word word word"},"finish_reason":"stop"}],'
    '"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}' % (ABOUT % "")
).encode()


class Model(asyncio.Protocol):
    """One connection."""

    running: Final[set[Model]] = set()
    closed: Final[list[float]] = []
    begun = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None

    def connection_lost(self, error: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self in self.running:
            self.running.discard(self)
            self.closed.append(time.monotonic())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        found = LENGTH.search(head)
        length = int(found[1]) if found else 0
        if not blank or len(body) < length:
            return
        self.buffer = body[length:]
        if head.startswith(b"GET"):
            self.reply(json.dumps({"begun": Model.begun, "closed": self.closed}).encode())
            return
        spec = SPEC.search(body)
        first, self.gap, self.left = (int(number) for number in spec.groups()) if spec else (0, 0, 1)
        self.usage = USAGE.search(body) is not None
        self.running.add(self)
        Model.begun += 1
        self.at = self.loop.time() + first / 1000
        self.timer = self.loop.call_at(self.at, self.begin if STREAM.search(body) else self.whole)

    def whole(self) -> None:
        self.running.discard(self)
        self.reply(WHOLE)

    def reply(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % len(body) + body)

    def begin(self) -> None:
        self.transport.write(HEAD + chunked(ROLE))
        self.say()

    def say(self) -> None:
        end = STOP + (TOLD if self.usage else b"") + DONE
        if not self.gap:
            self.transport.write(b"".join([chunked(TOKEN)] * self.left) + chunked(end) + b"0\r\n\r\n")
            self.running.discard(self)
            return
        self.left -= 1
        if self.left >= 0:
            self.transport.write(chunked(TOKEN))
            self.at += self.gap / 1000
            self.timer = self.loop.call_at(self.at, self.say)
        else:
            self.transport.write(chunked(end) + b"0\r\n\r\n")
            self.running.discard(self)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Model, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


def main() -> None:
    uvloop.run(serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()

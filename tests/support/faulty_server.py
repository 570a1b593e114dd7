"""A model server made of bytes: it plays what it is told, HTTP and all, and knows what became of each connection.

    async with FaultyServer(lambda asked: Play([head(), chunk(say("It is")), 3.0], end="reset")) as server:
        ...
        server.asked[0].body        # what it was asked
        server.open                 # connections that are still open

Every connection serves one request.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Literal, Self

__all__ = ("HANG", "Asked", "FaultyServer", "Play", "body", "chunk", "event", "finish", "head", "last", "say", "usage")

HANG: Final = math.inf
"""A step that never ends: the client has to go."""
DONE: Final = b"data: [DONE]\n\n"
ROLE: Final = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
LAST_CHUNK: Final = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its body, and how many of the same kind (answers or probes) came before it."""

    body: Mapping[str, Any]
    probe: bool
    number: int


@dataclass(frozen=True, slots=True)
class Play:
    """`steps` are bytes to write and seconds to wait, in order. Then the connection is closed, or reset."""

    steps: Sequence[bytes | float]
    end: Literal["close", "reset"] = "close"


@dataclass
class FaultyServer:
    """Plays what `plays` says to each request. With `refusing` nothing listens at its address."""

    plays: Callable[[Asked], Play]
    refusing: bool = False
    asked: list[Asked] = field(default_factory=list)
    open: int = 0
    url: str = ""
    _socket: socket.socket | None = None
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))  # where it refuses too, so that nobody else gets its address
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        if not self.refusing:
            self._server = await asyncio.start_server(self._serve, sock=self._socket)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        if self._socket is not None:
            self._socket.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            asked = await self._read(reader)
            self.asked.append(asked)
            await self._play(self.plays(asked), reader, writer)
        except ConnectionError:
            pass  # the client has gone
        finally:
            writer.close()
            self.open -= 1

    async def _read(self, reader: asyncio.StreamReader) -> Asked:
        lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
        found = json.loads(await reader.readexactly(length))
        probe = found.get("temperature") == 1.25
        return Asked(found, probe, sum(before.probe == probe for before in self.asked))

    async def _play(self, play: Play, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for step in play.steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
                await asyncio.sleep(0)  # so that it goes out by itself
            elif await _gone(reader, step):
                return
        if play.end == "reset":
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


async def _gone(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Wait, and say whether the client closed the connection meanwhile: it sends nothing more."""
    if seconds == HANG:
        await reader.read()
        return True
    try:
        async with asyncio.timeout(seconds):
            await reader.read()
    except TimeoutError:
        return False
    return True


# -- what is said -----------------------------------------------------------------------------------------------------


def head(status: str = "200 OK", *, kind: str = "text/event-stream", **headers: str) -> bytes:
    """The start of a reply whose body is chunked. `headers` have underscores for hyphens."""
    named = {"Content-Type": kind, "Transfer-Encoding": "chunked", "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}\r\n" for name, value in named.items() if value]
    return f"HTTP/1.1 {status}\r\n{''.join(lines)}\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def last(data: bytes = b"") -> bytes:
    """The last of a chunked body."""
    return (chunk(data) if data else b"") + LAST_CHUNK


def body(data: bytes, status: str = "200 OK", *, kind: str = "application/json", **headers: str) -> list[bytes | float]:
    """A whole reply."""
    return [head(status, kind=kind, **headers), last(data)]


def event(fields: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(fields, ensure_ascii=False).encode() + b"\n\n"


def say(text: str, *, index: int = 0) -> bytes:
    return event({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": None}]})


def finish(index: int = 0) -> bytes:
    return event({"choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]})


def usage(prompt: Any = 10, completion: Any = 2) -> bytes:
    told = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 12}
    return event({"choices": [], "usage": told})

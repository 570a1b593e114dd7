"""A model server on the loopback that says what it is told to say and records what its clients do.

    async with UpstreamServer() as server:
        server.replies["small"] = Reply([(0.1, "Hel"), (0.0, "lo")])          # by model
        server.replies["What is 2+2?"] = [Reply.of("4"), Reply.of("four")]      # by the last message, in turn
        server.default = Reply(steps=[(0, "half an ans")], end="abort")        # everything else
        ... OpenAIUpstream(base_url=server.url, ...) ...
        await server.until(lambda: server.running == 0)
        server.seen[0].closed_by_client                                        # loop time, None if it was not

Times are the event loop's, so that it works in virtual time too. `until` waits for something to happen, never for time.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

__all__ = ("HANG", "Reply", "Seen", "UpstreamServer")

HANG = math.inf
"""A delay that never ends."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer.

    Each of `steps` is (seconds to wait, what then): text becomes a content delta of every choice, in which `{i}` is the
    choice's index; bytes are written as they are. `before_headers` is the wait before anything is sent. `end`: "done"
    is finish reasons, usage and `[DONE]`; "finish" the same without `[DONE]`; "eof" a clean end without either;
    "abort" resets the connection. With a `status` of 300 and more, or with `body`, `body` is the whole reply.
    """

    steps: Sequence[tuple[float, str | bytes]] = ()
    before_headers: float = 0.0
    end: Literal["done", "finish", "eof", "abort"] = "done"
    finish_reason: str = "stop"
    usage: tuple[int, int] | None = (10, 5)
    status: int = 200
    body: bytes | None = None
    content_type: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, *, first: float = 0.0, gap: float = 0.0) -> Reply:
        """`text` word by word."""
        words = text.split(" ")
        return cls(steps=[(gap if i else first, f" {word}" if i else word) for i, word in enumerate(words)])

    @classmethod
    def error(cls, status: int, message: str) -> Reply:
        """OpenAI's error shape."""
        body = json.dumps({"error": {"message": message, "type": "error", "param": None, "code": None}})
        return cls(status=status, body=body.encode(), content_type="application/json")


@dataclass(slots=True)
class Seen:
    """One request. Loop times, None for what did not happen."""

    body: dict[str, Any]
    headers: Mapping[str, str]
    connection: tuple[str, int]
    started: float
    path: str = ""
    first_byte: float | None = None
    closed_by_client: float | None = None
    finished: float | None = None
    steps_sent: int = 0

    @property
    def running(self) -> bool:
        return self.closed_by_client is None and self.finished is None


class UpstreamServer:
    """See the module. `replies` maps a model or the content of the last message to a reply, or several, in turn."""

    def __init__(self) -> None:
        self.default: Reply | Sequence[Reply] = Reply.of("yes.")
        self.replies: dict[str, Reply | Sequence[Reply]] = {}
        self.seen: list[Seen] = []
        self._turns: defaultdict[str, int] = defaultdict(int)
        self._runner: web.AppRunner | None = None
        self._changed = asyncio.Event()
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        for endpoint in ("chat/completions", "completions", "embeddings"):
            app.router.add_post(f"/v1/{endpoint}", self._handle)
        # Without the first, a server does not see that its client has gone until it writes again.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def running(self) -> int:
        """Requests that are still being answered."""
        return sum(seen.running for seen in self.seen)

    async def until(self, condition: Callable[[], bool], *, at_most: float = 30.0) -> None:
        """Returns as soon as `condition()` holds. It is asked again whenever a request comes, goes on or ends.

        `at_most` seconds keep a test that fails from hanging, and are more than a busy machine needs. Raises
        `TimeoutError`.
        """
        async with asyncio.timeout(at_most):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        now = asyncio.get_running_loop().time
        peer = request.transport.get_extra_info("peername") if request.transport else ("", 0)
        seen = Seen(await request.json(), request.headers.copy(), peer[:2], now(), request.path)
        self.seen.append(seen)
        self._changed.set()
        try:
            response = await self._answer(request, seen)
        except (asyncio.CancelledError, ConnectionResetError):
            seen.closed_by_client = now()
            raise
        else:
            seen.finished = now()
            return response
        finally:
            self._changed.set()

    async def _answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        reply = self._reply(seen.body)
        await _wait(reply.before_headers)
        if reply.body is not None or reply.status >= 300:
            return web.Response(
                status=reply.status, body=reply.body or b"", content_type=reply.content_type, headers=reply.headers
            )
        response = web.StreamResponse(headers={"Content-Type": reply.content_type, **reply.headers})
        await response.prepare(request)
        chunks = _Chunks(seen.body)
        await response.write(chunks.opening())
        for delay, what in reply.steps:
            await _wait(delay)
            await response.write(what if isinstance(what, bytes) else chunks.text(what))
            if seen.first_byte is None:
                seen.first_byte = asyncio.get_running_loop().time()
            seen.steps_sent += 1
            self._changed.set()
        if reply.end == "abort":
            assert request.transport is not None
            request.transport.abort()
        elif reply.end != "eof":
            await response.write(chunks.end(reply))
        return response

    def _reply(self, body: Mapping[str, Any]) -> Reply:
        for key in (_last_text(body), str(body["model"]), ""):
            if key in self.replies or not key:
                replies = self.replies.get(key, self.default)
                if isinstance(replies, Reply):
                    return replies
                self._turns[key] += 1
                return replies[(self._turns[key] - 1) % len(replies)]
        raise AssertionError("unreachable")


class _Chunks:
    def __init__(self, body: Mapping[str, Any]) -> None:
        self._model = body["model"]
        self._choices = range(body.get("n") or 1)
        self._include_usage = bool((body.get("stream_options") or {}).get("include_usage"))

    def opening(self) -> bytes:
        return b"".join(self._choice(i, {"role": "assistant", "content": ""}) for i in self._choices)

    def text(self, text: str) -> bytes:
        return b"".join(self._choice(i, {"content": text.replace("{i}", str(i))}) for i in self._choices)

    def end(self, reply: Reply) -> bytes:
        events = [self._choice(i, {}, reply.finish_reason) for i in self._choices]
        if reply.usage is not None and self._include_usage:
            prompt, completion = reply.usage
            usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
            events.append(self._event({"choices": [], "usage": usage}))
        if reply.end == "done":
            events.append(b"data: [DONE]\n\n")
        return b"".join(events)

    def _choice(self, index: int, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        return self._event({"choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}]})

    def _event(self, fields: dict[str, Any]) -> bytes:
        chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": self._model, **fields}
        return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _last_text(body: Mapping[str, Any]) -> str:
    messages = body.get("messages") or [{}]
    content = messages[-1].get("content")
    return content if isinstance(content, str) else ""


async def _wait(seconds: float) -> None:
    if seconds == HANG:
        await asyncio.get_running_loop().create_future()
    await asyncio.sleep(seconds)

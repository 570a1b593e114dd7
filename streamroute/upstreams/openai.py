"""Any server that speaks OpenAI's chat protocol, over aiohttp: the hot path."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from streamroute.core.types import Delta
from streamroute.errors import (
    ConfigError,
    UpstreamConnectError,
    UpstreamError,
    UpstreamTimeoutError,
)
from streamroute.upstreams._answer import AnswerStream, Phase
from streamroute.upstreams._border import Border
from streamroute.upstreams._watchdog import Watchdog
from streamroute.upstreams.base import ChatRequest
from streamroute.wire.openai import answer_decoder, decode_error_message, request_body
from streamroute.wire.sse import MAX_EVENT

__all__ = ("OpenAIUpstream", "Timeouts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each phase of a request may take, in seconds.

    `connect`: name look-up, TCP and TLS. `first`: from the start of the request until the answer says something; a
    keep-alive or an empty delta says nothing. `between`: until it says more; counts from when more is asked for, as a
    slow reader is not the model's fault. `tail`: for the usage, once every choice has finished; then the answer ends
    without. `total`: all of it.
    """

    connect: float = 5.0
    first: float = 60.0
    between: float = 30.0
    tail: float = 2.0
    total: float = 600.0


_WAITING_FOR: Final[Mapping[Phase, str]] = {
    "first": "waiting for the first token",
    "between": "waiting for the next token",
    "tail": "waiting for the end",
}
_HUNG_UP: Final = "closed the connection before it answered"
_BROKE_OFF: Final = "the connection broke off in the answer"
_ERROR_BODY_LIMIT: Final = 64 * 1024
_LINGER: Final = 0.05
"""Seconds to wait, after `[DONE]`, for the end of the reply that makes its connection usable again."""

_KEEP_ALIVE: Final = 60.0
"""Seconds that an idle connection is kept: a new one costs the first token of an answer two or three round trips. A
server that closes it sooner costs nothing, see `_open`."""


class OpenAIUpstream:
    """A model behind `base_url` (the part before `/chat/completions`).

    `supports_n` says whether the server honours `n`; `include_usage=False` is for the few servers that refuse
    `stream_options`. `headers` are added to each request. `max_event` bounds in bytes one event of a stream, or a whole
    reply of a server that does not stream. A `session` that is given stays the giver's to close; else one is made at
    the first request and kept until `aclose`. Raises `ConfigError` for a `base_url` that is not one.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        model: str,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        supports_n: bool = False,
        include_usage: bool = True,
        timeouts: Timeouts = Timeouts(),
        session: aiohttp.ClientSession | None = None,
        max_event: int = MAX_EVENT,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{name}: base_url must be an http or https address, not {base_url!r}")
        self.name = name
        self.model = model
        self.supports_n = supports_n
        self._include_usage = include_usage
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._timeouts = timeouts
        self._max_event = max_event
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            # Compression would hold tokens back until a block of them is full.
            "Accept-Encoding": "identity",
            **({"Authorization": f"Bearer {api_key}"} if api_key else {}),
            **(headers or {}),
        }
        self._border = Border(name, api_key=api_key, headers=headers or {})
        self._session = session
        self._owns_session = session is None
        self._closed = False

    async def aclose(self) -> None:
        """Closes the connections, and with them every stream that is still open."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None and self._owns_session:
            await session.close()

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        response = await self._open(self._encoded(request), began + min(self._timeouts.first, self._timeouts.total))
        body = _Body(response, self._border, self._timeouts, began)
        try:
            if response.status >= 300:
                raise await self._refusal(response, body)
            decoder = answer_decoder(response.content_type, n=request.n, max_event=self._max_event)
            yield AnswerStream(body, decoder, upstream=self.name, redact=self._border.redact)
        finally:
            # Not `release`: a reply that still runs must be cut off, not drained for the sake of its connection. One
            # that was read to its end has given its connection back already.
            body.close()

    def _encoded(self, request: ChatRequest) -> bytes:
        body = request_body(
            model=self.model,
            messages=request.messages,
            params=request.params,
            n=request.n,
            include_usage=self._include_usage,
        )
        try:
            return msgspec.json.encode(body)
        except (TypeError, ValueError, RecursionError) as error:
            raise self._border.error(UpstreamError, f"the request cannot be written as JSON: {error}") from error

    async def _open(self, body: bytes, deadline: float) -> aiohttp.ClientResponse:
        """The reply, as soon as its headers are there. Cancelled in any phase, it leaves no connection behind."""
        while True:
            reused = _Reused()
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._ensure_session().post(
                        self._url,
                        data=body,
                        headers=self._headers,
                        timeout=aiohttp.ClientTimeout(total=None, connect=self._timeouts.connect),
                        allow_redirects=False,
                        trace_request_ctx=reused if self._owns_session else None,
                    )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # A server may close an idle connection in the moment we take it up again: it never saw this request.
                if reused.connection and not isinstance(error, aiohttp.ClientConnectorError):
                    continue
                raise self._border.translated(error, broke_off=_HUNG_UP) from error
            except TimeoutError as error:
                phase = "connecting" if isinstance(error, aiohttp.ConnectionTimeoutError) else _WAITING_FOR["first"]
                raise self._border.error(UpstreamTimeoutError, f"timed out {phase}") from error
            except (aiohttp.ClientError, OSError) as error:
                raise self._border.translated(error, broke_off=_HUNG_UP) from error

    def _ensure_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise self._border.error(UpstreamConnectError, "is closed")
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_reuseconn.append(_note_reuse)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[trace],
            )
        return self._session

    async def _refusal(self, response: aiohttp.ClientResponse, body: _Body) -> UpstreamError:
        if response.status < 400:
            location = response.headers.get("Location", "elsewhere")
            return self._border.status(response.status, f"redirects to {location}")
        said = bytearray()
        # What it says is a help, not a need.
        with contextlib.suppress(UpstreamError):
            while len(said) < _ERROR_BODY_LIMIT and (data := await body.receive()):
                said += data
        message = decode_error_message(bytes(said[:_ERROR_BODY_LIMIT])) or response.reason or ""
        return self._border.status(response.status, message)


class _Reused:
    """Whether a request went out on a connection that had served another."""

    connection = False


async def _note_reuse(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
    context.trace_request_ctx.connection = True


class _Body:
    """The bytes of one reply, with the deadlines of the phases."""

    __slots__ = ("_border", "_content", "_deadline", "_loop", "_phase", "_response", "_timeouts", "_total", "_watchdog")

    def __init__(self, response: aiohttp.ClientResponse, border: Border, timeouts: Timeouts, began: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._response = response
        self._content = response.content
        self._border = border
        self._timeouts = timeouts
        self._total = began + timeouts.total
        self._phase: Phase = "first"
        self._deadline = min(began + timeouts.first, self._total)
        self._watchdog = Watchdog(self._loop, self._expire)

    def expect(self, phase: Phase) -> None:
        self._phase = phase
        self._deadline = min(self._loop.time() + getattr(self._timeouts, phase), self._total)

    async def receive(self) -> bytes:
        self._watchdog.arm(self._deadline)
        try:
            return await self._content.readany()
        except TimeoutError as error:
            what = "in total" if self._deadline == self._total else _WAITING_FOR[self._phase]
            raise self._border.error(UpstreamTimeoutError, f"timed out {what}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._border.translated(error, broke_off=_BROKE_OFF) from error
        finally:
            self._watchdog.disarm()

    async def finish(self) -> None:
        """Read on to the end of the reply if it is near, so that its connection can serve again."""
        self._deadline = min(self._loop.time() + _LINGER, self._total)
        with contextlib.suppress(UpstreamError):
            while await self.receive():
                pass

    def close(self) -> None:
        self._watchdog.close()
        self._response.close()

    def _expire(self) -> None:
        self._content.set_exception(TimeoutError())

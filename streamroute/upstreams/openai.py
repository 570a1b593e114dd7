"""Any server that speaks OpenAI's chat protocol, over aiohttp: the hot path."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
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
from streamroute.upstreams._answer import AnswerStream
from streamroute.upstreams._body import WAITING_FOR, Body, Timeouts
from streamroute.upstreams._border import Border, beside
from streamroute.upstreams.base import ChatRequest
from streamroute.upstreams.relay import ABSENT, CLIENTS_FAULT
from streamroute.wire.openai import answer_decoder, decode_error, request_body
from streamroute.wire.sse import MAX_EVENT

__all__ = ("OpenAIUpstream", "Timeouts")

_PATHS: Final[Mapping[str, str]] = {
    "chat": "chat/completions",
    "completions": "completions",
    "embeddings": "embeddings",
}
_TIMEOUTS: Final = Timeouts()
_HUNG_UP: Final = "closed the connection before it answered"
_NONE: Final[Mapping[str, str]] = {}
_ERROR_BODY_LIMIT: Final = 64 * 1024

_KEEP_ALIVE: Final = 60.0
"""Seconds that an idle connection is kept: a new one costs the first token of an answer two or three round trips. A
server that closes it sooner costs nothing, see `_open`."""


class OpenAIUpstream:
    """A model behind `base_url` (the part before `/chat/completions`).

    `supports_n` says whether the server honours `n`; `include_usage=False` is for the few servers that refuse
    `stream_options`; `serves` are the endpoints that it has. `headers` are added to each request. `max_event` bounds in
    bytes one event of a stream, or a whole reply of a server that does not stream, `max_reply` all of a reply. A
    `session` that is given stays the giver's to close; else one is made at the first request and kept until `aclose`.
    Raises `ConfigError` for a `base_url` that is not one.
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
        serves: Collection[str] = tuple(_PATHS),
        timeouts: Timeouts = _TIMEOUTS,
        session: aiohttp.ClientSession | None = None,
        max_event: int = MAX_EVENT,
        max_reply: int = 64 * 1024 * 1024,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{name}: base_url must be an http or https address, not {base_url!r}")
        self.name = name
        self.model = model
        self.supports_n = supports_n
        self.tells_usage = include_usage
        self.serves = frozenset(serves)
        base = base_url.rstrip("/")
        self._urls = {endpoint: f"{base}/{path}" for endpoint, path in _PATHS.items()}
        self._connecting = aiohttp.ClientTimeout(total=None, connect=timeouts.connect)
        self._timeouts = timeouts
        self._max_event = max_event
        self._max_reply = max_reply
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
        body = await self._open("chat", self._encoded(request), request.headers, self._timeouts, began)
        response = body.response
        try:
            if response.status >= 300:
                raise await self._refusal(body)
            decoder = answer_decoder(response.content_type, n=request.n, max_event=self._max_event)
            yield AnswerStream(body, decoder, upstream=self.name, redact=self._border.redact)
        finally:
            # Not `release`: a reply that still runs must be cut off, not drained for the sake of its connection. One
            # that was read to its end has given its connection back already.
            body.close()

    @asynccontextmanager
    async def relay(
        self, endpoint: str, document: Mapping[str, Any], *, headers: Mapping[str, str] = _NONE
    ) -> AsyncGenerator[Body]:
        """The reply as it comes: see `Relays`. One that is not streamed may take its `total` time to begin."""
        timeouts = self._timeouts
        if not document.get("stream"):
            timeouts = dataclasses.replace(timeouts, first=timeouts.total)
        data = self._json({**document, "model": self.model})
        body = await self._open(endpoint, data, headers, timeouts, asyncio.get_running_loop().time())
        try:
            if body.status >= 300:
                passes = body.status in CLIENTS_FAULT or (body.status == ABSENT and endpoint != "chat")
                if not passes:
                    raise await self._refusal(body)
                body.expect("between")  # it has made up its mind: its words are not waited for as an answer is
            yield body
        finally:
            body.close()  # as in `stream`

    def _encoded(self, request: ChatRequest) -> bytes:
        body = request_body(
            model=self.model,
            messages=request.messages,
            params=request.params,
            n=request.n,
            include_usage=self.tells_usage,
        )
        return self._json(body)

    def _json(self, body: Mapping[str, Any]) -> bytes:
        try:
            return msgspec.json.encode(body)
        except (TypeError, ValueError, RecursionError) as error:
            raise self._border.error(UpstreamError, f"the request cannot be written as JSON: {error}") from error

    async def _open(
        self, endpoint: str, body: bytes, headers: Mapping[str, str], timeouts: Timeouts, began: float
    ) -> Body:
        """The reply, as soon as its headers are there. Cancelled in any phase, it leaves no connection behind."""
        headers = {**beside(headers, self._headers), **self._headers} if headers else self._headers
        deadline = began + min(timeouts.first, timeouts.total)
        response = await self._post(self._urls[endpoint], body, headers, deadline)
        return Body(response, self._border, timeouts, began, self._max_reply)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], deadline: float) -> aiohttp.ClientResponse:
        while True:
            reused = _Reused()
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._ensure_session().post(
                        url,
                        data=body,
                        headers=headers,
                        timeout=self._connecting,
                        allow_redirects=False,
                        trace_request_ctx=reused if self._owns_session else None,
                    )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # A server may close an idle connection in the moment we take it up again: it never saw this request.
                if reused.connection and not isinstance(error, aiohttp.ClientConnectorError):
                    continue
                raise self._border.translated(error, broke_off=_HUNG_UP) from error
            except TimeoutError as error:
                connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
                phase = "connecting" if connecting else WAITING_FOR["first"]
                raise UpstreamTimeoutError(f"timed out {phase}", upstream=self.name, connecting=connecting) from error
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

    async def _refusal(self, body: Body) -> UpstreamError:
        response = body.response
        if response.status < 400:
            location = response.headers.get("Location", "elsewhere")
            return self._border.status(response.status, f"redirects to {location}")
        said = bytearray()
        # What it says is a help, not a need.
        with contextlib.suppress(UpstreamError):
            while len(said) < _ERROR_BODY_LIMIT and (data := await body.receive()):
                said += data
        message, code = decode_error(bytes(said[:_ERROR_BODY_LIMIT]))
        return self._border.status(
            response.status, message or response.reason or "", code=code, headers=response.headers
        )


class _Reused:
    """Whether a request went out on a connection that had served another."""

    connection = False


async def _note_reuse(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
    context.trace_request_ctx.connection = True

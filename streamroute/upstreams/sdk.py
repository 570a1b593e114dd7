"""A user's own `openai.AsyncOpenAI`: Azure, proxies, custom authentication just work.

Not for the hot path: the SDK's set-up costs a request more than everything else that happens to it. Its bytes are read
raw and decoded by us, which costs a fraction of its typed chunks.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from streamroute.core.types import Delta
from streamroute.errors import (
    UpstreamConnectError,
    UpstreamError,
    UpstreamInterruptedError,
    UpstreamStatusError,
    UpstreamTimeoutError,
)
from streamroute.upstreams._answer import AnswerStream, Phase
from streamroute.upstreams._border import beside
from streamroute.upstreams.base import ChatRequest
from streamroute.wire.openai import answer_decoder, request_body
from streamroute.wire.retry_after import retry_after_of
from streamroute.wire.sse import MAX_EVENT

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ("SDKUpstream",)

_LINGER: Final = 0.05
_SECRETS: Final = ("Authorization", "api-key")
"""Set by the SDK for each request, after its default headers."""
_MESSAGE_LIMIT: Final = 500


class SDKUpstream:
    """`model` as `client` reaches it.

    The client's own timeouts, retries and headers apply; with its retries, a failing tier takes that much longer to
    be left for the next one. The client stays its owner's to close.
    """

    def __init__(
        self,
        client: AsyncOpenAI,
        *,
        model: str,
        name: str | None = None,
        supports_n: bool = False,
        include_usage: bool = True,
        max_event: int = MAX_EVENT,
    ) -> None:
        self._client = client
        self.model = model
        self.name = name or model
        self.supports_n = supports_n
        self._include_usage = include_usage
        self._max_event = max_event

    async def aclose(self) -> None:
        """Nothing to close: the client is not ours."""

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        async with contextlib.AsyncExitStack() as stack:
            try:
                response = await stack.enter_async_context(self._asked(request))
            except Exception as error:
                raise self.translated(error) from error
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            decoder = answer_decoder(kind, n=request.n, max_event=self._max_event)
            yield AnswerStream(_Body(response, self), decoder, upstream=self.name, redact=self._redacted)

    def _asked(self, request: ChatRequest) -> AbstractAsyncContextManager[Any]:
        body = request_body(
            model=self.model,
            messages=request.messages,
            params=request.params,
            n=request.n,
            include_usage=self._include_usage,
        )
        messages: Any = list(body.pop("messages"))
        # What the SDK has no argument for must pass as well: all but the required goes as extra fields of the body.
        return self._client.chat.completions.with_streaming_response.create(
            model=body.pop("model"),
            messages=messages,
            stream=body.pop("stream"),
            extra_body=body,
            extra_headers=beside(request.headers, (*self._client.default_headers, *_SECRETS)) or None,
        )

    def translated(self, error: Exception, *, mid_stream: bool = False) -> UpstreamError:
        """An error of the SDK, or of the HTTP library below it, as an error of the leg."""
        import openai

        if isinstance(error, openai.APIStatusError):
            message = f"HTTP {error.status_code}: {_said(error)}"
            return UpstreamStatusError(
                self._redacted(message),
                upstream=self.name,
                status=error.status_code,
                code=error.code,
                retry_after=retry_after_of(error.response.headers, now=time.time()),
            )
        # In mid-stream the errors of the HTTP library come bare, and there are several that the SDK can work with.
        if isinstance(error, openai.APITimeoutError | TimeoutError) or "Timeout" in type(error).__name__:
            phase = "waiting for the next token" if mid_stream else "waiting for the first token"
            return UpstreamTimeoutError(f"timed out {phase}", upstream=self.name)
        if isinstance(error, openai.APIConnectionError):
            reason = error.__cause__ or error
            return UpstreamConnectError(self._redacted(f"no connection: {reason}"), upstream=self.name)
        if mid_stream:
            return UpstreamInterruptedError("the connection broke off in the answer", upstream=self.name)
        return UpstreamError(self._redacted(f"{type(error).__name__}: {error}"), upstream=self.name)

    def _redacted(self, message: str) -> str:
        key = self._client.api_key
        return message.replace(key, "***") if key else message


class _Body:
    """The bytes of one reply. How long they may take is the client's setting."""

    def __init__(self, response: Any, upstream: SDKUpstream) -> None:
        self._chunks: AsyncIterator[bytes] = response.iter_bytes()
        self._upstream = upstream

    def expect(self, phase: Phase) -> None:
        pass

    async def receive(self) -> bytes:
        try:
            async for chunk in self._chunks:
                if chunk:
                    return chunk
        except Exception as error:
            raise self._upstream.translated(error, mid_stream=True) from error
        return b""

    async def finish(self) -> None:
        """Read on to the end of the reply if it is near, so that its connection can serve again."""
        with contextlib.suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(_LINGER):
                while await self.receive():
                    pass


def _said(error: Any) -> str:
    """The server's own words, without the SDK's wrapping."""
    body = error.body
    said = body.get("message") if isinstance(body, dict) else None
    line = " ".join(str(said or error.message).split())
    return line[:_MESSAGE_LIMIT]

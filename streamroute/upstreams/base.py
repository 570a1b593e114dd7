"""The port to a model: one method, and what it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from streamroute.core.types import Delta

Message = Mapping[str, Any]
"""One chat message in OpenAI's shape: `{"role": ..., "content": ...}`, further fields passed on untouched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What one leg asks of its upstream.

    `params` are further fields of an OpenAI chat-completions body (temperature, max_tokens, seed, tools ...), passed on
    untouched. `n` > 1 is only ever asked of upstreams whose `supports_n` is True. `probe` is True for probe samples,
    which must never slow down an answer that runs beside them. `retrying` is told of each failure after which the
    upstream is asked again. `headers` go with it where it goes over HTTP: they tell whose request it is
    (`x-request-id`, `traceparent`), and never take the place of the upstream's own.
    """

    messages: tuple[Message, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    n: int = 1
    probe: bool = False
    retrying: Callable[[Exception], None] | None = field(default=None, compare=False, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Upstream(Protocol):
    """A model that can be asked.

    `stream` is an async context manager over the deltas of one request. Leaving it, in any phase and for any reason,
    ends the request at the model: the connection is closed, the slot is free. Its iterator ends normally only after
    every choice gave a `finish_reason`; usage, where known, comes on the last delta. It raises only
    `streamroute.errors.UpstreamError`.
    """

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def supports_n(self) -> bool: ...

    def stream(self, request: ChatRequest) -> AbstractAsyncContextManager[AsyncIterator[Delta]]: ...

    async def aclose(self) -> None: ...

"""The port to an upstream that can give its own bytes, for replies that are passed on as they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol, runtime_checkable

from streamroute.errors import UpstreamError
from streamroute.upstreams._answer import Phase
from streamroute.wire.errors import WireError

__all__ = ("ABSENT", "CLIENTS_FAULT", "RelayedReply", "Relays")

CLIENTS_FAULT: Final = frozenset((400, 413, 422))
"""Statuses that say of a request that it is wrong, wherever it is sent."""
ABSENT: Final = 404
"""To a chat, that the operator named a model or an address that is not there; all else a server need not have."""


class RelayedReply(Protocol):
    """One reply, as it comes: its status is 2xx, one of `CLIENTS_FAULT` or, but to a chat, `ABSENT`. `content_type` is
    the header's value."""

    @property
    def status(self) -> int: ...

    @property
    def content_type(self) -> str: ...

    def expect(self, phase: Phase) -> None:
        """A new wait begins: its deadline counts from now on, over as many calls of `receive` as it takes."""
        ...

    async def receive(self) -> bytes:
        """The next bytes; empty when they have ended. Raises `UpstreamError`."""
        ...

    async def whole(self) -> bytes:
        """All that there is; of a reply about the client's fault without our secrets. Raises `UpstreamError`."""
        ...

    def fault(self, error: WireError) -> UpstreamError:
        """What is wrong with the bytes, as an error of this upstream's."""
        ...

    async def finish(self) -> None:
        """The answer has ended before the bytes. Never raises `UpstreamError`."""
        ...


@runtime_checkable
class Relays(Protocol):
    """What an `Upstream` also is whose bytes can be passed on. `serves` are its endpoints ("chat", "completions",
    "embeddings"), `tells_usage` says whether it takes `stream_options`."""

    @property
    def serves(self) -> Collection[str]: ...

    @property
    def tells_usage(self) -> bool: ...

    def relay(
        self, endpoint: str, document: Mapping[str, Any], *, headers: Mapping[str, str] = ...
    ) -> AbstractAsyncContextManager[RelayedReply]:
        """Ask `endpoint` for `document`, in which only the model is replaced by the upstream's own; `headers` as in
        `ChatRequest`. Entering raises
        `UpstreamError` for whatever is not a `RelayedReply`. Leaving it, in any phase, ends the request at the model.
        """
        ...

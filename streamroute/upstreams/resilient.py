"""Any upstream, with what a server that fails now and then needs: another try, and being left alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import Any, Protocol

import anyio

from streamroute.core.types import Delta
from streamroute.errors import UpstreamUnavailableError
from streamroute.upstreams.base import ChatRequest, Upstream
from streamroute.upstreams.breaker import Breaker
from streamroute.upstreams.relay import RelayedReply, Relays
from streamroute.upstreams.retry import RetryPolicy

__all__ = ("Resilient", "ResilientRelay")


class Resilient:
    """`upstream`, asked again by `retry` where it failed before the first content of its answer, never after it: what
    a reader may have seen is not said anew. While `breaker` is open it is not asked: `UpstreamUnavailableError`.

    Probes are asked once: another sample is worth less than what a struggling server is spared. `stream` gives its
    iterator when the answer has begun. Closing this closes `upstream`.
    """

    def __init__(self, upstream: Upstream, *, retry: RetryPolicy | None = None, breaker: Breaker | None = None) -> None:
        self._upstream = upstream
        self.retry = retry or RetryPolicy()
        self.breaker = breaker or Breaker(name=upstream.name)

    @property
    def name(self) -> str:
        return self._upstream.name

    @property
    def model(self) -> str:
        return self._upstream.model

    @property
    def supports_n(self) -> bool:
        return self._upstream.supports_n

    async def aclose(self) -> None:
        await self._upstream.aclose()

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        attempt = 0
        failure: Exception | None = None
        while True:
            attempt += 1
            try:
                trial = self.breaker.check()
            except UpstreamUnavailableError as refused:
                raise failure or refused from None  # what opened the breaker says more than that it is open
            async with AsyncExitStack() as stack:
                try:
                    deltas = await stack.enter_async_context(self._upstream.stream(request))
                    begun = await _until_content(deltas)
                except Exception as error:
                    failure = error
                    self.breaker.failed(error, trial=trial)
                    delay = None if request.probe else self.retry.delay(attempt, error)
                    if delay is None:
                        raise
                    if request.retrying is not None:
                        request.retrying(error)
                except BaseException:
                    self.breaker.left(trial=trial)
                    raise
                else:
                    self.breaker.spoke()
                    yield _Answer(begun, deltas, self.breaker)
                    return
            await anyio.sleep(delay)  # the failed request is closed


class _Relaying(Upstream, Relays, Protocol):
    """A model that can be asked either way."""


class ResilientRelay(Resilient):
    """One whose bytes can be passed on: see `Relays`. Who passes them on sees what they say, and so when a try may be
    repeated: `relay` itself neither repeats nor asks the breaker."""

    def __init__(
        self, upstream: _Relaying, *, retry: RetryPolicy | None = None, breaker: Breaker | None = None
    ) -> None:
        super().__init__(upstream, retry=retry, breaker=breaker)
        self._relay = upstream
        self.serves = upstream.serves
        self.tells_usage = upstream.tells_usage

    def relay(
        self, endpoint: str, document: Mapping[str, Any], *, headers: Mapping[str, str] = MappingProxyType({})
    ) -> AbstractAsyncContextManager[RelayedReply]:
        return self._relay.relay(endpoint, document, headers=headers)


async def _until_content(deltas: AsyncIterator[Delta]) -> list[Delta]:
    """What is said up to the first content, or to the end of an answer that has none."""
    begun: list[Delta] = []
    async for delta in deltas:
        begun.append(delta)
        if delta.has_content:
            break
    return begun


class _Answer:
    """The deltas of an answer that has begun, whose end the breaker is told of. It is no trial any more."""

    __slots__ = ("_begun", "_breaker", "_deltas", "_over")

    def __init__(self, begun: list[Delta], deltas: AsyncIterator[Delta], breaker: Breaker) -> None:
        self._begun = begun[::-1]
        self._deltas = deltas
        self._breaker = breaker
        self._over = False

    def __aiter__(self) -> _Answer:
        return self

    async def __anext__(self) -> Delta:
        if self._begun:
            return self._begun.pop()
        try:
            return await anext(self._deltas)
        except StopAsyncIteration:
            if not self._over:
                self._over = True
                self._breaker.succeeded()
            raise
        except Exception as error:
            self._over = True
            self._breaker.failed(error, trial=False)
            raise

"""Any upstream, with what a server that fails now and then needs: another try, and being left alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import anyio

from streamroute.core.types import Delta
from streamroute.errors import UpstreamUnavailableError
from streamroute.upstreams.base import ChatRequest, Upstream
from streamroute.upstreams.breaker import Breaker
from streamroute.upstreams.retry import RetryPolicy

__all__ = ("Resilient",)

S = TypeVar("S")
T = TypeVar("T")


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

    @property
    def relay(self) -> Any:
        """The upstream's own, asked again where it raises on entering: what comes later its reader may have passed on.
        `AttributeError` where the upstream has none; and so `serves` and `tells_usage`, which go with it."""
        relay = self._upstream.relay  # type: ignore[attr-defined]
        return lambda *asked: self._relayed(lambda: relay(*asked))

    @property
    def serves(self) -> Any:
        return self._upstream.serves  # type: ignore[attr-defined]

    @property
    def tells_usage(self) -> Any:
        return self._upstream.tells_usage  # type: ignore[attr-defined]

    async def aclose(self) -> None:
        await self._upstream.aclose()

    def stream(self, request: ChatRequest) -> AbstractAsyncContextManager[AsyncIterator[Delta]]:
        retry = None if request.probe else self.retry
        return self._begun(lambda: self._upstream.stream(request), self._answer, retry, request.retrying)

    async def _answer(self, deltas: AsyncIterator[Delta]) -> AsyncIterator[Delta]:
        return _Answer(await _until_content(deltas), deltas, self.breaker)

    @asynccontextmanager
    async def _relayed(self, ask: Callable[[], AbstractAsyncContextManager[T]]) -> AsyncGenerator[T]:
        async with self._begun(ask, _as_it_is, self.retry) as reply:
            try:
                yield reply
            except Exception as error:
                self.breaker.failed(error, trial=False)
                raise
            self.breaker.succeeded()

    @asynccontextmanager
    async def _begun(
        self,
        ask: Callable[[], AbstractAsyncContextManager[S]],
        begin: Callable[[S], Awaitable[T]],
        retry: RetryPolicy | None,
        retrying: Callable[[Exception], None] | None = None,
    ) -> AsyncGenerator[T]:
        """What `begin` makes of what was asked for, as soon as one try comes so far."""
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
                    begun = await begin(await stack.enter_async_context(ask()))
                except Exception as error:
                    failure = error
                    self.breaker.failed(error, trial=trial)
                    delay = None if retry is None else retry.delay(attempt, error)
                    if delay is None:
                        raise
                    if retrying is not None:
                        retrying(error)
                except BaseException:
                    self.breaker.left(trial=trial)
                    raise
                else:
                    self.breaker.spoke()
                    yield begun
                    return
            await anyio.sleep(delay)  # the failed request is closed


async def _as_it_is(reply: T) -> T:
    return reply


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

"""What routes hold in common, and several generations of routes: models with their connections, and the judge."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import anyio
import msgspec

from streamroute.config.secrets import secret
from streamroute.config.settings import LimitSettings, LocalSettings, UpstreamSettings
from streamroute.config.upstreams import PriceSettings
from streamroute.uncertainty.base import EntailmentModel
from streamroute.upstreams.base import Upstream

if TYPE_CHECKING:
    from streamroute.nli.lazy import LazyModel
    from streamroute.upstreams.local import LocalUpstream

__all__ = ("Pool",)


class Pool:
    """An async context manager: leaving it closes the judge. Of one event loop.

    An upstream is opened for the first that holds it and closed after the last: those who ask for equal settings (and
    an equal key) hold the same one, with its connections, its loaded model and its state. With `lazily` the judge is
    loaded when it is first asked, or waited for by `judge_loaded`.
    """

    def __init__(self, *, lazily: bool = False) -> None:
        self._lazily = lazily
        self._upstreams: list[_Held] = []
        self._model: EntailmentModel | None = None
        self._lazy: LazyModel | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def judge(self) -> EntailmentModel:
        """The bundled NLI model, one for all. Raises `ModelFileError`."""
        if self._model is None:
            from streamroute.nli.judge import bundled_model, lazy_model

            if self._lazily:
                self._model = self._lazy = await self._stack.enter_async_context(lazy_model())
            else:
                self._model = await self._stack.enter_async_context(bundled_model())
        return self._model

    async def judge_loaded(self) -> None:
        """Loads a judge that is to be loaded lazily, where somebody judges. Raises what its loading does."""
        if self._lazy is not None:
            await self._lazy.loaded()

    @asynccontextmanager
    async def upstream(
        self, settings: UpstreamSettings, *, probes: bool, most: int = LimitSettings().reply_bytes
    ) -> AsyncGenerator[Upstream]:
        """Hold a model; a local one is loaded inside, with `probes` for those too. A reply of it may have `most` bytes.
        Raises `ConfigError` for an environment variable or a model that is not there, `ModelFileError`."""
        made_of = (msgspec.structs.replace(settings, **_NOT_ITS_OWN), _api_key(settings), most)
        held = next((held for held in self._upstreams if held.made_of == made_of), None)
        if held is None:
            held = _Held(made_of, _opened(settings, *made_of[1:]))
            self._upstreams.append(held)
        held.holders += 1
        try:
            if isinstance(settings, LocalSettings):
                # Loaded now: a missing file is a reason not to start, and no request should wait for it.
                await cast("LocalUpstream", held.upstream).start(probes=probes)
            yield held.upstream
        finally:
            held.holders -= 1
            if not held.holders:
                self._upstreams.remove(held)
                await held.upstream.aclose()


_NOT_ITS_OWN: dict[str, Any] = {"params": {}, "system": None, "price": PriceSettings(), "prefill": False}
"""What a tier adds to a model: where only that changes, the model stays open."""


class _Held:
    """An open model, what it was made of, and how many hold it."""

    def __init__(self, made_of: tuple[UpstreamSettings, str | None, int], upstream: Upstream) -> None:
        self.made_of = made_of
        self.upstream = upstream
        self.holders = 0


def _api_key(settings: UpstreamSettings) -> str | None:
    if isinstance(settings, LocalSettings):
        return None
    return secret(f"upstream {settings.name}", env=settings.api_key_env, file=settings.api_key_file)


def _opened(settings: UpstreamSettings, api_key: str | None, most: int) -> Upstream:
    if isinstance(settings, LocalSettings):
        return _local(settings)
    from streamroute.upstreams.breaker import Breaker
    from streamroute.upstreams.openai import OpenAIUpstream, Timeouts
    from streamroute.upstreams.resilient import ResilientRelay
    from streamroute.upstreams.retry import RetryPolicy

    upstream = OpenAIUpstream(
        name=settings.name,
        base_url=settings.base_url,
        model=settings.model,
        api_key=api_key,
        supports_n=settings.supports_n,
        include_usage=settings.include_usage,
        serves=settings.serves,
        max_reply=most,
        timeouts=Timeouts(**msgspec.to_builtins(settings.timeouts)),
    )
    breaker = Breaker(settings.breaker.failures, settings.breaker.seconds, name=settings.name, clock=anyio.current_time)
    return ResilientRelay(upstream, retry=RetryPolicy(**msgspec.to_builtins(settings.retries)), breaker=breaker)


def _local(settings: LocalSettings) -> LocalUpstream:
    from streamroute.models.store import path_of
    from streamroute.upstreams.local import LocalUpstream

    more: dict[str, Any] = {} if settings.context is None else {"context": settings.context}
    if settings.model is not None:
        return LocalUpstream.from_manifest(settings.model, name=settings.name, threads=settings.threads, **more)
    file = Path(settings.file or "")
    return LocalUpstream(
        lambda: path_of(str(file)), name=settings.name, model=file.name, threads=settings.threads, **more
    )

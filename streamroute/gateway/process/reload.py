"""Settings that are read again while requests are served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

import msgspec
from anyio.abc import TaskGroup

from streamroute.config.check import Severity, check
from streamroute.config.compose import compose
from streamroute.config.pool import Pool
from streamroute.config.settings import ServerSettings, Settings
from streamroute.errors import ConfigError, StreamrouteError
from streamroute.gateway.log import Logger
from streamroute.gateway.process.generation import Generation, Generations
from streamroute.gateway.process.orders import Orders
from streamroute.uncertainty.base import Scorer

__all__ = ("Reloader", "open_generation", "read_again", "without_restart")

_LIVE: Final = ("drain_seconds",)
"""All else of the server's own settings is part of what is open already."""


def without_restart(old: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """`new` with what cannot be changed as it was, and the names of what had to be kept."""
    kept = {name: getattr(old.server, name) for name in ServerSettings.__struct_fields__ if name not in _LIVE}
    names = [f"server.{name}" for name, value in kept.items() if getattr(new.server, name) != value]
    return msgspec.structs.replace(new, server=msgspec.structs.replace(new.server, **kept)), names


def read_again(reread: Callable[[], Settings], old: Settings, log: Logger) -> Settings:
    """The new settings, with what cannot be changed as in `old`, which is logged. Raises what `reread` raises."""
    settings, names = without_restart(old, reread())
    if names:
        log.warning("reload", message=f"{', '.join(names)}: only a restart changes this")
    return settings


async def open_generation(
    settings: Settings, *, pool: Pool, scorer: Scorer | None, log: Logger, before: Generation | None = None
) -> Generation:
    """Check the settings and open their routes. Raises `ConfigError` or `ModelFileError` for what cannot be served, or
    is an error to `check`; its warnings are logged."""
    for finding in await check(settings):
        if finding.severity is Severity.ERROR:
            raise ConfigError(f"{finding.subject}: {finding.message}")
        if finding.severity is Severity.WARNING:
            log.warning("configuration", subject=finding.subject, message=finding.message)
    async with AsyncExitStack() as stack:
        routes = await stack.enter_async_context(
            compose(settings, scorer=scorer, pool=pool, before=None if before is None else before.routes)
        )
        return Generation(settings, routes, stack.pop_all().aclose)
    raise AssertionError("unreachable")


class Reloader:
    """Replaces the generation whenever `orders` say so, one replacement at a time. What cannot be read or served is
    logged, and changes nothing. `group` runs what waits for old generations to end."""

    def __init__(
        self,
        generations: Generations,
        orders: Orders,
        *,
        pool: Pool,
        scorer: Scorer | None,
        group: TaskGroup,
        log: Logger,
    ) -> None:
        self._generations = generations
        self._orders = orders
        self._pool = pool
        self._scorer = scorer
        self._group = group
        self._log = log

    async def run(self) -> None:
        await self.load_judge()
        while True:
            await self._orders.reload.wait()
            self._orders.reload.clear()
            await self._reload()

    async def load_judge(self) -> None:
        """Without it routes fall back as they do when it fails."""
        try:
            await self._pool.judge_loaded()
        except Exception as error:  # onnxruntime raises its own
            self._log.warning("judge", error=f"could not be loaded: {error}")

    async def _reload(self) -> None:
        assert self._orders.reread is not None
        try:
            settings = await asyncio.to_thread(read_again, self._orders.reread, self._generations.settings, self._log)
            new = await open_generation(
                settings, pool=self._pool, scorer=self._scorer, log=self._log, before=self._generations.current
            )
        except (StreamrouteError, OSError) as error:
            self._log.warning("reload", error=str(error), message="the settings stay as they were")
            return
        except Exception:  # a bug must not end the server
            self._log.exception("reload")
            return
        self._group.start_soon(_retire, self._generations.replace(new), name="retire")
        self._orders.reloaded(settings)
        self._log.info("reloaded", routes=list(new.routes))
        await self.load_judge()


async def _retire(old: Generation) -> None:
    await old.over.wait()
    await old.aclose()

"""`streamroute serve`: open the routes, listen, and stop without dropping what is being said."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import anyio
from aiohttp import web

from streamroute.config.pool import Pool
from streamroute.config.settings import ServerSettings, Settings
from streamroute.errors import ConfigError
from streamroute.gateway.app import create_app
from streamroute.gateway.journal import Journal
from streamroute.gateway.keys import IN_FLIGHT
from streamroute.gateway.ledger.ledger import opened_ledger
from streamroute.gateway.log import Logger, json_logger
from streamroute.gateway.observe.tracing import traced
from streamroute.gateway.process.generation import Generations
from streamroute.gateway.process.guard import GuardedRunner
from streamroute.gateway.process.orders import Orders, by_signals
from streamroute.gateway.process.reload import Reloader, open_generation
from streamroute.gateway.process.sockets import BACKLOG, address_of, bound, listen
from streamroute.gateway.shadows import Shadows
from streamroute.uncertainty.base import Scorer

__all__ = ("listening", "loop_factory", "run", "serve")


def run(
    settings: Settings,
    *,
    ready: Callable[[str], None] | None = None,
    reread: Callable[[], Settings] | None = None,
) -> None:
    """`serve` in as many processes as `server.workers` says, each on a loop of its own, uvloop's where it is installed.
    Returns after SIGTERM or SIGINT. `ready` is called with the address once all listen.

    More than one start Python anew, as `multiprocessing` does with its method "spawn": a script that calls this must
    be guarded by `if __name__ == "__main__"`.
    """
    if settings.server.workers > 1:
        from streamroute.gateway.process.workers import supervise

        supervise(settings, ready=ready, reread=reread)
        return
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(settings, ready=ready, reread=reread))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, or None for the standard one."""
    try:
        import uvloop
    except ImportError:  # not on Windows
        return None
    return uvloop.new_event_loop


async def serve(
    settings: Settings,
    *,
    ready: Callable[[str], None] | None = None,
    reread: Callable[[], Settings] | None = None,
    log: Logger | None = None,
    scorer: Scorer | None = None,
    socks: Sequence[socket.socket] | None = None,
    orders: AbstractContextManager[Orders] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, or what `orders` say instead of signals. Then let what runs go on for
    `server.drain_seconds` and tell all others that the server stops; end the rest. A second signal does not wait.

    On SIGHUP the settings that `reread` gives (it may block) take the place of the old ones for every request that
    comes from then on; where they cannot be served, that is logged and the old ones stay. `ready` is called with the
    address once it listens, at `socks` if those are given; the bundled judge is loaded after that. Raises `ConfigError`
    or `ModelFileError` for settings that cannot be served, or that `check` finds an error in.
    """
    log = json_logger(texts=settings.server.log_texts) if log is None else log
    api_key = _api_key(settings.server)
    journal = Journal(_path(settings.server.records_file), _path(settings.server.feedback_file))
    async with Pool(lazily=True) as pool, AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(opened_ledger(settings.server))
        socks = stack.enter_context(bound(settings.server)) if socks is None else socks
        generations = Generations(await open_generation(settings, pool=pool, scorer=scorer, log=log))
        stack.push_async_callback(generations.aclose)
        listen(socks, settings.server)
        told = stack.enter_context(by_signals(reread) if orders is None else orders)
        tracing = await stack.enter_async_context(traced(settings, log))
        background = await stack.enter_async_context(anyio.create_task_group())
        app = create_app(
            generations.current.routes,
            api_key=api_key,
            max_body_bytes=settings.server.max_body_bytes,
            log=log,
            journal=journal,
            shadows=Shadows(background, journal, log, generations),
            generations=generations,
            ledger=ledger,
            keep_alive=settings.server.keep_alive,
            limits=settings.server.limits,
            log_texts=settings.server.log_texts,
            tracing=tracing,
        )
        reloader = Reloader(generations, told, pool=pool, scorer=scorer, group=background, log=log)
        async with listening(app, settings.server, socks=socks) as address:
            background.start_soon(_hurried, told, app, name="hurry")
            background.start_soon(reloader.run, name="reload")
            log.info("listening", address=address, routes=list(generations.current.routes))
            if ready is not None:
                ready(address)
            await told.stop.wait()
            log.info("stopping", running=len(app[IN_FLIGHT]))
            await app[IN_FLIGHT].drain(generations.settings.server.drain_seconds)
        background.cancel_scope.cancel("shutdown")


@asynccontextmanager
async def listening(
    app: web.Application, settings: ServerSettings, *, socks: Sequence[socket.socket] | None = None
) -> AsyncGenerator[str]:
    """Listen while inside, at `socks` if those are given; gives the address. Leaving it refuses new requests with 503
    until those that run have ended, or `drain_seconds` have; then it closes. Raises `ConfigError` where it cannot
    listen."""
    # Our own drain comes before aiohttp's shutdown, which then has nothing left to wait for.
    runner = GuardedRunner(app, settings.limits, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    with ExitStack() as stack:
        socks = stack.enter_context(bound(settings)) if socks is None else socks
        listen(socks, settings)
        await runner.setup()
        try:
            for sock in socks:
                await web.SockSite(runner, sock, backlog=BACKLOG).start()
            yield address_of(socks)
            await app[IN_FLIGHT].drain(settings.drain_seconds)
        finally:
            await runner.cleanup()


async def _hurried(orders: Orders, app: web.Application) -> None:
    await orders.hurry.wait()
    app[IN_FLIGHT].hurry()


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def _api_key(settings: ServerSettings) -> str | None:
    if settings.api_key_env is None:
        return None
    key = os.environ.get(settings.api_key_env)
    if not key:
        raise ConfigError(f"server.api_key_env: the environment variable {settings.api_key_env} is not set")
    return key

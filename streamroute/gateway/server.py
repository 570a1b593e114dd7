"""`streamroute serve`: open the routes, listen, and stop without dropping what is being said."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
from aiohttp import web

from streamroute.config.check import Severity, check
from streamroute.config.compose import compose
from streamroute.config.settings import ServerSettings, Settings
from streamroute.errors import ConfigError
from streamroute.gateway.app import create_app
from streamroute.gateway.journal import Journal
from streamroute.gateway.keys import IN_FLIGHT
from streamroute.gateway.log import Logger, json_logger
from streamroute.gateway.shadows import Shadows
from streamroute.gateway.tracing import traced
from streamroute.uncertainty.base import Scorer

__all__ = ("listening", "run", "serve")


def run(settings: Settings, *, ready: Callable[[str], None] | None = None) -> None:
    """`serve` on a loop of its own, uvloop's where it is installed. Returns after SIGTERM or SIGINT."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    try:
        import uvloop

        factory = uvloop.new_event_loop
    except ImportError:  # not on Windows
        pass
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(settings, ready=ready))


async def serve(
    settings: Settings,
    *,
    ready: Callable[[str], None] | None = None,
    log: Logger | None = None,
    scorer: Scorer | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then take no more, let what runs go on for `server.drain_seconds`, end the rest.

    `ready` is called with the address once it listens. Raises `ConfigError` or `ModelFileError` for settings that
    cannot be served, or that `check` finds an error in. A second signal does not wait.
    """
    log = json_logger() if log is None else log
    stop = asyncio.Event()
    api_key = _api_key(settings.server)
    for finding in await check(settings):
        if finding.severity is Severity.ERROR:
            raise ConfigError(f"{finding.subject}: {finding.message}")
        if finding.severity is Severity.WARNING:
            log.warning("configuration", subject=finding.subject, message=finding.message)
    journal = Journal(_path(settings.server.records_file), _path(settings.server.feedback_file))
    async with (
        traced(settings, log) as tracing,
        compose(settings, scorer=scorer) as routes,
        anyio.create_task_group() as background,
    ):
        app = create_app(
            routes,
            api_key=api_key,
            max_body_bytes=settings.server.max_body_bytes,
            log=log,
            journal=journal,
            shadows=Shadows(background, journal, log),
            tracing=tracing,
        )
        async with listening(app, settings.server) as address:
            with _signals(stop):
                log.info("listening", address=address, routes=list(routes))
                if ready is not None:
                    ready(address)
                await stop.wait()
            # From here on a signal has its default effect again.
            log.info("stopping", running=len(app[IN_FLIGHT]))
        background.cancel_scope.cancel("shutdown")


@asynccontextmanager
async def listening(app: web.Application, settings: ServerSettings) -> AsyncGenerator[str]:
    """Listen while inside; gives the address. Leaving it drains and closes. Raises `ConfigError` where it cannot."""
    # Our own drain comes before aiohttp's shutdown, which then has nothing left to wait for.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}") from error
        host, port = runner.addresses[0][:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        await site.stop()
        await app[IN_FLIGHT].drain(settings.drain_seconds)
    finally:
        await runner.cleanup()


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    caught = [signal.SIGTERM, signal.SIGINT]
    for number in caught:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def _api_key(settings: ServerSettings) -> str | None:
    if settings.api_key_env is None:
        return None
    key = os.environ.get(settings.api_key_env)
    if not key:
        raise ConfigError(f"server.api_key_env: the environment variable {settings.api_key_env} is not set")
    return key

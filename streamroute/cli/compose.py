"""From command-line options to an open router."""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from rich.console import Console

from streamroute.config.compose import compose
from streamroute.config.load import embedded, load
from streamroute.config.settings import LocalSettings, RouteSettings, Settings
from streamroute.core.types import Release
from streamroute.errors import ConfigError, ModelFileError
from streamroute.models import store
from streamroute.models.manifest import load_manifest
from streamroute.routing.router import Router

__all__ = ("RouteOptions", "embedded_models", "missing_models", "open_router", "open_showing", "require", "resolve")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOptions:
    """Which route to open and what to change of its settings. None leaves a setting as it is."""

    config: str | None = None
    route: str | None = None
    release: str | None = None
    probes: int | None = None
    threshold: float | None = None
    decision_deadline: float | None = None

    @classmethod
    def of(cls, args: argparse.Namespace) -> RouteOptions:
        return cls(
            config=args.config,
            route=args.route,
            release=args.release,
            probes=args.probes,
            threshold=args.threshold,
        )


def resolve(options: RouteOptions) -> tuple[Settings, RouteSettings]:
    """The settings with one route, changed as the options say. Raises `ConfigError` for what is not there."""
    settings = embedded() if options.config is None else load(options.config)
    names = [route.name for route in settings.routes]
    if options.route is not None and options.route not in names:
        raise ConfigError(f"no route is called {options.route!r}; there is {', '.join(names)}")
    route = settings.routes[0] if options.route is None else settings.route(options.route)
    changes: dict[str, Any] = {}
    if options.release is not None:
        changes["release"] = Release(options.release)
    if options.threshold is not None:
        changes.update(threshold=options.threshold, calibration=None, escalation_rate=None, spend_per_request=None)
    if options.decision_deadline is not None:
        changes["decision_deadline"] = options.decision_deadline
    if options.probes is not None:
        wave = None if route.probes.wave is None else min(route.probes.wave, options.probes)
        changes["probes"] = msgspec.structs.replace(route.probes, count=options.probes, wave=wave)
    route = msgspec.structs.replace(route, **changes)
    return msgspec.structs.replace(settings, routes=(route,)), route


@asynccontextmanager
async def open_router(options: RouteOptions) -> AsyncGenerator[Router]:
    """Open the route's models and the judge. Raises `ConfigError` or `ModelFileError`, with nothing left open."""
    settings, route = resolve(options)
    require(missing_models(settings, route.tiers))
    async with compose(settings, routes=[route.name]) as served:
        yield served[route.name].router


async def open_showing(stack: AsyncExitStack, options: RouteOptions, console: Console | None) -> Router:
    """`open_router` on a stack; a terminal is told what it waits for."""
    if console is None or not console.is_terminal:
        return await stack.enter_async_context(open_router(options))
    with console.status("loading the models"):
        return await stack.enter_async_context(open_router(options))


def embedded_models() -> tuple[str, ...]:
    """Manifest names of the embedded tiers' models, cheapest first."""
    return tuple(one.model for one in embedded().upstreams if isinstance(one, LocalSettings) and one.model is not None)


def missing_models(settings: Settings, tiers: Sequence[str]) -> tuple[str, ...]:
    """Manifest names of the tiers' models whose files are not here. Wrong names and broken files are `compose`'s."""
    manifest = load_manifest()
    wanted = [one.model for name in tiers if isinstance(one := settings.upstream(name), LocalSettings)]
    found = (name for name in wanted if name is not None and name in manifest)
    missing = (name for name in found if not (store.default_models_dir() / manifest[name].file).is_file())
    return tuple(dict.fromkeys(missing))


def require(missing: Sequence[str]) -> None:
    """Raises `ModelFileError` with the command that fetches these models, if there are any."""
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        listed = " and ".join(missing)
        raise ModelFileError(f"{listed} {verb} not downloaded yet: run `streamroute models pull {' '.join(missing)}`")

"""`streamroute serve`: the gateway, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
from functools import partial

from rich.console import Console

from streamroute.cli.compose import missing_models, require
from streamroute.config.load import embedded, load, serving
from streamroute.config.settings import Settings
from streamroute.gateway.process.server import run as serve

__all__ = ("run", "settings_of")


def run(args: argparse.Namespace) -> int:
    reread = partial(settings_of, args.config, host=args.host, port=args.port, workers=args.workers)
    settings = reread()
    require(missing_models(settings, [tier for route in settings.routes for tier in route.tiers]))
    console = Console(stderr=True)
    names = ", ".join(route.name for route in settings.routes)

    workers = settings.server.workers
    more = f", {workers} workers" if workers > 1 else ""

    def ready(address: str) -> None:
        console.print(
            f"serving {names} at {address}/v1 (Ctrl-C stops{more})", markup=False, highlight=False, soft_wrap=True
        )

    serve(settings, ready=ready, reread=reread)
    return 0


def settings_of(
    config: str | None, *, host: str | None = None, port: int | None = None, workers: int | None = None
) -> Settings:
    """The configuration, or the embedded one, served as the command line says. Raises `ConfigError`."""
    settings = embedded() if config is None else load(config)
    told = {"host": host, "port": port, "workers": workers}
    return serving(settings, **{name: value for name, value in told.items() if value is not None})

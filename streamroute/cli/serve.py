"""`streamroute serve`: the gateway, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec
from rich.console import Console

from streamroute.cli.compose import missing_models, require
from streamroute.config.load import embedded, load
from streamroute.config.settings import Settings
from streamroute.gateway.server import run as serve

__all__ = ("run", "settings_of")


def run(args: argparse.Namespace) -> int:
    settings = settings_of(args.config, host=args.host, port=args.port)
    require(missing_models(settings, [tier for route in settings.routes for tier in route.tiers]))
    console = Console(stderr=True)
    names = ", ".join(route.name for route in settings.routes)

    def ready(address: str) -> None:
        console.print(f"serving {names} at {address}/v1 (Ctrl-C stops)", markup=False, highlight=False, soft_wrap=True)

    serve(settings, ready=ready)
    return 0


def settings_of(config: str | None, *, host: str | None, port: int | None) -> Settings:
    """The configuration, or the embedded one, listening where the command line says."""
    settings = embedded() if config is None else load(config)
    changes: dict[str, Any] = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    return msgspec.structs.replace(settings, server=msgspec.structs.replace(settings.server, **changes))

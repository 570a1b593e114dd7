"""`streamroute check`: can this configuration be served, and is it worth it?"""

from __future__ import annotations

import argparse
import asyncio

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamroute.config.check import Severity, check, outlook
from streamroute.config.economics import Expected
from streamroute.config.load import embedded, load
from streamroute.config.settings import RouteSettings

__all__ = ("run",)

_STYLE = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.ERROR: "red"}


def run(args: argparse.Namespace) -> int:
    """Exit code 2 when something keeps it from being served. Raises `ConfigError` for a file that cannot be read."""
    settings = embedded() if args.config is None else load(args.config)
    console = Console()
    findings = asyncio.run(check(settings, reach=args.reach))
    for finding in findings:
        head = Text(f"{finding.severity:8}", style=_STYLE[finding.severity])
        console.print(head.append(f"{finding.subject}: {finding.message}", style="default"), soft_wrap=True)
    for route in settings.routes:
        expected = outlook(settings, route)
        if expected is not None:
            console.print(_outlook_table(route, expected))
    return 2 if any(finding.severity is Severity.ERROR for finding in findings) else 0


def _outlook_table(route: RouteSettings, expected: dict[str, Expected]) -> Table:
    """Closed forms, not measurements: what the stated timings and prices come to."""
    table = Table(title=f"route {route.name}: expected, with {route.expected.escalated:.0%} escalated")
    for column in ("", "first token", "first kept token", "withdrawn", "money per 1,000"):
        table.add_column(column, justify="right" if column else "left")
    for name, one in expected.items():
        table.add_row(
            name,
            f"{one.first:.2f} s",
            f"{one.kept:.2f} s",
            f"{one.withdrawn:.0%}",
            f"{1_000 * one.cost:.3g}",
            style="bold" if name == route.release else None,
        )
    return table

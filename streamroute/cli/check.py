"""`streamroute check`: can this configuration be served, and is it worth it?"""

from __future__ import annotations

import argparse
import asyncio

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamroute.config.check import Severity, check
from streamroute.config.economics import expectations
from streamroute.config.load import embedded, load
from streamroute.config.settings import RouteSettings, Settings

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
        if expectations(settings, route):
            console.print(_table(settings, route))
    return 2 if any(finding.severity is Severity.ERROR for finding in findings) else 0


def _table(settings: Settings, route: RouteSettings) -> Table:
    """What each way to answer is expected to take and to cost (METHOD 5.1)."""
    source = "stated timings" if route.timings else "default timings: state [route.timings]"
    table = Table(
        "", "first token", "first kept", "per 1000 requests", "superseded", title=Text(f"{route.name}, {source}")
    )
    for each in expectations(settings, route):
        numbers = (f"{each.first:.2f} s", f"{each.kept:.2f} s", f"{1000 * each.cost:.4g}", f"{each.superseded:.0%}")
        table.add_row(each.mode, *numbers)
    return table

"""`streamroute check`: can this configuration be served, and is it worth it?"""

from __future__ import annotations

import argparse
import asyncio

from rich.console import Console
from rich.text import Text

from streamroute.config.check import Severity, check
from streamroute.config.load import embedded, load

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
    return 2 if any(finding.severity is Severity.ERROR for finding in findings) else 0

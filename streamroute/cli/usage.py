"""`streamroute usage`: what a ledger says was used and spent, also while it is being written."""

from __future__ import annotations

import argparse
import calendar
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from streamroute.config.load import load
from streamroute.errors import ConfigError
from streamroute.gateway.ledger.export import export
from streamroute.gateway.ledger.schema import read_only
from streamroute.gateway.ledger.usage import Usage, usage

__all__ = ("run",)

WIDE = 300


def run(args: argparse.Namespace) -> int:
    if args.legs and args.export is None:
        raise ConfigError("--legs says what to --export")
    since = 0.0 if args.since is None else moment(args.since)
    with closing(read_only(_place(args.ledger, args.config))) as connection:
        if args.export is not None:
            path = Path(args.export)
            count = export(connection, path, legs=args.legs, since=since)
            print(f"{path}: {count:,} {'legs' if args.legs else 'requests'}", file=sys.stderr)
            return 0
        lines = usage(connection, args.by, since=since)
    if args.json:
        print(json.dumps([line.as_dict() for line in lines]))
    else:
        # Into a pipe, figures are not shortened to the width of a terminal that is not there.
        Console(width=None if sys.stdout.isatty() else WIDE).print(_table(lines, args.by))
    return 0


def moment(text: str) -> float:
    """The beginning of a UTC day, or of a minute of it. Raises `ConfigError`."""
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M"):
        try:
            return calendar.timegm(time.strptime(text, form))
        except ValueError:
            continue
    raise ConfigError(f"--since: expected a UTC date like 2026-11-24 or 2026-11-24T09:30, not {text!r}")


def _place(ledger: str | None, config: str | None) -> str:
    if (ledger is None) == (config is None):
        raise ConfigError("name either the ledger's file or, with --config, the configuration that names it")
    if ledger is not None:
        return ledger
    named = load(config or "").server.ledger_file
    if named is None:
        raise ConfigError(f"{config}: [server] names no ledger_file, so its ledger is in the server's memory")
    return named


def _table(lines: Sequence[Usage], by: str | None) -> Table:
    numbers = ("requests", "failed", "lost", "prompt", "completion", "cost", "answers", "superseded", "probes")
    headers = (Column(name, justify="right", no_wrap=True) for name in numbers)
    table = Table(Column(by or "", no_wrap=True), *headers, box=None, pad_edge=False)
    for line in lines:
        table.add_row(
            line.name or ("(no key)" if by == "key" else ""),
            *(f"{number:,}" for number in (line.requests, line.failed, line.lost)),
            _tokens(line.prompt_counted, line.prompt_estimated),
            _tokens(line.completion_counted, line.completion_estimated),
            f"{line.cost:.6g}{'?' if line.uncertain else ''}",
            *(f"{money:.6g}" for money in (line.answers, line.superseded, line.probes)),
        )
    return table


def _tokens(counted: int, estimated: int) -> str:
    return f"{counted:,}+~{estimated:,}" if estimated else f"{counted:,}"

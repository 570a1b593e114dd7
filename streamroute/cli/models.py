"""`streamroute models`: what is known, what is here, fetching and verifying it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Column, Table

from streamroute.cli.compose import embedded_models
from streamroute.models import fetch, store
from streamroute.models.manifest import load_manifest

__all__ = ("pull_all", "run")


def run(args: argparse.Namespace) -> int:
    console = Console()
    match args.action:
        case "list":
            return _list(console)
        case "pull":
            pull_all(args.names or embedded_models(), console)
            return 0
        case _:
            return _verify(args.names or embedded_models(), console)


def pull_all(names: Sequence[str], console: Console) -> None:
    """Fetch what is missing, one after the other, with progress. Raises `ConfigError` for an unknown name before
    anything is fetched, `ModelFileError` when a file cannot be had."""
    manifest = load_manifest()
    entries = [manifest[name] for name in names]
    with _Bars(console) as bars:
        for entry in entries:
            if store.status(entry).state == "ok":
                bars.say(f"{entry.name}: here already")
                continue
            bars.start(entry.name, entry.bytes)
            fetch.pull(entry.name, progress=bars.update, note=bars.say)
            bars.say(f"{entry.name}: {entry.bytes / 1e6:.0f} MB, SHA-256 checked")


def _list(console: Console) -> int:
    table = Table(Column("model", no_wrap=True), Column("size", no_wrap=True), "here", "licence", "what", box=None)
    for entry in load_manifest().values():
        state = {"ok": "yes", "missing": "no", "corrupted": "corrupted"}[store.status(entry).state]
        table.add_row(entry.name, f"{entry.bytes / 1e6:.0f} MB", state, entry.licence, entry.about)
    console.print(table)
    console.print(f"files: {store.default_models_dir()}", style="dim", soft_wrap=True)
    return 0


def _verify(names: Sequence[str], console: Console) -> int:
    """Exit code 2 when a file is missing or corrupted."""
    manifest = load_manifest()
    entries = [manifest[name] for name in names]
    wrong = 0
    with _Bars(console) as bars:
        for entry in entries:
            bars.start(entry.name, entry.bytes)
            status = store.verify(entry, progress=bars.verified)
            bars.say(f"{entry.name}: ok" if status.state == "ok" else status.detail)
            wrong += status.state != "ok"
    return 2 if wrong else 0


class _Bars:
    """Progress bars on a terminal, a line for each tenth elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("", visible=False)
        self._name, self._total = "", 0
        self._tenth = -1

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def start(self, name: str, total: int) -> None:
        self._name, self._total, self._tenth = name, total, -1
        self._progress.reset(self._task, total=total, description=name, visible=True)

    def verified(self, done: int) -> None:
        self.update(done, self._total, "verify")

    def update(self, done: int, total: int, phase: str) -> None:
        word = "checking" if phase == "verify" else "fetching"
        self._progress.update(self._task, completed=done, description=f"{word} {self._name}")
        tenth = 10 * done // max(total, 1)
        if not self._console.is_terminal and tenth != self._tenth:
            self._tenth = tenth
            self.say(f"{word} {self._name}: {10 * tenth} %")

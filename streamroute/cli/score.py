"""`streamroute score`: which of these answers mean the same, and how unsure is whoever gave them?"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import aclosing
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamroute.cli.scored import picture
from streamroute.errors import BadRequestError
from streamroute.evaluation.sampled import SampledRow, parse_sampled, read_sampled
from streamroute.evaluation.scoring import Scored, score_row
from streamroute.nli.batcher import EntailmentWorker

__all__ = ("load_judge", "run")

MANY_TEXTS = 32
"""Texts of a row above which its matrix is worth a warning."""


def run(args: argparse.Namespace) -> int:
    """Raises `BadRequestError` for arguments that do not go together, `DataFileError` for rows and `ModelFileError` for
    a model that cannot be had, and `ScorerError`."""
    rows = _rows(args)
    if args.matrix:
        _warn(max(len(row.texts) for row in rows))
    asyncio.run(_score(args, rows))
    return 0


def load_judge(name: str | None, manifest: str | None) -> EntailmentWorker:
    from streamroute.nli.model import load_bundled  # onnxruntime: only once there is something to ask

    return load_bundled(name, manifest=Path(manifest) if manifest else None)


def _rows(args: argparse.Namespace) -> list[SampledRow]:
    written = args.question is not None or args.answer is not None or bool(args.sample)
    if args.file is None and not written:
        raise BadRequestError("nothing to score: give a FILE, or --question, --answer and --sample")
    if args.file is None:
        return [SampledRow(args.question or "", args.sample, args.answer)]
    if written:
        raise BadRequestError("either a FILE or --question, --answer and --sample, not both")
    if args.file == "-":
        return parse_sampled(sys.stdin.buffer, name="standard input")
    return read_sampled(Path(args.file))


def _warn(n: int) -> None:
    if n > MANY_TEXTS:
        print(
            f"streamroute score: the full matrix of {n} texts costs {n * (n - 1) // 2:,} passes of the model"
            " (--no-matrix leaves it out)",
            file=sys.stderr,
        )


async def _score(args: argparse.Namespace, rows: list[SampledRow]) -> None:
    """Scores and prints one row after the other. How far it has come is on stderr, and only on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("loading the model", total=None)
        async with aclosing(load_judge(args.model, args.manifest)) as model:
            for number, row in enumerate(rows, start=1):
                bar.reset(task, description=f"pairs of row {number} of {len(rows)}", total=None)
                scored = await score_row(
                    model,
                    row,
                    rule=args.rule,
                    theta=args.theta,
                    matrix=args.matrix,
                    progress=lambda done, total: bar.update(task, completed=done, total=total),
                )
                _print(scored, as_json=args.json, last=number == len(rows))


def _print(scored: Scored, *, as_json: bool, last: bool) -> None:
    if as_json:
        # Escaped: half a surrogate pair, which JSON may hold, is nothing that UTF-8 could.
        print(json.dumps(scored.as_dict(), ensure_ascii=True, allow_nan=False), flush=True)
        return
    console = Console()
    console.print(picture(scored, width=console.width))
    if not last:
        console.rule(style="dim")

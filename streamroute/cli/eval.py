"""`streamroute eval`: how good is the judge, on labelled rows of a file?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from streamroute.cli.routed import routing_tables
from streamroute.cli.scores import nli_tables, pairs_table
from streamroute.evaluation.nli import evaluate_nli
from streamroute.evaluation.pairs import evaluate_pairs
from streamroute.evaluation.routing import evaluate_routing
from streamroute.evaluation.rows import NliRow, PairRow, RoutingRow, Row, labelled, parse_rows, read_rows
from streamroute.evaluation.scoring import Progress
from streamroute.nli.batcher import BlockingModel
from streamroute.nli.manifest import ModelSpec, chosen_model

__all__ = ("load_model", "run")


def run(args: argparse.Namespace) -> int:
    """Raises `ModelFileError` for a model and `DataFileError` for rows that cannot be had."""
    spec = chosen_model(args.model, Path(args.manifest) if args.manifest else None)
    report, picture = _SUITES[args.suite](args, spec)
    if args.json:
        print(json.dumps({"model": spec.name, **report}, ensure_ascii=False, allow_nan=False))
    else:
        Console().print(picture)
    return 0


def load_model(spec: ModelSpec) -> BlockingModel:
    from streamroute.nli.model import CrossEncoder  # onnxruntime: only once there is something to ask

    return CrossEncoder(spec)


def _nli(args: argparse.Namespace, spec: ModelSpec) -> _Outcome:
    rows = _rows(args, NliRow)
    with _at_work(args, spec) as (model, progress):
        report = evaluate_nli(model, rows, progress=lambda done: progress(done, len(rows)))
    return report.as_dict(), nli_tables(report, spec.name)


def _pairs(args: argparse.Namespace, spec: ModelSpec) -> _Outcome:
    rows = _rows(args, PairRow)
    with _at_work(args, spec) as (model, progress):
        report = evaluate_pairs(model, rows, progress=lambda done: progress(done, len(rows)))
    return report.as_dict(), pairs_table(report, spec.name)


def _routing(args: argparse.Namespace, spec: ModelSpec) -> _Outcome:
    rows, unlabelled = labelled(_rows(args, RoutingRow), name=_name(args))
    with _at_work(args, spec) as (model, progress):
        report = evaluate_routing(model, rows, samples=args.samples, folds=args.folds, progress=progress)
    return {"unlabelled": unlabelled, **report.as_dict()}, routing_tables(report, spec.name, unlabelled=unlabelled)


_Outcome = tuple[dict[str, Any], RenderableType]
"""A report for JSON, and one for the eye."""

_SUITES: Mapping[str, Callable[[argparse.Namespace, ModelSpec], _Outcome]] = MappingProxyType(
    {"nli": _nli, "pairs": _pairs, "routing": _routing}
)


def _rows(args: argparse.Namespace, kind: type[Row]) -> list[Row]:
    if args.file == "-":
        return list(parse_rows(sys.stdin.buffer, kind, name=_name(args), limit=args.limit))
    return list(read_rows(Path(args.file), kind, limit=args.limit))


def _name(args: argparse.Namespace) -> str:
    return "standard input" if args.file == "-" else str(args.file)


@contextmanager
def _at_work(args: argparse.Namespace, spec: ModelSpec) -> Generator[tuple[BlockingModel, Progress]]:
    """The loaded model, and what shows how far it has come: on stderr, and only to a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, disable=args.json or not console.is_terminal) as bar:
        task = bar.add_task("loading the model", total=None)
        model = load_model(spec)
        bar.update(task, description="pairs")
        yield model, lambda done, total: bar.update(task, completed=done, total=total)

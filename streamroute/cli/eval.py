"""`streamroute eval`: how good is the judge, on labelled rows of a file?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamroute.cli.scores import nli_tables, pairs_table
from streamroute.errors import ModelFileError
from streamroute.evaluation import asking
from streamroute.evaluation.nli import NliReport, evaluate_nli
from streamroute.evaluation.pairs import PairsReport, evaluate_pairs
from streamroute.evaluation.rows import NliRow, PairRow, Row, parse_rows, read_rows
from streamroute.nli.batcher import BlockingModel
from streamroute.nli.manifest import ModelSpec, bundled_manifest, read_manifest

__all__ = ("load_model", "run")


def run(args: argparse.Namespace) -> int:
    """Raises `ModelFileError` for a model and `DataFileError` for rows that cannot be had."""
    spec = _spec(args.model, args.manifest)
    report, picture = _nli(args, spec) if args.suite == "nli" else _pairs(args, spec)
    if args.json:
        print(json.dumps({"model": spec.name, **report.as_dict()}, ensure_ascii=False))
    else:
        Console().print(picture)
    return 0


def load_model(spec: ModelSpec) -> BlockingModel:
    from streamroute.nli.model import CrossEncoder  # onnxruntime: only once there is something to ask

    return CrossEncoder(spec)


def _nli(args: argparse.Namespace, spec: ModelSpec) -> tuple[NliReport, RenderableType]:
    rows = _rows(args, NliRow)
    with _at_work(spec, len(rows)) as (model, progress):
        report = evaluate_nli(model, rows, progress=progress)
    return report, nli_tables(report, spec.name)


def _pairs(args: argparse.Namespace, spec: ModelSpec) -> tuple[PairsReport, RenderableType]:
    rows = _rows(args, PairRow)
    with _at_work(spec, len(rows)) as (model, progress):
        report = evaluate_pairs(model, rows, progress=progress)
    return report, pairs_table(report, spec.name)


def _spec(name: str | None, manifest: str | None) -> ModelSpec:
    path = Path(manifest) if manifest else bundled_manifest()
    models, default = read_manifest(path)
    chosen = name or default
    if chosen not in models:
        raise ModelFileError(f"{path}: no model {chosen!r} (there are: {', '.join(models)})")
    return models[chosen]


def _rows(args: argparse.Namespace, kind: type[Row]) -> list[Row]:
    if args.file == "-":
        return list(parse_rows(sys.stdin.buffer, kind, name="standard input", limit=args.limit))
    return list(read_rows(Path(args.file), kind, limit=args.limit))


@contextmanager
def _at_work(spec: ModelSpec, pairs: int) -> Generator[tuple[BlockingModel, asking.Progress]]:
    """The loaded model, and what shows how far it has come: on stderr, and only to a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("loading the model", total=None)
        model = load_model(spec)
        bar.update(task, description="pairs", total=pairs)
        yield model, lambda done: bar.update(task, completed=done)

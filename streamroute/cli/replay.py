"""`streamroute replay`: what would other settings have done with routes that were recorded in full?"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamroute.calibration.artefact import read_artefact
from streamroute.cli.eval import load_model
from streamroute.cli.frontier import Point, csv_of, details, plot, side_by_side
from streamroute.core.plan import AutoRelease
from streamroute.errors import BadRequestError, DataFileError
from streamroute.evaluation.rows import RoutingRow
from streamroute.evaluation.simulation.evidence import BlockingJudge, identity, judge_all, load_judged, save_judged
from streamroute.evaluation.simulation.legs import RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing
from streamroute.evaluation.simulation.rescoring import check_binding, rescoring
from streamroute.evaluation.simulation.simulate import JudgeOf
from streamroute.evaluation.simulation.summary import summarise
from streamroute.evaluation.simulation.systems import (
    POLICIES,
    SYSTEMS,
    Settings,
    System,
    auto_of,
    run_system,
    system,
)
from streamroute.evaluation.simulation.timings import Timings, read_timings
from streamroute.evaluation.simulation.traces import read_routes
from streamroute.nli.manifest import chosen_model
from streamroute.uncertainty.combine import most_probes

__all__ = ("load_model", "run")

BASELINES = ("always-cheap", "always-large")
SWEEP_RESAMPLES = 200
"""A sweep has many points, and its intervals are read off a plot."""


def run(args: argparse.Namespace) -> int:
    """Raises `BadRequestError` for arguments that do not go together, `ConfigError`, `DataFileError`, `ModelFileError`
    and `ScorerError`."""
    timings = Timings() if args.timings is None else read_timings(Path(args.timings))
    rows, left_out = read_routes(Path(args.file), limit=args.limit)
    _require_probes(rows, args.probes)
    routes = [RecordedRoute.of(row, timings) for row in rows]
    billing = Billing.of_ratio(
        args.price_ratio,
        prompt=args.prompt_price,
        cancelled="full" if args.bill_cancelled else "generated",
        together=args.probes_together,
    )
    settings = _settings(args, billing)
    chosen = _chosen(args, settings)
    resamples = SWEEP_RESAMPLES if args.sweep else 1000
    with ExitStack() as stack:
        judged = any(each.plan.judge for _, each in chosen)
        judge = _judge(args, settings, stack, routes, timings, judged=judged)
        rescore = None if settings.calibration is None else rescoring(settings.calibration)
        if rescore is not None:
            routes = [route.rescored(rescore) for route in routes]
        if args.compare:  # its two expectations are those of these very routes
            shown = run_system(system("retract", settings), routes, judge, billing, timings.judge)
            auto = replace(settings, auto=auto_of(shown, args.annoyance))
            chosen = [(limit, system("auto", auto) if each.name == "auto" else each) for limit, each in chosen]
        points = [
            Point(each.name, limit, summarise(outcomes, resamples=resamples))
            for limit, each in chosen
            if (outcomes := run_system(each, routes, judge, billing, timings.judge))
        ]
    _write(args, points)
    if args.json:
        found = {"n": len(rows), "left_out": left_out, "timings": msgspec.to_builtins(timings)}
        print(json.dumps({**found, "systems": [point.as_dict() for point in points]}))
        return 0
    console = Console()
    if left_out:
        console.print(f"{left_out} of {left_out + len(rows)} routes are left out: not every leg of them is recorded")
    reference = next((point.summary.value("cost") for point in points if point.name == "always-large"), None)
    console.print(details(points[0]) if len(points) == 1 else side_by_side(points, reference=reference))
    return 0


def _require_probes(rows: Sequence[RoutingRow], wanted: int) -> None:
    for row in rows:
        if len(row.cheap.samples) < wanted:
            raise DataFileError(f"row {row.id} has {len(row.cheap.samples)} samples, and --probes asks for {wanted}")


def _chosen(args: argparse.Namespace, settings: Settings) -> list[tuple[float | None, System]]:
    """What is to be simulated, each with its threshold if it has one."""
    if args.compare and args.sweep:
        raise BadRequestError("either --compare or --sweep, not both")
    if settings.limit is None and (args.sweep or args.threshold is not None):
        raise BadRequestError(f"policy {settings.policy} has no threshold to be set or swept")
    if args.compare:
        return [(None if name in BASELINES else settings.limit, system(name, settings)) for name in SYSTEMS]
    name = args.policy if args.policy in SYSTEMS else args.release
    if name in BASELINES:
        return [(None, system(name, settings))]
    swept = [replace(settings, threshold=i / args.sweep) for i in range(args.sweep + 1)] if args.sweep else [settings]
    found: list[tuple[float | None, System]] = []
    for each in swept:
        made = system(name, each)
        if settings.policy != "threshold":
            made = replace(made, name=f"{name}, {settings.policy}")
        if args.hedge_after is not None:
            made = replace(made, plan=replace(made.plan, hedge_after=args.hedge_after))
        found.append((each.limit, made))
    return [*found, *((None, system(each, settings)) for each in BASELINES)] if args.sweep else found


def _settings(args: argparse.Namespace, billing: Billing) -> Settings:
    return Settings(
        policy=args.policy if args.policy in POLICIES else "threshold",
        threshold=args.threshold,
        calibration=None if args.calibration is None else read_artefact(Path(args.calibration)),
        prices=billing.prices,
        probes=args.probes,
        wave=args.wave,
        skip_confident=args.skip_confident,
        deadline=None if math.isinf(args.deadline) else args.deadline,
        hedge_after=args.hedge_after or 0.0,
        auto=AutoRelease(annoyance=args.annoyance),
    )


def _judge(
    args: argparse.Namespace,
    settings: Settings,
    stack: ExitStack,
    routes: Sequence[RecordedRoute],
    timings: Timings,
    *,
    judged: bool,
) -> JudgeOf:
    """The judge, who is loaded only for what is not in the file of `--judged`; what it says goes there in the end."""
    most = most_probes(args.probes)
    spec = chosen_model(args.model, Path(args.manifest) if args.manifest else None)
    judge = stack.enter_context(BlockingJudge(lambda: load_model(spec), most_probes=most))
    if not judged:
        return judge
    if settings.calibration is not None:
        check_binding(settings.calibration, probes=args.probes, judge_sha256=spec.sha256)
    if args.judged is not None:
        path, who = Path(args.judged), identity(spec, most)
        known = load_judged(path, routes, who) if path.exists() else 0
        stack.callback(_keep, path, routes, who, known)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("routes judged", total=len(routes))
        judge_all(
            routes, settings.schedule(), judge, timings.judge, progress=lambda done: bar.update(task, completed=done)
        )
    return judge


def _keep(path: Path, routes: Sequence[RecordedRoute], who: Mapping[str, str], known: int) -> None:
    if sum(len(route.evidence) for route in routes) > known:
        save_judged(path, routes, who)


def _write(args: argparse.Namespace, points: Sequence[Point]) -> None:
    if args.csv is not None:
        try:
            Path(args.csv).write_text(csv_of(points), encoding="utf-8")
        except OSError as error:
            raise DataFileError(f"{args.csv}: cannot be written ({error.strerror})") from error
    if args.plot is not None:
        plot(points, Path(args.plot))

"""Simulated systems as a table, as CSV and as a plot."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from streamroute.errors import ConfigError, DataFileError
from streamroute.evaluation.simulation.summary import FIGURES, Estimate, Summary

__all__ = ("Point", "csv_of", "details", "plot", "side_by_side")


@dataclass(frozen=True, slots=True)
class Point:
    """One system at one threshold; None where it has none."""

    name: str
    threshold: float | None
    summary: Summary

    def as_dict(self) -> dict[str, Any]:
        return {"system": self.name, "threshold": self.threshold, **self.summary.as_dict()}


def details(point: Point) -> RenderableType:
    """Every figure of one system, with its interval."""
    table = Table(Column(no_wrap=True), Column(no_wrap=True), Column(no_wrap=True), box=None, show_header=False)
    table.add_row("routes", f"{point.summary.n:,}")
    for name, estimate in point.summary.figures.items():
        around = "" if estimate is None else f"(95 %: {_number(estimate.low)} to {_number(estimate.high)})"
        table.add_row(name.replace("_", " "), _number(None if estimate is None else estimate.value), around)
    return table


_MONEY = {
    "right": "quality",
    "escalated": "escalated",
    "cost": "cost",
    "waste": "waste",
    "retracted": "retracted",
    "probes": "probes",
}
_TIME = {
    "TTFT": "ttft_p50",
    "TTFKT p50": "ttfkt_p50",
    "p95": "ttfkt_p95",
    "kept p50": "ttfkt_kept_p50",
    "p95 ": "ttfkt_kept_p95",
    "esc. p50": "ttfkt_escalated_p50",
    "p95  ": "ttfkt_escalated_p95",
    "verdict": "verdict_p50",
}
_SHARES = frozenset({"quality", "escalated", "retracted"})


def side_by_side(points: Sequence[Point], *, reference: float | None) -> RenderableType:
    """One line a system, of money and of seconds. Costs are in hundredths of `reference`, or as they are where there is
    none."""
    return Group(_table(points, _MONEY, reference), Text(), _table(points, _TIME, reference))


def _table(points: Sequence[Point], columns: Mapping[str, str], reference: float | None) -> Table:
    headers = (Column(name, justify="right") for name in columns)
    table = Table(Column("system", no_wrap=True), Column("limit", justify="right"), *headers, box=None, pad_edge=False)
    for point in points:
        cells = (_cell(figure, point.summary.value(figure), reference) for figure in columns.values())
        table.add_row(point.name, "" if point.threshold is None else f"{point.threshold:.2f}", *cells)
    return table


def _cell(figure: str, value: float | None, reference: float | None) -> str:
    if value is None:
        return "-"
    if figure in _SHARES:
        return f"{value:.1%}"
    if figure in ("cost", "waste"):
        return f"{value:.0f}" if reference is None else f"{value / reference:.1%}"
    return f"{value:.2f}"


def csv_of(points: Sequence[Point]) -> str:
    """A line for each point, each figure followed by the ends of its interval; empty where there is none."""
    text = io.StringIO()
    header = [column for name in FIGURES for column in (name, f"{name}_low", f"{name}_high")]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["system", "threshold", "n", *header])
    for point in points:
        cells: list[float | str] = []
        for name in FIGURES:
            estimate = point.summary.figures[name]
            cells += ["", "", ""] if estimate is None else list(_ends(estimate))
        writer.writerow([point.name, "" if point.threshold is None else point.threshold, point.summary.n, *cells])
    return text.getvalue()


def plot(points: Sequence[Point], path: Path) -> None:
    """Quality over cost, and the median time to the first kept token over quality. Raises `ConfigError` where
    matplotlib is missing, `DataFileError` where `path` cannot be written."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # no display, and no global state
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(f"a plot needs the extra: pip install 'streamroute[plot]' ({error})") from error
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    cost, wait = figure.subplots(1, 2)
    for name in dict.fromkeys(point.name for point in points):
        own = [point.summary for point in points if point.name == name]
        style = "o-" if len(own) > 1 else "s"
        for axes, x, y in ((cost, "cost", "quality"), (wait, "quality", "ttfkt_p50")):
            known = [(s.value(x), s.value(y)) for s in own if s.value(x) is not None and s.value(y) is not None]
            axes.plot([pair[0] for pair in known], [pair[1] for pair in known], style, label=name, markersize=4)
    cost.set(xlabel="cost of a route", ylabel="share of right answers")
    wait.set(xlabel="share of right answers", ylabel="first kept token, median (s)")
    cost.legend(frameon=False)
    for axes in (cost, wait):
        axes.grid(alpha=0.3)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:  # ValueError: a name that says no known format
        raise DataFileError(f"{path}: cannot be written ({error})") from error


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"

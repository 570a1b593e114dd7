"""A report on routing as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from streamroute.evaluation.methods import Kind
from streamroute.evaluation.routing import Figures, Routed, RoutingReport

__all__ = ("routing_tables",)

_STYLES = {Kind.OURS: "bold green", Kind.BASELINE: "cyan", Kind.LEARNED: "magenta", Kind.MEASURE: ""}


def routing_tables(report: RoutingReport, model: str, *, unlabelled: int = 0) -> RenderableType:
    """What `streamroute eval routing` prints. `unlabelled`: rows that were left out for want of a label."""
    parts: list[RenderableType] = [Text(model, style="bold"), _rows(report, unlabelled), Text(), _detection(report)]
    if report.paired:
        parts += [Text(), _cost_quality(report)]
    parts += [Text(), *map(Text, _notes(report))]
    return Group(*parts)


def _rows(report: RoutingReport, unlabelled: int) -> Text:
    words = [
        f"{report.n:,} rows of {report.questions:,} questions, {report.share_wrong:.1%} of the cheap answers wrong,"
        f" {report.samples:.1f} samples a row"
    ]
    if report.paired:
        words.append(f"{report.paired:,} rows with an answer of the large model")
    if unlabelled:
        words.append(f"{unlabelled:,} rows left out: no label")
    if report.without_samples:
        words.append(f"{report.without_samples:,} rows left out: no samples")
    return Text("\n".join(words))


def _detection(report: RoutingReport) -> Table:
    columns = ("AUROC (95 %)", "AURC", "AUARC", "ECE", "probes", "pairs")
    table = Table(Column("is the cheap answer wrong?", no_wrap=True), *map(_number, columns), box=None, padding=_TIGHT)
    for name, each in report.methods.items():
        low_high = f" {_short(each.auroc_ci.low)}-{_short(each.auroc_ci.high)}" if each.auroc_ci else ""
        figures = (each.aurc, each.auarc, each.ece)
        costs = f"{each.probes:.1f}", f"{each.nli_pairs:.1f}"
        table.add_row(_name(name, each), _share(each.auroc) + low_high, *map(_share, figures), *costs)
    return table


def _cost_quality(report: RoutingReport) -> Table:
    columns = ("at 30 %", "at 50 %", "APGR", "CPT50", "CPT80", "AIQ")
    table = Table(Column("accuracy when escalating", no_wrap=True), *map(_number, columns), box=None, padding=_TIGHT)
    for name, each in report.methods.items():
        if each.routed is not None:
            table.add_row(_name(name, each), *_bought(each.routed))
    if report.oracle is not None:
        table.add_row(Text("oracle", style="dim"), *_bought(report.oracle))
    for name, right in (("always cheap", report.always_cheap), ("always large", report.always_large)):
        table.add_row(Text(name, style="dim"), _share(right), _share(right))
    return table


def _bought(routed: Routed) -> Iterator[str]:
    yield from map(_share, routed.accuracy_at.values())
    yield from map(_share, (routed.apgr, routed.cpt50, routed.cpt80, routed.aiq))


def _notes(report: RoutingReport) -> Iterator[str]:
    yield (
        f"{report.nli_pairs:,} pairs compared in {report.seconds:.1f} s, {report.nli_pairs / report.n:.1f} a row;"
        " pairs: what a method alone needs"
    )
    yield f"fitted, and scaled for the ECE, on other questions: {report.folds} folds"
    for each in report.differences:
        interval = each.auroc_ci
        around = f" (95 %: {interval.low:+.3f} to {interval.high:+.3f})" if interval else ""
        yield f"{each.method}: AUROC {each.auroc:+.3f} against the best {each.kind}, {each.against}{around}"
    if report.undefined:
        names = ", ".join(f"{name} ({rows:,} rows)" for name, rows in report.undefined.items())
        yield f"left out, not defined for some rows: {names}"


_TIGHT = (0, 1, 0, 0)


def _name(name: str, figures: Figures) -> Text:
    return Text(name, style=_STYLES[figures.kind])


def _number(name: str) -> Column:
    return Column(name, justify="right", no_wrap=True)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")

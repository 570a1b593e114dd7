"""Reports on the judge as tables."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from streamroute.evaluation.metrics import Interval
from streamroute.evaluation.nli import NliReport
from streamroute.evaluation.pairs import PairsReport
from streamroute.nli.manifest import LABELS

__all__ = ("nli_tables", "pairs_table")


def nli_tables(report: NliReport, model: str) -> RenderableType:
    """What `streamroute eval nli` prints."""
    whole = _figures(
        ("rows", f"{report.n:,}"),
        ("accuracy", _with_interval(report.accuracy, report.accuracy_ci)),
        ("macro F1", _share(report.macro_f1)),
        ("calibration error", _share(report.ece)),
        ("Brier score (0 to 2)", _share(report.brier)),
        ("pairs per second", f"{report.pairs_per_second:.1f}"),
    )
    classes = Table("label", *map(_number, ("precision", "recall", "F1", "rows")), box=None)
    confusion = Table("label", *(_number(f"said {label}") for label in LABELS), box=None)
    for label, scores, counts in zip(LABELS, report.classes, report.confusion, strict=True):
        shares = (scores.precision, scores.recall, scores.f1)
        classes.add_row(label, *map(_share, shares), f"{scores.support:,}")
        confusion.add_row(label, *(f"{count:,}" for count in counts))
    parts: list[RenderableType] = [_title(model), whole, Text(), classes, Text(), confusion]
    if report.by_source:
        sources = Table("source", _number("accuracy"), box=None)
        for source, right in report.by_source.items():
            sources.add_row(Text(source or "(none)"), _share(right))
        parts += [Text(), sources]
    return Group(*parts)


def pairs_table(report: PairsReport, model: str) -> RenderableType:
    """What `streamroute eval pairs` prints."""
    best = report.best_threshold
    return Group(
        _title(model),
        _figures(
            ("pairs", f"{report.n:,}, {report.share_equivalent:.1%} of them equal"),
            ("AUROC", _with_interval(report.auroc, report.auroc_ci)),
            ("  with the guards of clustering", _share(report.auroc_guarded)),
            ("  of mean entailment alone", _share(report.auroc_entailment)),
            ("  of token F1, without a model", _share(report.auroc_token_f1)),
            ("  gain over token F1", _with_interval(report.gain_over_token_f1, report.gain_over_token_f1_ci)),
            ("average precision", _share(report.average_precision)),
            ("clustering rule is right for", _share(report.rule_accuracy)),
            ("  merges of the equal", _share(report.rule_merges_equal)),
            ("  merges of the unequal", _share(report.rule_merges_unequal)),
            ("best threshold on these pairs", f"{best.threshold:.3f}, right for {_share(best.accuracy)}"),
            ("pairs per second", f"{report.pairs_per_second:.1f}"),
        ),
    )


def _title(model: str) -> Text:
    return Text(model, style="bold")


def _figures(*rows: tuple[str, str]) -> Table:
    table = Table(Column(no_wrap=True), Column(no_wrap=True), box=None, show_header=False)
    for row in rows:
        table.add_row(*row)
    return table


def _number(name: str) -> Column:
    return Column(name, justify="right", no_wrap=True)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _with_interval(value: float | None, interval: Interval | None) -> str:
    around = "" if interval is None else f" (95 %: {_share(interval.low)} to {_share(interval.high)})"
    return _share(value) + around

"""One scored row as tables."""

from __future__ import annotations

from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from streamroute.cli.render import COLOURS, one_line
from streamroute.evaluation.scoring import Matrix, Scored
from streamroute.uncertainty.measures.families import Family, family

__all__ = ("picture",)

_CELL = 5
"""Columns of the terminal that one number of a matrix takes."""


def picture(scored: Scored, *, width: int) -> RenderableType:
    """What `streamroute score` prints of one row. `width`: columns of the terminal, which say whether a matrix fits."""
    parts: list[RenderableType] = []
    if scored.question.strip():
        parts.append(Text(_printable(scored.question), style="bold"))
    parts += [_texts(scored, width), Text(), _summary(scored), Text(), _measures(scored)]
    for name, matrix in (("entailment", scored.entailment), ("contradiction", scored.contradiction)):
        if matrix is not None and len(matrix) > 1:
            parts += [Text(), _matrix(name, matrix, scored, width)]
    return Group(*parts)


def _texts(scored: Scored, width: int) -> Table:
    table = Table(Column("cluster", justify="right"), Column("text", justify="right"), Column(""), box=None)
    for c, members in enumerate(scored.clusters):
        for i in members:
            mark = " (the answer)" if scored.answered and i == 0 else ""
            words = one_line(_printable(scored.texts[i]), max(20, width - 20 - len(mark))) or "(empty)"
            table.add_row(str(c), str(i), Text(words + mark), style=_colour(c))
    return table


def _summary(scored: Scored) -> Text:
    return Text(
        f"score {scored.score:.3f} (0 to 1, higher is less certain), {len(scored.texts)} texts,"
        f" {len(scored.clusters)} clusters, {scored.nli_pairs:,} pairs compared in {scored.seconds:.2f} s"
    )


def _measures(scored: Scored) -> Table:
    table = Table("measure", Column("value", justify="right", no_wrap=True), box=None)
    order = list(Family)
    names = sorted(scored.measures, key=lambda name: order.index(family(name)))
    for group, members in groupby(names, key=family):
        known = [(name, value) for name in members if (value := scored.measures[name]) is not None]
        if known:
            table.add_row(Text(f"{group} (higher: less certain)", style="bold"), "")
        for name, value in known:
            table.add_row(f"  {name}", f"{value:.3f}")
    return table


def _matrix(name: str, matrix: Matrix, scored: Scored, width: int) -> RenderableType:
    if _CELL * (len(matrix) + 1) > width:
        return Text(f"{name}: {len(matrix)} columns do not fit here; --json has them", style="dim")
    heads = [Text(str(i), style=_colour(c)) for i, c in enumerate(scored.assignment)]
    table = Table(Column(""), box=None, padding=(0, 1, 0, 0))
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for head, row in zip(heads, matrix, strict=True):
        table.add_row(head, *(f"{value:.2f}" for value in row))
    return Group(Text(f"{name} (row: premise, column: hypothesis)", style="bold"), table)


def _colour(cluster: int) -> str:
    return COLOURS[cluster % len(COLOURS)]


def _printable(text: str) -> str:
    """Without what a terminal would obey and what is no UTF-8."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)

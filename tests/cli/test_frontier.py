from __future__ import annotations

import csv
import io

from rich.console import Console, RenderableType

from streamroute.cli.frontier import Point, csv_of, details, side_by_side
from streamroute.core.types import Release
from streamroute.evaluation.simulation.simulate import simulate
from streamroute.evaluation.simulation.summary import FIGURES, summarise
from tests.evaluation.simulation.recorded import BILLING, TIMINGS, Written, plan, route

KEPT, SWITCHED = (
    simulate(route(), plan(release=Release.RETRACT), Written((score, score)), BILLING, TIMINGS.judge)
    for score in (0.1, 0.9)
)
POINTS = [Point("mixed", 0.5, summarise([KEPT, SWITCHED])), Point("kept", None, summarise([KEPT]))]


def text(picture: RenderableType) -> list[str]:
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(picture)
    return console.export_text().splitlines()


def test_a_comparison_has_a_line_of_money_and_one_of_seconds_for_each_system() -> None:
    lines = text(side_by_side(POINTS, reference=30))
    (money, seconds), (kept, waits) = ([line for line in lines if line.startswith(name)] for name in ("mixed", "kept"))
    assert money.split() == ["mixed", "0.50", "50.0%", "50.0%", "80.0%", "5.0%", "50.0%", "2.00"]
    assert seconds.split()[:5] == ["mixed", "0.50", "0.30", "0.30", "1.65"]
    assert kept.split()[:2] == ["kept", "0.0%"]
    assert "-" in waits.split(), "nothing was escalated"
    assert all(len(line) <= 80 for line in lines)


def test_without_a_reference_costs_are_as_they_are() -> None:
    assert "24" in next(line for line in text(side_by_side(POINTS, reference=None)) if line.startswith("mixed")).split()


def test_details_have_every_figure_with_its_interval() -> None:
    lines = text(details(POINTS[0]))
    assert len(lines) == 1 + len(FIGURES)
    assert any(line.split()[:3] == ["cost", "24", "(95"] for line in lines)
    assert any(line.split() == ["hedge", "won", "-"] for line in lines)


def test_csv_has_a_column_for_each_figure_and_the_ends_of_its_interval() -> None:
    mixed, kept = csv.DictReader(io.StringIO(csv_of(POINTS)))
    assert list(mixed)[:6] == ["system", "threshold", "n", "quality", "quality_low", "quality_high"]
    assert (mixed["threshold"], kept["threshold"]) == ("0.5", "")
    assert float(mixed["escalated_low"]) <= float(mixed["escalated"]) == 0.5 <= float(mixed["escalated_high"])
    assert kept["ttfkt_escalated_p50"] == kept["hedge_won_high"] == ""

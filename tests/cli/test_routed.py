from __future__ import annotations

import io

from rich.console import Console

from streamroute.cli.routed import routing_tables
from streamroute.evaluation.routing import RoutingReport, evaluate_routing
from streamroute.evaluation.rows import CheapLeg, RoutingRow
from tests.evaluation.judges import Written
from tests.evaluation.routes import ROWS


def printed(report: RoutingReport, *, width: int = 80, unlabelled: int = 0, colour: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colour).print(routing_tables(report, "judge", unlabelled=unlabelled))
    return out.getvalue()


def line(text: str, name: str, *, table: int) -> list[str]:
    return [row.split() for row in text.splitlines() if row.split()[:1] == [name]][table]


def test_every_method_stands_in_both_tables_with_its_figures() -> None:
    report = evaluate_routing(Written(), ROWS)
    text = printed(report)
    for name, each in report.methods.items():
        found = line(text, name, table=0)
        assert found[1] == ("-" if each.auroc is None else f"{each.auroc:.3f}")
        assert found[-2:] == [f"{each.probes:.1f}", f"{each.nli_pairs:.1f}"]
        assert each.routed is not None
        assert line(text, name, table=1)[1] == f"{each.routed.accuracy_at['0.3']:.3f}"
        assert line(text, name, table=1)[-1] == f"{each.routed.aiq:.3f}"
    assert "6 rows of 6 questions, 50.0% of the cheap answers wrong, 3.0 samples a row" in text
    for words in ("always cheap", "always large", "oracle", "against the best baseline", "pairs compared in"):
        assert words in text


def test_nothing_is_cut_off_on_80_columns() -> None:
    text = printed(evaluate_routing(Written(), ROWS))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_ours_stand_out() -> None:
    text = printed(evaluate_routing(Written(), ROWS), colour=True)
    assert "\x1b[1;32mstreamroute " in text
    assert "\x1b[36mlength " in text


def test_what_was_left_out_is_said() -> None:
    none, some = (
        RoutingRow("", "No?", CheapLeg("x", [], correct=True)),
        CheapLeg("a", ["b"], correct=True, logprobs=[-1]),
    )
    report = evaluate_routing(Written(), [*ROWS, none, RoutingRow("", "Whose?", some)])
    text = " ".join(printed(report, unlabelled=1_234).split())
    for words in (
        "1,234 rows left out: no label",
        "1 rows left out: no samples",
        "left out, not defined for some rows: mean-token-surprise (6 rows)",
    ):
        assert words in text


def test_without_large_answers_there_is_one_table() -> None:
    text = printed(evaluate_routing(Written(), [row for row in ROWS if row.large is None]))
    assert "accuracy when escalating" not in text
    assert "always cheap" not in text

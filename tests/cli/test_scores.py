import io
from dataclasses import replace

from rich.console import Console, RenderableType

from streamroute.cli.scores import nli_tables, pairs_table
from streamroute.evaluation.nli import evaluate_nli
from streamroute.evaluation.pairs import evaluate_pairs
from streamroute.evaluation.rows import NliRow, PairRow
from tests.evaluation.judges import ENTAILS, Written

MODEL = Written({("p", "h"): ENTAILS})
NLI = evaluate_nli(MODEL, [NliRow("p", "h", "entailment"), NliRow("p", "h", "neutral")])
PAIRS = evaluate_pairs(MODEL, [PairRow("Q", "p", "h", True), PairRow("Q", "x", "y", False)])


def shown(picture: RenderableType) -> list[list[str]]:
    """The words of each line of a terminal of ordinary width."""
    file = io.StringIO()
    Console(file=file, width=80).print(picture)
    return [line.split() for line in file.getvalue().splitlines()]


def test_each_label_has_its_scores_and_what_was_said_instead() -> None:
    text = shown(nli_tables(NLI, "judge"))
    assert ["entailment", "0.500", "1.000", "0.667", "1"] in text
    assert ["neutral", "-", "0.000", "0.000", "1"] in text
    assert ["contradiction", "-", "-", "-", "0"] in text
    assert ["label", "said", "entailment", "said", "neutral", "said", "contradiction"] in text
    assert ["neutral", "1", "0", "0"] in text


def test_names_are_shown_as_they_are_and_no_source_is_no_table() -> None:
    assert ["judge[red]"] in shown(nli_tables(NLI, "judge[red]"))
    assert not any("source" in line for line in shown(nli_tables(NLI, "judge")))
    sourced = shown(nli_tables(replace(NLI, by_source={"": 0.5, "[b]x": 1.0}), "judge"))
    assert ["(none)", "0.500"] in sourced
    assert ["[b]x", "1.000"] in sourced


def test_an_interval_stands_behind_its_figure() -> None:
    assert ["AUROC", "1.000", "(95", "%:", "1.000", "to", "1.000)"] in shown(pairs_table(PAIRS, "judge"))


def test_what_is_not_defined_is_a_dash() -> None:
    text = shown(pairs_table(evaluate_pairs(MODEL, [PairRow("Q", "p", "h", True)]), "judge"))
    assert ["AUROC", "-"] in text
    assert ["merges", "of", "the", "unequal", "-"] in text

from __future__ import annotations

import json
import math

import pytest

from streamroute.evaluation.asking import Answers
from streamroute.evaluation.nli import assess_nli, evaluate_nli, nli_pairs, predicted
from streamroute.evaluation.rows import NliRow
from streamroute.uncertainty.base import Pair, Relations
from tests.evaluation.judges import CONTRADICTS, ENTAILS, NEUTRAL, Written

ROWS = [
    NliRow("p1", "h1", "entailment", "snli"),
    NliRow("p2", "h2", "neutral", "snli"),
    NliRow("p3", "h3", "contradiction", "mnli"),
    NliRow("p4", "h4", "contradiction", "mnli"),
]
MODEL = Written({("p1", "h1"): ENTAILS, ("p3", "h3"): CONTRADICTS, ("h4", "p4"): CONTRADICTS})


def test_the_premise_is_asked_about_its_hypothesis_without_a_context() -> None:
    assert nli_pairs(ROWS)[:2] == [Pair("", "p1", "h1"), Pair("", "p2", "h2")]


def test_only_the_forward_relation_is_compared_with_the_label() -> None:
    report = evaluate_nli(MODEL, ROWS)
    assert (report.n, report.accuracy) == (4, 0.75)
    assert report.confusion == ((1, 0, 0), (0, 1, 0), (0, 1, 1))
    assert [each.f1 for each in report.classes] == pytest.approx([1, 2 / 3, 2 / 3])
    assert report.macro_f1 == pytest.approx(7 / 9)
    assert report.by_source == {"mnli": 0.5, "snli": 1.0}
    assert predicted([Relations(CONTRADICTS, ENTAILS)]).tolist() == [2]


def test_probabilities_are_judged_too() -> None:
    report = evaluate_nli(MODEL, ROWS)
    # All four are 0.9 sure, three are right.
    assert report.ece == pytest.approx(0.15)
    right = [(0.1, 0.08, 0.02), (0.05, 0.1, 0.05), (0.02, 0.08, 0.1)]
    wrong = (0.05, 0.9, 0.95)
    assert report.brier == pytest.approx(sum(math.hypot(*each) ** 2 for each in (*right, wrong)) / 4)


def test_rows_without_a_source_stand_apart_or_alone() -> None:
    nameless = [NliRow("p1", "h1", "entailment")]
    assert evaluate_nli(MODEL, nameless).by_source == {}
    assert evaluate_nli(MODEL, [*nameless, *ROWS[2:]]).by_source == {"": 1.0, "mnli": 0.5}


def test_the_report_is_plain_json() -> None:
    answers = Answers((Relations(ENTAILS, NEUTRAL),), 0.5)
    found = json.loads(json.dumps(assess_nli(ROWS[:1], answers).as_dict(), allow_nan=False))
    assert (found["n"], found["accuracy"], found["accuracy_ci"]) == (1, 1.0, [1.0, 1.0])
    assert (found["seconds"], found["pairs_per_second"]) == (0.5, 2.0)
    assert found["f1"] == {"entailment": 1.0, "neutral": None, "contradiction": None}
    assert found["confusion"]["labels"] == ["entailment", "neutral", "contradiction"]
    assert found["confusion"]["counts"] == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_progress_is_passed_on() -> None:
    told: list[int] = []
    evaluate_nli(MODEL, ROWS, progress=told.append)
    assert told == [4]

from __future__ import annotations

import json

import pytest

from streamroute.evaluation.asking import Answers
from streamroute.evaluation.pairs import (
    alike,
    assess_pairs,
    entailed,
    evaluate_pairs,
    guarded,
    pairs_of,
    token_overlap,
)
from streamroute.evaluation.rows import PairRow
from streamroute.uncertainty.base import Pair, Relation, Relations
from tests.evaluation.judges import CONTRADICTS, ENTAILS, NEUTRAL, Written

Q = "Which animal is it?"
ROWS = [
    PairRow(Q, "the feline", "a cat", True),
    PairRow(Q, "a hound", "the dog", True),
    PairRow(Q, "some dog", "some cat", False),
    PairRow(Q, "an owl", "a goose", False),
]
MODEL = Written(
    {
        ("the feline", "a cat"): ENTAILS,
        ("a cat", "the feline"): ENTAILS,
        ("a hound", "the dog"): ENTAILS,  # and not the other way round
        ("some dog", "some cat"): CONTRADICTS,
        ("some cat", "some dog"): CONTRADICTS,
    }
)


def test_both_answers_are_asked_with_their_question() -> None:
    assert pairs_of(ROWS)[0] == Pair(Q, "the feline", "a cat")


def test_pairs_are_ranked_by_what_the_model_says_and_the_words_they_share() -> None:
    unsure = Relations(Relation(0.6, 0.4, 0), Relation(0.2, 0.8, 0))
    assert entailed(ROWS[0], unsure) == pytest.approx(0.4)
    assert alike(PairRow(Q, "a red cat", "a cat", True), unsure) > alike(ROWS[0], unsure)
    report = evaluate_pairs(MODEL, ROWS)
    assert (report.n, report.share_equivalent) == (4, 0.5)
    assert (report.auroc, report.average_precision) == (1.0, 1.0)
    assert report.best_threshold.accuracy == 1
    assert report.auroc_entailment == 1.0


def test_the_baseline_without_a_model_and_the_gain_over_it_stand_beside_it() -> None:
    report = evaluate_pairs(MODEL, ROWS)
    # "some dog" and "some cat" share a word and are unequal; no other pair shares any.
    assert [token_overlap(row, Relations(NEUTRAL, NEUTRAL)) for row in ROWS] == [0, 0, 0.5, 0]
    assert report.auroc_token_f1 == 0.25
    assert report.gain_over_token_f1 == 0.75
    assert report.gain_over_token_f1_ci is not None
    assert report.gain_over_token_f1_ci.low <= 0.75 <= report.gain_over_token_f1_ci.high


def test_the_rule_merges_at_its_own_threshold() -> None:
    report = evaluate_pairs(MODEL, ROWS)
    assert (report.rule_merges_equal, report.rule_merges_unequal) == (0.5, 0.0)
    assert report.rule_accuracy == 0.75


def test_guards_settle_what_spelling_settles_and_leave_the_rest_to_the_model() -> None:
    unsure = Relations(NEUTRAL, NEUTRAL)
    assert guarded(PairRow(Q, "A dog.", "the dog", True), unsure) == 1
    assert guarded(PairRow("How many?", "12 dogs", "13 dogs", False), Relations(ENTAILS, ENTAILS)) == 0
    assert guarded(ROWS[3], unsure) == alike(ROWS[3], unsure)


def test_any_other_score_can_be_ranked_by() -> None:
    def contradiction(row: PairRow, relations: Relations) -> float:
        return -max(relations.forward.contradiction, relations.backward.contradiction)

    report = evaluate_pairs(MODEL, ROWS, score=contradiction)
    # Higher than the pair that is contradicted, level with the one that is not, but for a hair.
    assert report.auroc == pytest.approx(0.875)


def test_pairs_of_one_kind_only_have_no_area() -> None:
    report = evaluate_pairs(MODEL, ROWS[:2])
    assert (report.auroc, report.auroc_ci, report.auroc_token_f1, report.auroc_guarded) == (None,) * 4
    assert (report.gain_over_token_f1, report.gain_over_token_f1_ci) == (None, None)
    assert (report.rule_merges_equal, report.rule_merges_unequal) == (0.5, None)
    assert evaluate_pairs(MODEL, ROWS[2:]).average_precision is None


def test_the_report_is_plain_json() -> None:
    answers = Answers((Relations(ENTAILS, ENTAILS), Relations(CONTRADICTS, CONTRADICTS)), 0.5)
    found = json.loads(json.dumps(assess_pairs(ROWS[1:3], answers).as_dict(), allow_nan=False))
    assert (found["n"], found["auroc"], found["auroc_ci"]) == (2, 1.0, [1.0, 1.0])
    assert (found["seconds"], found["pairs_per_second"]) == (0.5, 4.0)
    assert found["best_threshold"]["accuracy"] == 1.0
    assert evaluate_pairs(MODEL, ROWS[:1]).as_dict()["auroc"] is None

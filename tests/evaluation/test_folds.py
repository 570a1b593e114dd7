from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.types import Features
from streamroute.evaluation.folds import (
    Predict,
    by_question,
    folds_by_group,
    logistic_out_of_fold,
    out_of_fold,
    platt_out_of_fold,
)
from streamroute.evaluation.metrics import Floats, Ints
from streamroute.evaluation.rows import CheapLeg, RoutingRow


def test_one_question_is_one_group_however_it_is_written() -> None:
    rows = [
        RoutingRow(str(i), text, CheapLeg("", [])) for i, text in enumerate(["Who?", "which one?", " who ?", "!", "?"])
    ]
    questions, groups = by_question(rows)
    assert questions[0] == questions[2]
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 4


@given(st.lists(st.tuples(st.text(max_size=2), st.booleans()), min_size=1, max_size=40), st.integers(2, 7))
def test_folds_keep_groups_together_and_are_of_one_size(rows: list[tuple[str, bool]], folds: int) -> None:
    groups, wrong = zip(*rows, strict=True)
    found = folds_by_group(groups, np.array(wrong), folds)
    of = {(group, int(fold)) for group, fold in zip(groups, found, strict=True)}
    assert len(of) == len(set(groups))
    sizes = Counter(fold for _, fold in of)
    assert len(sizes) == min(folds, len(set(groups)))
    assert max(sizes.values()) - min(sizes.values()) <= 1
    failing = {group for group, bad in rows if bad}
    bad = [sum(group in failing for group, fold in of if fold == f) for f in range(len(sizes))]
    assert max(bad) - min(bad) <= 1


def test_folds_do_not_depend_on_the_order_of_rows() -> None:
    names = [f"q{i}" for i in range(20)]
    wrong = np.arange(20) % 3 == 0
    assert folds_by_group(names[::-1], wrong[::-1], 5).tolist() == folds_by_group(names, wrong, 5)[::-1].tolist()


def features(value: float) -> Features:
    return Features(disagreement=value, contradiction=value, entropy=value, snne=value)


def test_a_row_is_predicted_without_its_own_label() -> None:
    rng = np.random.default_rng(0)
    values = rng.random(40)
    wrong = values + rng.normal(0, 0.3, 40) > 0.5
    folds = np.arange(40) % 4
    flipped = wrong.copy()
    flipped[folds == 2] ^= True
    known = [features(value) for value in values]
    for found, other in (
        (logistic_out_of_fold(known, wrong, folds), logistic_out_of_fold(known, flipped, folds)),
        (platt_out_of_fold(values, wrong, folds), platt_out_of_fold(values, flipped, folds)),
    ):
        assert found is not None
        assert other is not None
        assert ((found > 0) & (found < 1)).all()
        assert found[folds == 2].tolist() == other[folds == 2].tolist()
        assert found[folds != 2].tolist() != other[folds != 2].tolist()
        assert found[np.argmax(values)] > found[np.argmin(values)]


def test_any_fit_sees_the_other_folds_and_predicts_its_own() -> None:
    wrong, folds = np.array([True, False] * 4), np.array([0, 0, 1, 1, 2, 2, 2, 2])
    seen_by: dict[int, list[int]] = {}

    def fit(seen: Ints) -> Predict:
        def predict(rows: Ints) -> Floats:
            seen_by.update(dict.fromkeys(rows.tolist(), seen.tolist()))
            return rows / 10

        return predict

    found = out_of_fold(fit, wrong, folds)
    assert found is not None
    assert found.tolist() == [i / 10 for i in range(8)]
    assert seen_by == {i: [j for j in range(8) if folds[j] != folds[i]] for i in range(8)}


def test_scaling_is_indifferent_to_the_unit_of_a_score() -> None:
    rng = np.random.default_rng(1)
    scores, wrong, folds = rng.random(60), rng.random(60) > 0.4, np.arange(60) % 5
    once, again = platt_out_of_fold(scores, wrong, folds), platt_out_of_fold(-7 + 1e4 * scores, wrong, folds)
    assert once == pytest.approx(again, abs=1e-6)


def test_a_score_that_does_not_vary_is_the_rate_of_the_other_folds() -> None:
    wrong = np.array([True, True, False, False, True, False] * 10)
    found = platt_out_of_fold(np.ones(60), wrong, np.arange(60) % 5)
    assert found == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("wrong", [[True] * 4, [False] * 4, [True, False, False, False]])
def test_folds_without_both_labels_fit_nothing(wrong: list[bool]) -> None:
    labels, folds = np.array(wrong), np.arange(4) % 2
    labels[1] = labels[3]
    assert platt_out_of_fold(np.arange(4.0), labels, folds) is None
    assert logistic_out_of_fold([features(i / 4) for i in range(4)], labels, folds) is None


def test_one_fold_leaves_nothing_to_fit_on() -> None:
    assert platt_out_of_fold(np.arange(4.0), np.array([True, False] * 2), np.zeros(4, dtype=np.int64)) is None

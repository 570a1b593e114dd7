from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.evaluation.selective import auarc, aurc, by_rank, calibration_error, prediction_rejection_ratio

ROWS = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=2, max_size=6)


def columns(rows: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in rows], dtype=float), np.array([wrong for _, wrong in rows])


def orders(rows: list[tuple[int, bool]]) -> list[list[bool]]:
    """What is wrong, the most certain first, in every order that the scores allow."""
    found = (order for order in permutations(rows) if [s for s, _ in order] == sorted(s for s, _ in rows))
    return [[wrong for _, wrong in order] for order in found]


def risks(order: list[bool]) -> list[float]:
    return [sum(order[:k]) / k for k in range(1, len(order) + 1)]


@given(ROWS)
def test_areas_are_the_means_over_all_orders_of_equal_scores(rows: list[tuple[int, bool]]) -> None:
    each = [risks(order) for order in orders(rows)]
    n = len(rows)
    assert aurc(*columns(rows)) == pytest.approx(np.mean([sum(r) / n for r in each]))
    heights = [sum((2 - a - b) / 2 for a, b in pairwise(r)) / (n - 1) for r in each]
    assert auarc(*columns(rows)) == pytest.approx(np.mean(heights))


@given(ROWS)
def test_the_ratio_is_one_for_the_best_order_and_zero_for_no_order(rows: list[tuple[int, bool]]) -> None:
    scores, wrong = columns(rows)
    truth = wrong.astype(float)
    if wrong.all() or not wrong.any():
        assert prediction_rejection_ratio(scores, wrong) is None
        return
    assert prediction_rejection_ratio(truth, wrong) == pytest.approx(1)
    assert prediction_rejection_ratio(np.zeros(len(rows)), wrong) == pytest.approx(0, abs=1e-12)
    found = prediction_rejection_ratio(scores, wrong)
    assert found is not None
    assert found <= 1 + 1e-12


def test_a_worked_example() -> None:
    scores, wrong = np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, True, False, True])
    assert aurc(scores, wrong) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert auarc(scores, wrong) == pytest.approx((1 / 2 + 1 / 2 + 2 / 3 + 1 / 4) / 3)
    assert by_rank(np.array([2.0, 1.0, 2.0]), np.array([True, True, False])).tolist() == [1, 0.5, 0.5]


def test_one_row_ranks_nothing() -> None:
    scores, wrong = np.array([0.3]), np.array([True])
    assert aurc(scores, wrong) is auarc(scores, wrong) is prediction_rejection_ratio(scores, wrong) is None


def test_calibration_is_the_gap_of_each_bin_weighted_by_its_rows() -> None:
    probabilities = np.array([0.0, 0.1, 0.9, 1.0, 0.85])
    wrong = np.array([False, True, True, True, False])
    assert calibration_error(probabilities, wrong, bins=2) == pytest.approx(abs(1 - 0.1) / 5 + abs(2 - 2.75) / 5)
    assert calibration_error(np.array([0.25] * 4), np.array([True, False, False, False])) == 0
    assert calibration_error(np.array([1.0, 0.0]), np.array([False, True])) == 1


@pytest.mark.parametrize("scores", [[-0.01, 0.5], [0.5, 1.01], []])
def test_what_is_no_probability_has_no_calibration(scores: list[float]) -> None:
    assert calibration_error(np.array(scores), np.array([True, False][: len(scores)])) is None

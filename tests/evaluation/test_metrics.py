"""Each figure against the plainest computation of the same."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.evaluation.metrics import (
    Bools,
    Floats,
    Ints,
    accuracy,
    auroc,
    average_precision,
    best_threshold,
    bootstrap_interval,
    brier,
    class_scores,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
)

# Few distinct scores, so that ties are the rule.
RANKED = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=1, max_size=12)
LABELLED = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=20)
WEIGHTS = st.tuples(*[st.integers(0, 15)] * 3).filter(any)
GRADED = st.lists(st.tuples(WEIGHTS, st.integers(0, 2)), min_size=1, max_size=20)


def ranked(rows: list[tuple[float, bool]]) -> tuple[Floats, Bools]:
    return np.array([score for score, _ in rows]), np.array([positive for _, positive in rows])


def labelled(rows: list[tuple[int, int]]) -> tuple[Ints, Ints]:
    return np.array([gold for gold, _ in rows]), np.array([guess for _, guess in rows])


def graded(rows: list[tuple[tuple[int, ...], int]]) -> tuple[Floats, Ints]:
    return np.array([np.array(w) / sum(w) for w, _ in rows]), np.array([gold for _, gold in rows])


@given(LABELLED)
def test_the_confusion_matrix_and_all_that_is_read_from_it(rows: list[tuple[int, int]]) -> None:
    gold, guess = labelled(rows)
    confusion = confusion_matrix(gold, guess, 3)
    assert confusion.tolist() == [[rows.count((right, said)) for said in range(3)] for right in range(3)]
    assert accuracy(gold, guess) == pytest.approx(sum(right == said for right, said in rows) / len(rows))
    f1s = []
    for c, scores in enumerate(class_scores(confusion)):
        hits = rows.count((c, c))
        said = sum(guess == c for _, guess in rows)
        are = sum(gold == c for gold, _ in rows)
        assert scores.support == are
        assert scores.precision == (pytest.approx(hits / said) if said else None)
        assert scores.recall == (pytest.approx(hits / are) if are else None)
        if hits:
            precision, recall = hits / said, hits / are
            f1s.append(2 * precision * recall / (precision + recall))
        elif said or are:
            f1s.append(0.0)
        assert scores.f1 == (pytest.approx(f1s[-1]) if said or are else None)
    assert macro_f1(class_scores(confusion)) == pytest.approx(sum(f1s) / len(f1s))


def test_classes_that_never_occur_have_no_scores() -> None:
    unknown = class_scores(np.zeros((2, 2), dtype=np.int64))
    assert [(each.precision, each.recall, each.f1, each.support) for each in unknown] == [(None, None, None, 0)] * 2
    assert macro_f1(unknown) is None


@given(GRADED)
def test_calibration_error_is_the_gap_of_each_bin_by_its_rows(rows: list[tuple[tuple[int, ...], int]]) -> None:
    probabilities, gold = graded(rows)
    total = 0.0
    for m in range(1, 16):
        inside = [
            (max(p), int(np.argmax(p)) == right)
            for p, right in zip(probabilities, gold, strict=True)
            if (m - 1) / 15 < max(p) <= m / 15
        ]
        if inside:
            confidence = sum(p for p, _ in inside) / len(inside)
            right_share = sum(right for _, right in inside) / len(inside)
            total += len(inside) / len(rows) * abs(right_share - confidence)
    assert expected_calibration_error(probabilities, gold) == pytest.approx(total)


def test_calibration_error_of_the_sure_is_their_error_rate() -> None:
    sure = np.eye(3)[[0, 1, 2, 0]]
    assert expected_calibration_error(sure, np.array([0, 1, 2, 0])) == 0
    assert expected_calibration_error(sure, np.array([0, 1, 2, 1])) == 0.25


@given(GRADED)
def test_brier_is_the_squared_distance_from_the_truth(rows: list[tuple[tuple[int, ...], int]]) -> None:
    probabilities, gold = graded(rows)
    distances = [
        sum((p[c] - (c == right)) ** 2 for c in range(3)) for p, right in zip(probabilities, gold, strict=True)
    ]
    assert brier(probabilities, gold) == pytest.approx(sum(distances) / len(rows))


@given(RANKED)
def test_auroc_counts_the_pairs_in_right_order(rows: list[tuple[float, bool]]) -> None:
    above = [score for score, positive in rows if positive]
    below = [score for score, positive in rows if not positive]
    wins = [1.0 if p > n else 0.5 if p == n else 0.0 for p, n in product(above, below)]
    assert auroc(*ranked(rows)) == (pytest.approx(sum(wins) / len(wins)) if wins else None)


@given(RANKED)
def test_average_precision_sums_precision_over_the_recall_that_each_threshold_adds(
    rows: list[tuple[float, bool]],
) -> None:
    positives = sum(positive for _, positive in rows)
    total, recall = 0.0, 0.0
    for level in sorted({score for score, _ in rows}, reverse=True):
        chosen = [positive for score, positive in rows if score >= level]
        if positives:
            total += sum(chosen) / len(chosen) * (sum(chosen) / positives - recall)
            recall = sum(chosen) / positives
    assert average_precision(*ranked(rows)) == (pytest.approx(total) if positives else None)


@given(RANKED)
def test_no_threshold_does_better_than_the_best(rows: list[tuple[float, bool]]) -> None:
    def right(threshold: float) -> float:
        return sum((score >= threshold) == positive for score, positive in rows) / len(rows)

    best = best_threshold(*ranked(rows))
    tried = {threshold: right(threshold) for threshold in (*(score for score, _ in rows), 2.0)}
    assert best.accuracy == pytest.approx(max(tried.values()))
    assert right(best.threshold) == pytest.approx(best.accuracy)
    assert math.isfinite(best.threshold)
    assert all(right(level) < best.accuracy for level in tried if best.threshold < level < 2)


def test_nothing_is_called_positive_where_nothing_is() -> None:
    best = best_threshold(np.array([0.3, 1.0]), np.array([False, False]))
    assert best.accuracy == 1
    assert best.threshold > 1


def test_the_bootstrap_gives_the_interval_of_a_mean() -> None:
    """Beside the normal approximation, which for 400 coin throws is close."""
    throws = np.arange(400) % 2 == 0
    found = bootstrap_interval(lambda drawn: float(drawn.mean()), throws, resamples=4000)
    assert found is not None
    half = 1.96 * math.sqrt(0.25 / 400)
    assert found == pytest.approx((0.5 - half, 0.5 + half), abs=0.004)


def test_the_bootstrap_is_reproducible_and_follows_its_seed() -> None:
    values = np.arange(30.0)

    def mean(drawn: Floats) -> float:
        return float(drawn.mean())

    assert bootstrap_interval(mean, values) == bootstrap_interval(mean, values)
    assert bootstrap_interval(mean, values) != bootstrap_interval(mean, values, seed=8)
    wide, narrow = bootstrap_interval(mean, values, level=0.99), bootstrap_interval(mean, values, level=0.5)
    assert wide is not None
    assert narrow is not None
    assert wide.low < narrow.low < narrow.high < wide.high


def test_two_scores_are_resampled_as_a_pair() -> None:
    scores = np.random.default_rng(1).random(50)
    found = bootstrap_interval(lambda a, b: float((a - b).mean()), scores, scores - 0.25)
    assert found == pytest.approx((0.25, 0.25))


def test_the_bootstrap_leaves_out_what_is_undefined_and_gives_up_where_most_is() -> None:
    scores = np.array([0.1, 0.4, 0.6, 0.9])
    assert bootstrap_interval(auroc, scores, np.array([False, False, True, True])) == (1.0, 1.0)
    assert bootstrap_interval(auroc, scores, np.array([True] * 4)) is None

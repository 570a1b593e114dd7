from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.evaluation.cost_quality import RATES, accuracy_at, aiq, apgr, cost_quality_curve, cpt

Row = tuple[int, bool, bool]
ROWS = st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.booleans()), min_size=1, max_size=6)


def curve_of(rows: list[Row]) -> np.ndarray:
    scores, cheap, large = zip(*rows, strict=True)
    return cost_quality_curve(np.array(scores, dtype=float), np.array(cheap), np.array(large))


@given(ROWS)
def test_a_curve_is_the_mean_over_all_orders_of_equal_scores(rows: list[Row]) -> None:
    found = []
    for order in permutations(rows):
        if [s for s, _, _ in order] == sorted((s for s, _, _ in rows), reverse=True):
            right = [[r[2] for r in order[:k]] + [r[1] for r in order[k:]] for k in range(len(rows) + 1)]
            found.append([sum(each) / len(rows) for each in right])
    assert curve_of(rows) == pytest.approx(np.mean(found, axis=0))


@given(ROWS)
def test_hull_and_area_agree_with_a_search_over_all_mixtures(rows: list[Row]) -> None:
    curve = curve_of(rows)
    n = len(rows)

    def best(x: float) -> float:
        """The most that mixing two operating points of mean cost at most x can have."""
        reach = [curve[k] for k in range(n + 1) if k / n <= x + 1e-12]
        mixed = [
            curve[i] + (curve[j] - curve[i]) * (x * n - i) / (j - i)
            for i in range(n + 1)
            for j in range(i + 1, n + 1)
            if i <= x * n + 1e-9 and x * n <= j + 1e-9
        ]
        return float(max(reach + mixed))

    xs = np.linspace(0, 1, n * 24 + 1)
    assert aiq(curve) == pytest.approx(np.trapezoid([best(x) for x in xs], xs), abs=1e-9)


@given(ROWS)
def test_the_threshold_of_calls_is_the_least_rate_that_gets_there(rows: list[Row]) -> None:
    curve = curve_of(rows)
    for share in (0.0, 0.5, 0.8, 1.0):
        rate = cpt(curve, share)
        if curve[-1] - curve[0] <= 1e-12:
            assert rate is None
            continue
        level = curve[0] + share * (curve[-1] - curve[0])
        assert rate is not None
        assert accuracy_at(curve, rate) >= level - 1e-9
        assert all(accuracy_at(curve, r) < level for r in np.linspace(0, rate, 50)[:-1] if r < rate - 1e-9)


def test_a_worked_example() -> None:
    # Cheap right for the third and fourth, large for all but the last: the first escalated are gains.
    curve = cost_quality_curve(
        np.array([4.0, 3.0, 2.0, 1.0]), np.array([False, False, True, True]), np.array([True, True, True, False])
    )
    assert curve.tolist() == [0.5, 0.75, 1.0, 1.0, 0.75]
    assert accuracy_at(curve, 0.3) == pytest.approx(0.8)
    assert apgr(curve) == pytest.approx(((0.625 + 0.875 + 1 + 0.875) / 4 - 0.5) / 0.25)
    assert cpt(curve, 0.5) == pytest.approx(0.125)
    assert cpt(curve, 0.8) == pytest.approx(0.2)
    assert aiq(curve) == pytest.approx((0.625 + 0.875 + 1 + 1) / 4)


def test_a_score_that_knows_nothing_recovers_what_it_pays_for() -> None:
    curve = cost_quality_curve(np.zeros(4), np.array([True, False, False, False]), np.array([True, True, True, False]))
    assert [accuracy_at(curve, rate) for rate in RATES] == pytest.approx([0.25 + 0.5 * rate for rate in RATES])
    assert apgr(curve) == pytest.approx(0.5)
    assert cpt(curve, 0.8) == pytest.approx(0.8)


@pytest.mark.parametrize(("cheap", "large"), [([True, False], [False, True]), ([True, True], [False, True])])
def test_there_is_no_gap_to_recover_where_the_large_model_is_no_better(cheap: list[bool], large: list[bool]) -> None:
    curve = cost_quality_curve(np.array([1.0, 2.0]), np.array(cheap), np.array(large))
    assert apgr(curve) is cpt(curve, 0.5) is None
    assert 0 <= aiq(curve) <= 1

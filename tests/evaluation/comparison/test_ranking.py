from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.evaluation.comparison.ranking import Curves, Ranked
from streamroute.evaluation.cost_quality import apgr, cost_quality_curve, cpt
from streamroute.evaluation.resampling import draw_groups
from streamroute.evaluation.selective import aurc

Row = tuple[int, bool, bool]
ROWS = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), min_size=2, max_size=25)


def ranked(rows: list[Row]) -> tuple[Any, Any, Any, Any, Ranked]:
    scores, cheap, large = (np.array(column) for column in zip(*rows, strict=True))
    draws = np.concatenate((np.ones((1, len(rows)), np.int64), draw_groups(np.arange(len(rows)), resamples=5)))
    return scores.astype(float), cheap, large, draws, Ranked(scores.astype(float), draws)


def chosen(draws: Any) -> list[Any]:
    return [np.repeat(np.arange(draws.shape[1]), drawn) for drawn in draws]


def same(found: Any, expected: list[float | None]) -> None:
    np.testing.assert_allclose(found, [np.nan if value is None else value for value in expected], atol=1e-9)


@given(ROWS)
def test_the_area_under_risks_is_that_of_each_draw_alone(rows: list[Row]) -> None:
    scores, cheap, _, draws, found = ranked(rows)
    same(found.aurc(~cheap), [aurc(scores[i], ~cheap[i]) for i in chosen(draws)])


@given(ROWS)
def test_the_gap_recovered_is_that_of_each_draw_alone(rows: list[Row]) -> None:
    scores, cheap, large, draws, found = ranked(rows)
    ones = np.ones(len(rows))
    curves = Curves(found, cheap, large, kept=ones, escalated=2 * ones)
    alone = [cost_quality_curve(scores[i], cheap[i], large[i]) for i in chosen(draws)]
    same(curves.apgr(), [apgr(curve) for curve in alone])
    for share in (0.2, 0.5, 0.95, 1.0):
        same(curves.cpt(share), [cpt(curve, share) for curve in alone])


def test_the_least_cost_pays_for_who_is_escalated_to_reach_a_quality() -> None:
    rows = [(3, False, True), (2, False, True), (1, True, True), (0, True, True)]
    _, cheap, large, _, found = ranked(rows)
    kept, escalated = np.array([1.0, 1, 1, 1]), np.array([11.0, 21, 31, 41])
    curves = Curves(found, cheap, large, kept=kept, escalated=escalated)
    assert curves.least_cost(np.full(6, 2.0))[0] == 4.0
    assert curves.least_cost(np.full(6, 3.0))[0] == 14.0
    assert curves.least_cost(np.full(6, 3.5))[0] == 24.0
    assert curves.least_cost(np.full(6, 4.0))[0] == 34.0
    assert np.isnan(curves.least_cost(np.full(6, 4.5))[0])


def test_rows_of_equal_score_are_escalated_by_chance() -> None:
    _, cheap, large, _, found = ranked([(1, False, True), (1, True, True)])
    curves = Curves(found, cheap, large, kept=np.array([1.0, 1.0]), escalated=np.array([3.0, 5.0]))
    assert curves.least_cost(np.full(6, 1.5))[0] == pytest.approx(5.0)

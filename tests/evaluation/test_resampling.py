from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.evaluation.metrics import auroc, bootstrap_interval
from streamroute.evaluation.resampling import draw_groups, interval_of, resampled_auroc


def test_whole_groups_are_drawn_as_many_as_there_are() -> None:
    groups = np.array([7, 3, 7, 3, 9])
    draws = draw_groups(groups, resamples=300)
    assert draws.shape == (300, 5)
    assert (draws[:, 0] == draws[:, 2]).all()
    assert (draws[:, 1] == draws[:, 3]).all()
    assert (draws[:, [0, 1, 4]].sum(axis=1) == 3).all()
    assert draws.mean(axis=0) == pytest.approx(1, abs=0.2)
    assert (draws == draw_groups(groups, resamples=300)).all()
    assert (draws != draw_groups(groups, resamples=300, seed=8)).any()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 4)), min_size=1, max_size=30),
    st.integers(1, 120),
)
def test_a_resampled_area_is_that_of_the_rows_it_drew(rows: list[tuple[int, bool, int]], resamples: int) -> None:
    scores = np.array([score for score, _, _ in rows], dtype=float)
    positive = np.array([label for _, label, _ in rows])
    draws = draw_groups(np.array([group for _, _, group in rows]), resamples=resamples)
    for found, drawn in zip(resampled_auroc(scores, positive, draws), draws, strict=True):
        expected = auroc(np.repeat(scores, drawn), np.repeat(positive, drawn))
        assert math.isnan(found) if expected is None else found == pytest.approx(expected)


def test_the_interval_is_about_that_of_the_plain_bootstrap() -> None:
    rng = np.random.default_rng(3)
    positive = rng.random(200) > 0.5
    scores = rng.random(200) + 0.3 * positive
    plain = bootstrap_interval(auroc, scores, positive)
    assert interval_of(resampled_auroc(scores, positive, draw_groups(np.arange(200)))) == pytest.approx(plain, abs=0.01)


def test_no_interval_where_most_resamples_say_nothing() -> None:
    assert interval_of(np.array([0.5, math.nan, math.nan])) is None
    assert interval_of(np.array([0.5, 0.5, math.nan])) == (0.5, 0.5)

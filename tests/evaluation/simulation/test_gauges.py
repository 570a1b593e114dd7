from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.evaluation.simulation.gauges import Durations, Level

seconds = st.floats(1e-4, 1e4)
shares = st.floats(0.001, 1)


def durations(values: list[float], never: int = 0) -> Durations:
    found = Durations()
    for value in values:
        found.add(value)
    found.never = never
    return found


@given(st.lists(seconds, min_size=1, max_size=50), shares)
def test_percentiles_are_those_of_nearest_rank_to_a_quarter_of_a_per_cent(values: list[float], share: float) -> None:
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    assert durations(values).percentile(share) == pytest.approx(exact, rel=0.0026)


def test_what_never_ended_is_later_than_all_others() -> None:
    found = durations([1.0, 1.0, 1.0], never=1)
    assert len(found) == 4
    assert found.percentile(0.75) == pytest.approx(1, rel=0.003)
    assert found.percentile(0.76) is None


def test_no_time_at_all_is_nought_and_of_nothing_there_is_no_percentile() -> None:
    assert durations([0.0, 5.0]).percentile(0.5) == 0
    assert durations([]).percentile(0.5) is None


def test_beyond_all_bins_is_in_the_last() -> None:
    assert durations([1e9]).percentile(1) == pytest.approx(1e5, rel=0.01)


def test_a_level_has_a_peak_and_a_mean_over_time() -> None:
    level = Level()
    for by, at in ((1, 1.0), (2, 2.0), (-3, 4.0), (0, 10.0)):
        level.change(by, at)
    assert (level.now, level.peak) == (0, 3)
    assert level.mean() == pytest.approx((1 * 1 + 3 * 2) / 10)
    assert Level().mean() == 0

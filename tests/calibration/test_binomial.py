"""The tails against sums of exact fractions, the bounds against their definition and against known values."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.calibration.binomial import interval, least_kept, lower_bound, tail, upper_bound


@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 16))
def test_the_tail_is_the_exact_sum(count: int, n: int, sixteenths: int) -> None:
    p = Fraction(sixteenths, 16)
    exact = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(min(count, n) + 1))
    assert tail(count, n, float(p)) == pytest.approx(float(exact), abs=1e-12)


def test_no_count_is_below_zero_and_no_size_overflows() -> None:
    assert tail(-1, 5, 0.5) == 0.0
    assert tail(50_000, 100_000, 0.5) == pytest.approx(0.5, abs=0.002)
    assert tail(0, 100_000, 0.5) == 0.0


@given(st.integers(0, 50), st.integers(1, 50), st.sampled_from([0.01, 0.05, 0.1, 0.5]))
def test_the_upper_bound_is_where_the_tail_is_delta(count: int, n: int, delta: float) -> None:
    bound = upper_bound(min(count, n), n, delta)
    if count >= n:
        assert bound == 1.0
    else:
        assert tail(count, n, bound) == pytest.approx(delta, abs=1e-9)
        assert lower_bound(n - count, n, delta) == pytest.approx(1 - bound)


def test_bounds_have_their_known_values() -> None:
    assert upper_bound(0, 22, 0.1) == pytest.approx(1 - 0.1 ** (1 / 22))
    # Clopper and Pearson 1934: 3 of 10 at 95 %.
    assert interval(3, 10) == pytest.approx((0.0667, 0.6525), abs=5e-5)
    assert interval(0, 0) == (0.0, 1.0)


def test_as_many_rows_without_an_error_as_method_says() -> None:
    assert least_kept(0.05, 0.1) == 45
    assert least_kept(0.1, 0.1) == 22
    assert upper_bound(0, 22, 0.1) <= 0.1 < upper_bound(0, 21, 0.1)

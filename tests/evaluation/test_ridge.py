from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamroute.evaluation.metrics import Bools, Floats
from streamroute.evaluation.ridge import fit_ridge


def drawn(seed: int, rows: int = 60, columns: int = 5) -> tuple[Floats, Bools]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns))
    wrong = rng.random(rows) < 1 / (1 + np.exp(-2 * x[:, 0]))
    wrong[:2] = True, False
    return x, wrong


def penalised(x: Floats, wrong: Bools, intercept: float, weights: Floats, l2: float) -> float:
    z = intercept + x @ weights
    return float(np.logaddexp(0, z).sum() - z[wrong].sum() + l2 / 2 * (weights**2).sum())


def written_out(x: Floats, wrong: Bools, l2: float) -> tuple[float, Floats]:
    """Newton's method, the textbook's."""
    design = np.hstack((np.ones((len(x), 1)), x))
    penalty = np.diag([0.0, *[l2] * x.shape[1]])
    theta = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ theta))
        slope = design.T @ (p - wrong) + penalty @ theta
        theta -= np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]) + penalty, slope)
    return float(theta[0]), theta[1:]


@settings(max_examples=25)
@given(st.integers(0, 1_000), st.sampled_from((0.1, 1.0, 10.0)))
def test_the_fit_is_where_newton_ends(seed: int, l2: float) -> None:
    x, wrong = drawn(seed)
    intercept, weights = written_out(x, wrong, l2)
    assert fit_ridge(x, wrong, l2=l2)(x) == pytest.approx(1 / (1 + np.exp(-(intercept + x @ weights))), abs=5e-3)


def test_more_columns_than_rows_are_fitted_too() -> None:
    x, wrong = drawn(3, rows=30, columns=120)
    found = fit_ridge(x, wrong, l2=1.0)(x)
    assert ((found > 0.5) == wrong).all()
    intercept, weights = written_out(x, wrong, 1.0)
    assert found == pytest.approx(1 / (1 + np.exp(-(intercept + x @ weights))), abs=5e-3)


def test_the_order_of_rows_does_not_matter() -> None:
    x, wrong = drawn(4)
    order = np.random.default_rng(0).permutation(len(x))
    found = fit_ridge(x, wrong, l2=1.0)(x)
    assert fit_ridge(x[order], wrong[order], l2=1.0)(x) == pytest.approx(found, abs=1e-6)


def test_a_harder_penalty_draws_predictions_to_the_rate() -> None:
    x, wrong = drawn(5)
    spreads = [fit_ridge(x, wrong, l2=l2)(x).std() for l2 in (0.1, 1.0, 10.0, 1e6)]
    assert spreads == sorted(spreads, reverse=True)
    assert fit_ridge(x, wrong, l2=1e9)(x) == pytest.approx(wrong.mean(), abs=1e-4)


def test_columns_that_say_nothing_leave_the_rate() -> None:
    wrong = np.array([True, False, False])
    assert fit_ridge(np.zeros((3, 4)), wrong, l2=1.0)(np.ones((2, 4))) == pytest.approx(1 / 3)
    assert fit_ridge(np.zeros((3, 0)), wrong, l2=1.0)(np.zeros((2, 0))) == pytest.approx(1 / 3)


def test_equal_rows_get_equal_probabilities_to_the_last_bit() -> None:
    x, wrong = drawn(6, rows=203, columns=37)
    x[1::2] = x[1]
    found = fit_ridge(x, wrong, l2=0.5)(x)
    assert len(set(found[1::2].tolist())) == 1


def test_what_cannot_be_fitted_is_said() -> None:
    with pytest.raises(ValueError, match="only one kind"):
        fit_ridge(np.ones((3, 1)), np.ones(3, dtype=np.bool_), l2=1.0)
    with pytest.raises(ValueError, match="above zero, not 0"):
        fit_ridge(np.ones((2, 1)), np.array([True, False]), l2=0)

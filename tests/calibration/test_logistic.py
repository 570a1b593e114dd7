import numpy as np
import pytest

from streamroute.calibration.logistic import fit_logistic
from streamroute.core.types import Features
from streamroute.uncertainty.fitted import FEATURES, Logistic


def drawn(n: int, seed: int, **weights: float) -> tuple[list[Features], list[bool]]:
    """Rows whose labels follow a logistic law of `weights`, intercept -2."""
    random = np.random.default_rng(seed)
    rows = [
        Features(disagreement=a, contradiction=b, entropy=c, snne=d, length=e)
        for a, b, c, d, e in random.random((n, 5))
    ]
    z = np.array([-2.0 + sum(w * getattr(row, name) for name, w in weights.items()) for row in rows])
    return rows, list(random.random(n) < 1 / (1 + np.exp(-z)))


def loss(fitted: Logistic, rows: list[Features], wrong: list[bool]) -> float:
    p = np.array([fitted(row) for row in rows])
    return float(-np.log(np.where(wrong, p, 1 - p)).sum())


def test_it_finds_the_law_that_the_labels_follow() -> None:
    rows, wrong = drawn(20_000, 3, disagreement=3.0, length=1.5)
    fitted = fit_logistic(rows, wrong, names=("disagreement", "contradiction", "length"))
    assert fitted.intercept == pytest.approx(-2.0, abs=0.15)
    assert fitted.weights["disagreement"] == pytest.approx(3.0, abs=0.15)
    assert fitted.weights["length"] == pytest.approx(1.5, abs=0.15)
    assert fitted.weights.get("contradiction", 0.0) < 0.15


def test_no_weight_near_the_optimum_fits_better() -> None:
    rows, wrong = drawn(400, 5, disagreement=3.0, snne=2.0)
    names = ("disagreement", "snne")
    fitted = fit_logistic(rows, wrong, names=names, l2=0.0)
    for name in names:
        for change in (-0.05, 0.05):
            moved = Logistic(fitted.intercept, {**fitted.weights, name: fitted.weights[name] + change}, fitted.means)
            assert loss(moved, rows, wrong) > loss(fitted, rows, wrong)


def test_a_feature_that_misleads_gets_no_weight_rather_than_a_negative_one() -> None:
    rows, wrong = drawn(2_000, 7, disagreement=3.0, length=-3.0)
    fitted = fit_logistic(rows, wrong)
    assert "length" not in fitted.weights
    assert all(weight > 0 for weight in fitted.weights.values())


def test_few_labels_leave_the_ranking_to_the_default_score() -> None:
    rows, wrong = drawn(40, 11, disagreement=4.0)
    fitted = fit_logistic(rows, wrong)
    spread = {name: np.std([float(getattr(row, name)) for row in rows]) for name in FEATURES[1:5]}
    others = max(fitted.weights.get(name, 0.0) * spread[name] for name in spread)
    assert fitted.weights["default"] > 3 * others


def test_what_some_row_does_not_know_is_left_out() -> None:
    rows, wrong = drawn(100, 13, disagreement=3.0)
    rows[0] = Features(disagreement=0.5, contradiction=0.5, entropy=0.5, snne=0.5, length=0.5, doubt=0.7)
    assert "doubt" not in fit_logistic(rows, wrong).weights


def test_rows_that_are_all_alike_leave_the_base_rate() -> None:
    rows = [Features(disagreement=0.5, contradiction=0.5, entropy=0.5, snne=0.5)] * 8
    assert fit_logistic(rows, [True, True] + [False] * 6)(rows[0]) == pytest.approx(0.25)


@pytest.mark.parametrize(("labels", "said"), [([True] * 3, "only one kind"), ([True, False], "2 labels for 3 rows")])
def test_labels_that_cannot_be_fitted_are_named(labels: list[bool], said: str) -> None:
    rows, _ = drawn(3, 1)
    with pytest.raises(ValueError, match=said):
        fit_logistic(rows, labels)

"""Each target is met on records that had no part in it, and says so; what cannot be calibrated is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from streamroute.calibration.artefact import Artefact, Target, dumps_artefact, loads_artefact
from streamroute.calibration.fit import calibrate
from streamroute.calibration.records import Record
from streamroute.calibration.thresholds import Cut, escalated_share
from tests.calibration.made import BINDING, CREATED, records

RATE = Target(kind="rate", value=0.3)


def made(given: list[Record], target: Target, **settings: Any) -> Artefact:
    found = calibrate(given, target, binding=BINDING, created=CREATED, **settings)
    assert loads_artefact(dumps_artefact(found)) == found
    return found


def scores(artefact: Artefact, given: list[Record]) -> list[float]:
    combined = artefact.score.combined()
    return [r.score if combined is None else combined(r.features) for r in given if r.features is not None]


@pytest.mark.parametrize("score", ["fitted", "judge"])
def test_a_rate_is_met_on_new_requests(score: str) -> None:
    found = made(records(2000), RATE, score=score)
    cut = Cut(found.threshold.tau, found.threshold.gamma)
    assert escalated_share(scores(found, records(4000, seed=9)), cut) == pytest.approx(0.3, abs=0.05)
    assert found.achieved.rate == pytest.approx(0.3, abs=0.07)
    assert found.achieved.rate_low < found.achieved.rate < found.achieved.rate_high
    assert found.threshold.conservative <= found.threshold.tau
    assert found.certificate.kind == "none"


def test_a_rate_is_met_where_nearly_all_scores_are_tied() -> None:
    tied = [dataclasses.replace(r, score=float(r.score > 0.9), features=None) for r in records(2000)]
    found = made(tied, RATE)
    assert found.threshold.tau == 0.0
    assert found.achieved.rate == pytest.approx(0.3, abs=0.06)


def test_a_fitted_score_is_a_probability_and_beats_the_judges_own() -> None:
    fitted, own = made(records(3000), RATE), made(records(3000), RATE, score="judge")
    assert set(fitted.score.weights) >= {"default", "disagreement"}  # what the default score weighs too lightly
    fresh = records(4000, seed=9)
    values, wrong = np.array(scores(fitted, fresh)), np.array([bool(r.wrong) for r in fresh])
    for low, high in ((0.2, 0.4), (0.4, 0.6), (0.6, 0.8)):
        chosen = (values >= low) & (values < high)
        assert wrong[chosen].mean() == pytest.approx(values[chosen].mean(), abs=0.06)
    assert fitted.achieved.error is not None
    assert own.achieved.error is not None
    assert fitted.achieved.error < own.achieved.error


def test_records_without_features_leave_the_judges_own_score() -> None:
    found = made(records(200, features=False), RATE)
    assert (found.score.kind, found.rows.fit) == ("judge", 0)
    some = records(200)
    some[0] = dataclasses.replace(some[0], features=None)
    assert made(some, RATE).score.kind == "judge"


def test_a_budget_is_spent_on_the_most_uncertain() -> None:
    found = made(records(2000, cost=2.0), Target(kind="budget", value=0.5))
    assert found.achieved.cost == pytest.approx(0.5, abs=0.13)
    assert found.achieved.rate == pytest.approx(0.25, abs=0.065)


def test_a_cost_that_is_not_known_is_the_usual_one() -> None:
    given = records(2000, cost=2.0)
    given[::3] = [dataclasses.replace(r, cost=None) for r in given[::3]]
    found = made(given, Target(kind="budget", value=0.5))
    assert found.achieved.rate == pytest.approx(0.25, abs=0.065)
    assert found.achieved.cost is None


@pytest.mark.parametrize("score", ["fitted", "judge"])
def test_escalation_ends_where_its_gain_is_below_the_price(score: str) -> None:
    found = made(records(3000), Target(kind="gain", value=0.4), score=score)
    limit = found.gain.threshold(0.4)
    assert found.gain_rows == 3000
    at = found.threshold.tau if score == "fitted" else found.score.probability_of()(found.threshold.tau)
    assert at == pytest.approx(limit)
    assert made(records(300), Target(kind="gain", value=5.0), score=score).threshold.tau == 1.0
    assert made(records(300), Target(kind="gain", value=-5.0), score=score).threshold.tau == -1.0


def test_an_error_is_certified_and_kept_on_new_requests() -> None:
    found = made(records(4000), Target(kind="error", value=0.3, confidence=0.9))
    promise = found.certificate
    assert (promise.kind, promise.alpha) == ("selective", 0.3)
    assert promise.delta == pytest.approx(0.1)
    assert promise.bound is not None
    assert promise.bound <= 0.3
    fresh = records(8000, seed=9)
    kept = np.array(scores(found, fresh)) <= found.threshold.tau
    assert np.array([bool(r.wrong) for r in fresh])[kept].mean() <= 0.3


def test_a_marginal_error_is_certified_without_a_confidence() -> None:
    found = made(records(2000), Target(kind="error", value=0.1))
    assert (found.certificate.kind, found.certificate.delta) == ("marginal", None)
    fresh = records(8000, seed=9)
    kept = np.array(scores(found, fresh)) <= found.threshold.tau
    assert (np.array([bool(r.wrong) for r in fresh]) & kept).mean() == pytest.approx(0.1, abs=0.02)


def test_regret_counts_only_what_the_larger_model_would_have_got_right() -> None:
    hopeless = [dataclasses.replace(r, large_wrong=r.wrong) for r in records(1000)]
    found = made(hopeless, Target(kind="error", value=0.1, confidence=0.9, regret=True))
    assert found.certificate.bad == 0
    assert found.achieved.kept > 0.98 * found.achieved.n


def test_data_that_cannot_support_a_certificate_leave_an_estimate_and_the_reason() -> None:
    found = made(records(120), Target(kind="error", value=0.25, confidence=0.99))
    assert found.certificate.kind == "none"
    assert found.certificate.reason is not None
    assert "held-out" in found.certificate.reason
    assert 0 <= found.threshold.tau < 1
    none = made(records(120), Target(kind="error", value=1e-6))
    assert none.threshold.tau == -1.0 or none.achieved.kept_wrong == 0
    assert none.certificate.needed is not None


def test_the_three_parts_are_disjoint_and_counted() -> None:
    given = [*records(100), Record(id="x", score=0.5)]
    found = made(given, RATE, unjudged=7)
    assert (found.rows.fit, found.rows.calibrate, found.rows.held_out) == (40, 40, 20)
    assert (found.rows.unjudged, found.rows.unlabelled) == (7, 1)
    certified = made(given, Target(kind="error", value=0.3, confidence=0.9))
    assert (certified.rows.fit, certified.rows.calibrate, certified.rows.held_out) == (40, 20, 40)


def test_accuracy_of_the_route_needs_labels_of_the_larger_model() -> None:
    found = made(records(2000), RATE)
    assert found.achieved.accuracy is not None
    assert found.achieved.large_accuracy is not None
    assert 1 - found.achieved.base_error < found.achieved.accuracy <= found.achieved.large_accuracy + 0.05
    assert made(records(200, large=False), RATE).achieved.accuracy is None


@pytest.mark.parametrize(
    ("given", "target", "words"),
    [
        ([], RATE, "0 records with a score and a label"),
        (records(29), RATE, "29 records"),
        ([dataclasses.replace(r, wrong=True) for r in records(40)], RATE, "all 40 labelled answers are wrong"),
        ([dataclasses.replace(r, wrong=False) for r in records(40)], RATE, "all 40 labelled answers are right"),
        ([dataclasses.replace(r, group="one") for r in records(40)], RATE, "too few different questions"),
        (records(40), Target(kind="budget", value=1), "none has one"),
        (records(40, large=False), Target(kind="error", value=0.1, regret=True), "regret needs `large_wrong`"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(given: list[Record], target: Target, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made(given, target)

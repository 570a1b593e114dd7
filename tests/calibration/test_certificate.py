"""Guarantees tested as guarantees: over many calibrations from a world whose risk is known exactly."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from streamroute.calibration.binomial import upper_bound
from streamroute.calibration.certificate import (
    Certificate,
    NoCertificate,
    conformal,
    fixed_sequence,
    regret,
    sequence_of,
    start_for,
)

RESPLITS = 500
LEVELS = np.linspace(0.05, 0.95, 10)
"""A score of ten values, equally frequent; an answer with score s is wrong with probability s squared."""
WRONG = LEVELS**2


def selective_risk(tau: float) -> float:
    return float(WRONG[tau + 1e-9 >= LEVELS].mean())


def marginal_risk(tau: float) -> float:
    return float(WRONG[tau + 1e-9 >= LEVELS].sum() / len(LEVELS))


def draws(n: int, *, seed: int) -> list[tuple[list[float], list[bool]]]:
    random = np.random.default_rng(seed)
    made = []
    for _ in range(RESPLITS):
        place = random.integers(len(LEVELS), size=n)
        made.append((LEVELS[place].tolist(), (random.random(n) < WRONG[place]).tolist()))
    return made


def violations(certify: Callable[[list[float], list[bool]], float | None], n: int, alpha: float) -> float:
    """How often the true risk of what would be kept is above alpha."""
    taus = [certify(scores, wrong) for scores, wrong in draws(n, seed=5)]
    return float(np.mean([tau is not None and selective_risk(tau) > alpha for tau in taus]))


def most(delta: float) -> float:
    """`delta` and three standard errors of its share in RESPLITS."""
    return delta + 3 * math.sqrt(delta * (1 - delta) / RESPLITS)


@pytest.mark.parametrize(("n", "alpha", "delta"), [(200, 0.1, 0.1), (500, 0.1, 0.1), (300, 0.2, 0.05)])
def test_the_selective_promise_is_broken_at_most_as_often_as_it_says(n: int, alpha: float, delta: float) -> None:
    sequence = sequence_of(LEVELS.tolist())

    def certified(scores: list[float], wrong: list[bool]) -> float | None:
        found = fixed_sequence(scores, wrong, alpha, delta, sequence)
        return found.tau if isinstance(found, Certificate) else None

    def naive(scores: list[float], wrong: list[bool]) -> float | None:
        held, labels = np.array(scores), np.array(wrong)
        good = [tau for tau in sequence if labels[held <= tau].mean() <= alpha]
        return max(good, default=None)

    assert violations(certified, n, alpha) <= most(delta)
    assert violations(naive, n, alpha) > most(delta)  # the world is one in which a promise can be broken


@pytest.mark.parametrize(("n", "alpha"), [(100, 0.05), (100, 0.1), (400, 0.1)])
def test_the_marginal_risk_is_at_most_alpha_on_average(n: int, alpha: float) -> None:
    risks = []
    for scores, wrong in draws(n, seed=6):
        found = conformal(scores, wrong, alpha)
        risks.append(marginal_risk(found.tau) if isinstance(found, Certificate) else 0.0)
    assert np.mean(risks) <= alpha + 3 * np.std(risks) / math.sqrt(RESPLITS)
    assert np.mean(risks) > alpha / 2  # and it is not empty


def test_a_certificate_says_what_it_was_made_of() -> None:
    scores = [0.1] * 50 + [0.9] * 50
    wrong = [False] * 49 + [True] + [True] * 50
    assert fixed_sequence(scores, wrong, 0.1, 0.1, [0.1, 0.9]) == Certificate(
        kind="selective", alpha=0.1, delta=0.1, tau=0.1, n=100, kept=50, bad=1, bound=upper_bound(1, 50, 0.1)
    )
    assert conformal(scores, wrong, 0.1) == Certificate(
        kind="marginal", alpha=0.1, delta=None, tau=0.1, n=100, kept=50, bad=1, bound=2 / 101
    )


def test_where_nothing_is_wrong_all_may_be_kept() -> None:
    scores, wrong = [i / 100 for i in range(100)], [False] * 100
    found = fixed_sequence(scores, wrong, 0.05, 0.1, sequence_of(scores, start=start_for(100, 0.05, 0.1)))
    assert isinstance(found, Certificate)
    assert (found.tau, found.kept) == (0.99, 100)
    marginal = conformal(scores, wrong, 0.05)
    assert isinstance(marginal, Certificate)
    assert marginal.tau == 0.99


def test_too_few_rows_are_told_how_many_would_do() -> None:
    found = fixed_sequence([0.1] * 20 + [0.9] * 60, [False] * 80, 0.1, 0.1, [0.1, 0.9])
    assert isinstance(found, NoCertificate)
    assert "20 would be kept; even without an error 22 are needed" in found.reason
    assert found.needed == 88
    nothing = fixed_sequence([0.9], [False], 0.1, 0.1, [0.1])
    assert isinstance(nothing, NoCertificate)
    assert nothing.needed == 88
    marginal = conformal([0.1] * 5, [False] * 5, 0.1)
    assert marginal == NoCertificate(reason="5 held-out rows: even without an error 9 are needed for 0.1", needed=9)
    assert isinstance(conformal([0.1] * 9, [False] * 9, 0.1), Certificate)


def test_rows_that_are_only_too_few_for_their_errors_are_told_so() -> None:
    found = fixed_sequence([0.1] * 40, [True] * 2 + [False] * 38, 0.1, 0.1, [0.1])
    assert isinstance(found, NoCertificate)
    assert "5.0%, but it may be 12.8%" in found.reason
    assert found.needed is not None
    enough = math.ceil(found.needed / 40) * 40
    assert isinstance(
        fixed_sequence([0.1] * enough, [True] * (enough // 20) + [False] * (enough - enough // 20), 0.1, 0.1, [0.1]),
        Certificate,
    )


def test_a_score_that_keeps_bad_answers_first_is_told_that_more_rows_would_not_help() -> None:
    scores, wrong = [0.1] * 50 + [0.9] * 50, [True] * 50 + [False] * 50
    for found in (fixed_sequence(scores, wrong, 0.1, 0.1, [0.1, 0.9]), conformal(scores, wrong, 0.1)):
        assert isinstance(found, NoCertificate)
        assert found.needed is None
        assert "50 most certain have 50 bad ones" in found.reason


def test_a_sequence_rises_from_a_quarter_to_all() -> None:
    assert sequence_of([i / 100 for i in range(100)], steps=4) == (0.24, 0.49, 0.74, 0.99)
    assert sequence_of([0.5] * 10) == (0.5,)


def test_a_sequence_begins_where_its_first_step_can_pass() -> None:
    assert start_for(1000, 0.05, 0.1) == 0.25
    assert start_for(100, 0.05, 0.1) == pytest.approx(0.585)
    assert start_for(10, 0.05, 0.1) == 1.0


def test_regret_is_what_the_larger_model_would_have_got_right() -> None:
    assert regret([True, True, False], [True, False, False]) == [False, True, False]
    with pytest.raises(ValueError, match="zip"):
        regret([True], [])


def test_what_cannot_be_is_refused() -> None:
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: conformal([0.1], [], 0.1), "0 labels for 1 scores"),
        (lambda: conformal([0.1], [True], 1.0), "alpha must be"),
        (lambda: fixed_sequence([0.1], [True], 0.1, 1.0, [0.1]), "delta must be"),
        (lambda: fixed_sequence([0.1], [True], 0.1, 0.1, [0.2, 0.1]), "must rise"),
        (lambda: fixed_sequence([0.1], [True], 0.1, 0.1, []), "at least one"),
    ]
    for call, words in calls:
        with pytest.raises(ValueError, match=words):
            call()

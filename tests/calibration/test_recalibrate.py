"""Scores become probabilities in their order."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.calibration.recalibrate import Isotonic, Platt, Recalibrated, fit_isotonic, fit_platt, recalibrate
from streamroute.core.policy import Always, Snapshot
from streamroute.core.types import Decision, Evidence, Verdict

ROWS = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=40)


@given(ROWS)
def test_every_recalibration_is_monotone_and_a_probability(rows: list[tuple[int, bool]]) -> None:
    scores, wrong = [s / 8 for s, _ in rows], [w for _, w in rows]
    for fitted in (fit_platt(scores, wrong), fit_isotonic(scores, wrong)):
        values = [fitted(i / 64) for i in range(65)]
        assert values == sorted(values)
        assert all(0 <= value <= 1 for value in values)


@given(ROWS)
def test_isotonic_steps_are_the_min_max_of_means(rows: list[tuple[int, bool]]) -> None:
    scores, wrong = np.array([s / 8 for s, _ in rows]), np.array([w for _, w in rows], dtype=float)
    fitted = fit_isotonic(scores.tolist(), [w for _, w in rows])
    levels = np.unique(scores)
    steps = []
    for level in levels:
        lows = [a for a in levels if a <= level]
        highs = [b for b in levels if b >= level]
        steps.append(max(min(wrong[(scores >= a) & (scores <= b)].mean() for b in highs) for a in lows))
    assert sorted(set(np.round(steps, 9))) == pytest.approx(np.round(fitted.to, 9).tolist())
    total = sum(float(step) * float((scores == level).sum()) for step, level in zip(steps, levels, strict=True))
    assert total == pytest.approx(wrong.sum())


def test_platt_finds_the_line_that_made_the_labels() -> None:
    random = np.random.default_rng(1)
    truth = Platt(1.7, -0.6)
    scores = random.uniform(0.02, 0.98, 20_000).tolist()
    wrong = [bool(random.random() < truth(score)) for score in scores]
    found = fit_platt(scores, wrong)
    assert (found.slope, found.offset) == pytest.approx((1.7, -0.6), abs=0.08)


def test_scores_that_separate_do_not_become_certainties() -> None:
    found = fit_platt([0.1] * 10 + [0.9] * 10, [False] * 10 + [True] * 10)
    assert found(0.9) == pytest.approx(11 / 12, abs=1e-3)
    assert found(0.1) == pytest.approx(1 / 12, abs=1e-3)


def test_a_score_that_ranks_the_wrong_way_tells_the_base_rate_only() -> None:
    found = fit_platt([0.1] * 10 + [0.9] * 10, [True] * 10 + [False] * 10)
    assert found.slope == 0
    assert found(0.3) == pytest.approx(0.5)


def test_isotonic_keeps_scores_apart_between_its_steps() -> None:
    fitted = fit_isotonic([0.1, 0.2, 0.6, 0.8], [False, False, True, True])
    assert fitted.at == pytest.approx((0.15, 0.7))
    assert fitted(0.3) < fitted(0.4)
    assert (fitted(0), fitted(1)) == (0.0, 1.0)


def test_many_labels_are_told_in_steps_and_few_by_two_numbers() -> None:
    scores, wrong = [i / 1000 for i in range(1000)], [i % 3 == 0 for i in range(1000)]
    assert isinstance(recalibrate(scores, wrong), Isotonic)
    assert isinstance(recalibrate(scores[:999], wrong[:999]), Platt)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="1 labels for 2 scores"):
        recalibrate([0.1, 0.2], [True])
    with pytest.raises(ValueError, match="not negative"):
        Platt(-1, 0)
    with pytest.raises(ValueError, match="not negative"):
        Platt(1, math.nan)
    for at, to, words in (
        ((), (), "at least one"),
        ((0.1, 0.1), (0, 1), "must rise"),
        ((0.1, 0.2), (1, 0), "must not fall"),
        ((0.1, 0.2), (0, 2), "between 0 and 1"),
    ):
        with pytest.raises(ValueError, match=words):
            Isotonic(at, to)


def test_a_recalibrated_policy_sees_probabilities_where_the_score_and_its_bounds_were() -> None:
    seen: list[Evidence | None] = []

    class Watching(Always):
        def __call__(self, snapshot: Snapshot) -> Verdict:
            seen.append(snapshot.evidence)
            return super().__call__(snapshot)

    platt, verdict = Platt(2.0, 0.5), Verdict(Decision.ESCALATE, "told")
    policy = Recalibrated(Watching(verdict), platt)
    found = Evidence(samples=1, expected=2, score=0.4, low=0.2, high=0.9, nli_pairs=3)
    given = Snapshot(tier=0, last_tier=1, evidence=found, pending=1, settled=False, elapsed=0.0, answer_finished=False)
    assert policy(given) == policy(replace(given, evidence=None)) == verdict
    assert seen == [replace(found, score=platt(0.4), low=platt(0.2), high=platt(0.9)), None]

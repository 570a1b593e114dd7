"""The alarm: quiet on the traffic it knows, raised by another, and not misled by verdicts that fall early."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamroute.calibration.drift import DriftAlarm, Reference, psi, reference_of

KNOWN = np.random.default_rng(0).beta(2, 4, size=400)
TAU = float(np.quantile(KNOWN, 0.7))


def alarm(window: int = 200) -> DriftAlarm:
    return DriftAlarm(reference_of(KNOWN.tolist(), rate=0.3), TAU, window=window)


def test_a_reference_has_bins_of_equal_frequency_between_its_scores() -> None:
    found = reference_of([i / 100 for i in range(100)], rate=0.5)
    assert found.edges == pytest.approx((0.195, 0.395, 0.595, 0.795))
    assert found.shares == pytest.approx((0.2,) * 5)
    tied = reference_of([0.0] * 90 + [1.0] * 10, rate=0.1)
    assert tied.edges == (0.5,)
    assert tied.shares == (0.9, 0.1)
    assert reference_of([0.0] * 10 + [1.0] * 90, rate=0.1).shares == (0.1, 0.9)
    assert reference_of([0.5] * 30, rate=0.0).edges == ()


def test_psi_is_zero_for_equals_and_grows_both_ways() -> None:
    assert psi([10, 20], [10, 20]) == 0
    expected = (2 / 3 - 1 / 3) * math.log(2)
    assert psi([1e9, 2e9], [2e9, 1e9]) == pytest.approx(2 * expected)
    assert math.isfinite(psi([100, 0], [0, 100]))


def test_the_traffic_of_the_calibration_raises_no_alarm() -> None:
    random, raised = np.random.default_rng(1), 0
    for _ in range(20):
        watch = alarm()
        for score in random.beta(2, 4, size=2000):
            watch.observe(score, score, score)
        raised += watch.raised is not None
    assert raised <= 1


@pytest.mark.parametrize(
    ("shape", "words", "within"), [((4, 4), "more answers are uncertain", 150), ((1, 9), "spread otherwise", 200)]
)
def test_another_traffic_raises_it_for_good(shape: tuple[float, float], words: str, within: int) -> None:
    random, watch = np.random.default_rng(2), alarm()
    for score in random.beta(2, 4, size=2000):
        watch.observe(score, score, score)
    before = watch.raised
    assert before is None
    for score in random.beta(*shape, size=within):
        watch.observe(score, score, score)
    assert words in str(watch.raised)
    for score in random.beta(2, 4, size=1000):
        watch.observe(score, score, score)
    assert words in str(watch.raised)


def test_scores_that_early_verdicts_only_bound_are_no_drift() -> None:
    random, watch = np.random.default_rng(3), alarm()
    for score in random.beta(2, 4, size=2000):
        # The verdict fell as soon as the score was known to end on its side of the threshold.
        low, high = (TAU + 1e-9, 1.0) if score > TAU else (0.0, TAU)
        watch.observe((low + high) / 2, low, high)
    assert watch.raised is None


def test_a_bin_that_the_reference_never_saw_is_still_counted() -> None:
    reference = Reference(edges=(0.5, 0.6), shares=(0.5, 0.0, 0.5), n=100, rate=0.5)
    watch = DriftAlarm(reference, 0.5, window=50)
    for i in range(50):
        score = 0.55 if i % 2 else 0.3
        watch.observe(score, score, score)
    assert watch.raised is not None


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="no scores"):
        reference_of([], rate=0)
    with pytest.raises(ValueError, match="one share more"):
        Reference(edges=(0.5,), shares=(1.0,), n=1, rate=0)
    with pytest.raises(ValueError, match="sum to 1"):
        Reference(edges=(), shares=(0.5,), n=1, rate=0)

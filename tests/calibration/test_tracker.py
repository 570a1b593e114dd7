"""The bounds of the trackers, against sequences that are chosen to break them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.calibration.thresholds import Gain
from streamroute.calibration.tracker import Jittered, MoneyTracker, RateTracker
from streamroute.core.policy import Policy, Snapshot, Threshold
from streamroute.core.types import Decision, Evidence


def escalates(policy: Policy, score: float, dice: float = 0.5) -> bool:
    found = Evidence(samples=5, expected=5, score=score, low=score, high=score, answer_cluster=0)
    verdict = policy(
        Snapshot(
            tier=0,
            last_tier=1,
            evidence=found,
            pending=0,
            settled=True,
            elapsed=1.0,
            answer_finished=True,
            dice=dice,
        )
    )
    return verdict.decision is Decision.ESCALATE


def rate_of(tracker: RateTracker, score_of: Callable[[int, float], float], steps: int) -> float:
    """The share escalated of scores that may be chosen by the step and by the threshold itself."""
    random = np.random.default_rng(3)
    count = 0
    for t in range(steps):
        escalated = escalates(tracker.policy(), score_of(t, tracker.theta), random.random())
        tracker.update(escalated=escalated)
        count += escalated
    return count / steps


def bound(eta: float, steps: int, jitter: float = 1e-3) -> float:
    return (1 + 2 * jitter + eta) / (eta * steps) + 1e-9


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=300),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from([0.02, 0.3, 1.0]),
)
def test_the_rate_is_held_for_any_sequence(scores: list[float], rate: float, start: float, eta: float) -> None:
    tracker = RateTracker(rate, start=start, eta=eta)
    found = rate_of(tracker, lambda t, theta: scores[t], len(scores))
    assert abs(found - rate) <= bound(eta, len(scores))


@pytest.mark.parametrize(
    "adversary",
    [
        lambda t, theta: min(1.0, theta + 0.01),
        lambda t, theta: max(0.0, theta - 0.01),
        lambda t, theta: float(t > 500),
        lambda t, theta: float(t // 50 % 2),
        lambda t, theta: 0.5 + 0.5 * np.sin(t / 40),
        lambda t, theta: 0.7,
    ],
)
def test_the_rate_is_held_against_an_adversary_who_sees_the_threshold(
    adversary: Callable[[int, float], float],
) -> None:
    assert abs(rate_of(RateTracker(0.2), adversary, 1000) - 0.2) <= bound(0.02, 1000)


def test_after_an_abrupt_drift_the_rate_comes_back() -> None:
    random = np.random.default_rng(4)
    found = rate_of(RateTracker(0.2), lambda t, theta: random.random() * (0.5 if t < 2000 else 1.0), 4000)
    assert found == pytest.approx(0.2, abs=0.01)
    assert rate_of(Still(0.4), lambda t, theta: random.random() * (0.5 if t < 2000 else 1.0), 4000) > 0.35


class Still(RateTracker):
    """One that does not follow."""

    def update(self, *, escalated: bool, cost: float = 0.0) -> None:
        pass

    def __init__(self, theta: float) -> None:
        super().__init__(0.2, start=theta)


def test_a_threshold_that_cannot_steer_stays_in_its_range() -> None:
    tracker = RateTracker(0.2)
    for _ in range(1000):
        tracker.update(escalated=True)
    assert 1 < tracker.theta < 1.03
    assert not escalates(tracker.policy(), 1.0)


def test_ties_are_split_by_the_dice() -> None:
    policy = Jittered(0.5, 0.1)
    assert [escalates(policy, 0.5, dice) for dice in (0.0, 0.49, 0.51, 0.99)] == [True, True, False, False]
    assert policy.score_limit == 0.5


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=300),
    st.floats(1, 4),
    st.floats(0.2, 1),
    st.sampled_from([0.02, 0.5]),
)
def test_the_mean_cost_is_held_for_any_sequence(scores: list[float], extra: float, base: float, eta: float) -> None:
    tracker = MoneyTracker(1.0, extra=extra, eta=eta)
    spent = 0.0
    for score in scores:
        cost = base + extra * escalates(tracker.policy(), score)
        tracker.update(escalated=False, cost=cost)
        spent += cost
    mean = spent / len(scores)
    assert mean <= 1 + (tracker.most + eta * (base + extra)) / (eta * len(scores)) + 1e-9


def test_money_to_spare_is_spent_on_every_gain_and_none_on_losses() -> None:
    tracker, gain = MoneyTracker(10.0, extra=1.0), Gain()
    assert escalates(tracker.policy(), gain.threshold(0) + 0.01)
    assert not escalates(tracker.policy(), gain.threshold(0) - 0.01)
    for _ in range(10_000):
        tracker.update(escalated=True, cost=20.0)
    assert tracker.policy() == Threshold(1.0)


def test_a_threshold_on_another_scale_is_asked_for() -> None:
    tracker = MoneyTracker(1.0, extra=1.0, threshold=lambda wrong: wrong / 2, jitter=0.0)
    assert tracker.policy() == Jittered(Gain().threshold(0) / 2, 0.0)


def test_what_cannot_be_is_refused() -> None:
    for rate, eta in ((1.5, 0.1), (0.5, 0.0)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            RateTracker(rate, eta=eta)
    with pytest.raises(ValueError, match="positive"):
        MoneyTracker(0.0, extra=1.0)

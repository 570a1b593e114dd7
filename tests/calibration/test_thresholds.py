"""Cuts meet their rate and their budget exactly, over the dice; the policy of a cut is a threshold per request."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.calibration.thresholds import (
    Calibrated,
    Cut,
    Gain,
    budget_cut,
    dice_of,
    escalated_share,
    fit_gain,
    kept_share_cut,
    rate_cut,
)
from streamroute.core.policy import Snapshot
from streamroute.core.types import UNDECIDED, Decision, Evidence, Verdict

SCORES = st.lists(st.integers(0, 10).map(lambda i: i / 10), min_size=1, max_size=40)


def decide(
    policy: Calibrated, score: float, *, dice: float = 0.5, low: float = 0, high: float = 1, pending: int = 0
) -> Verdict:
    found = Evidence(samples=5 - pending, expected=5, score=score, low=low, high=high, answer_cluster=0)
    return policy(
        Snapshot(
            tier=0,
            last_tier=1,
            evidence=found,
            pending=pending,
            settled=False,
            elapsed=1.0,
            answer_finished=True,
            dice=dice,
        )
    )


@given(SCORES, st.floats(0, 1))
def test_a_rate_is_met_exactly_whatever_the_ties(scores: list[float], rate: float) -> None:
    cut = rate_cut(scores, rate)
    assert 0 <= cut.gamma <= 1
    assert escalated_share(scores, cut) == pytest.approx(rate, abs=1e-9)


@given(SCORES, st.data())
def test_a_budget_is_spent_and_not_overspent(scores: list[float], data: st.DataObject) -> None:
    costs = data.draw(st.lists(st.floats(0, 5), min_size=len(scores), max_size=len(scores)))
    budget = data.draw(st.floats(0, 6))
    tau, gamma = budget_cut(scores, costs, budget)
    spent = sum(c * (s > tau + 1e-12) + gamma * c * (abs(s - tau) <= 1e-12) for s, c in zip(scores, costs, strict=True))
    assert spent / len(scores) == pytest.approx(min(budget, statistics.fmean(costs)), abs=1e-9)


@given(SCORES, st.floats(0, 1))
def test_the_policy_escalates_the_share_that_its_cut_promises(scores: list[float], rate: float) -> None:
    cut = rate_cut(scores, rate)
    policy = Calibrated(*cut)
    dice = [(i + 0.5) / 200 for i in range(200)]
    escalated = statistics.fmean(
        decide(policy, score, dice=d).decision is Decision.ESCALATE for score in scores for d in dice
    )
    assert escalated == pytest.approx(rate, abs=1 / 200 + 1e-9)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.999))
def test_an_early_verdict_is_the_one_that_all_probes_would_have_given(
    a: float, b: float, c: float, tau: float, dice: float
) -> None:
    low, score, high = sorted((a, b, c))
    policy = Calibrated(tau, 0.5)
    early = decide(policy, score, dice=dice, low=low, high=high, pending=2)
    for final in (low, score, high):
        assert early == UNDECIDED or early.decision is decide(policy, final, dice=dice).decision


def test_ties_are_broken_by_the_dice_and_by_nothing_else() -> None:
    policy = Calibrated(0.3, 0.25)
    assert decide(policy, 0.1 + 0.2, dice=0.24).decision is Decision.ESCALATE
    assert decide(policy, 0.1 + 0.2, dice=0.25).decision is Decision.ACCEPT
    assert decide(policy, 0.3, dice=0.25).decision is Decision.ACCEPT
    assert decide(policy, 0.31, dice=0.99).decision is Decision.ESCALATE
    assert decide(policy, 0.29, dice=0.0).decision is Decision.ACCEPT
    assert policy.score_limit == 0.3


def test_dice_are_the_same_for_the_same_request_and_spread_evenly() -> None:
    assert dice_of(b"a") == dice_of(b"a") != dice_of(b"b")
    drawn = sorted(dice_of(str(i).encode()) for i in range(2000))
    assert drawn[0] >= 0
    assert drawn[-1] < 1
    assert max(abs(value - i / 2000) for i, value in enumerate(drawn)) < 0.05  # Kolmogorov: 1e-4 would be 0.049


def test_a_share_to_keep_is_kept_at_least() -> None:
    assert kept_share_cut([0.4, 0.1, 0.2, 0.3], 0.25) == 0.1
    assert kept_share_cut([0.4, 0.1, 0.2, 0.3], 0.26) == 0.2
    assert kept_share_cut([0.4, 0.1], 1.0) == 0.4
    assert kept_share_cut([0.4, 0.1], 0.0) == 0.1


def test_the_gain_is_nothing_at_its_threshold() -> None:
    # METHOD 2.5 from RouteLLM's tables: GSM8K and MMLU.
    assert Gain(0.803, 0.887).threshold(0.0) == pytest.approx(0.12, abs=0.005)
    assert Gain(0.557, 0.922).threshold(0.05) == pytest.approx(0.20, abs=0.005)
    gain = Gain()
    assert gain(gain.threshold(0.1)) == pytest.approx(0.1)
    assert gain(0.0) == pytest.approx(-0.08)


def test_a_gain_is_fitted_towards_the_default() -> None:
    assert fit_gain([], []) == Gain()
    found = fit_gain([True] * 100 + [False] * 100, [True] * 80 + [False] * 20 + [False] * 100)
    assert (found.q0, found.q1) == pytest.approx((21.2 / 102, 101.84 / 102))
    assert found.rows == 200


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="rate must be between"):
        rate_cut([0.5], 1.5)
    with pytest.raises(ValueError, match="0 costs for 0 scores"):
        rate_cut([], 0.5)
    with pytest.raises(ValueError, match="not be negative"):
        budget_cut([0.5], [1.0], -1)
    with pytest.raises(ValueError, match="no scores"):
        kept_share_cut([], 0.5)
    with pytest.raises(ValueError, match="probabilities"):
        Gain(0.0, 1.0)
    with pytest.raises(ValueError, match="1 labels"):
        fit_gain([], [True])


def test_a_cut_is_a_threshold_unless_it_says_otherwise() -> None:
    assert Cut(0.5) == (0.5, 0.0)

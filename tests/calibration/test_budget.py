"""A budget is met by the trade-off and the mix together."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.calibration.budget import Options, expected_cost, solve_lambda
from streamroute.core.selection import choose

COSTS = (0.0, 1.0, 5.0)
QUALITIES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=3, max_size=3).map(tuple)
RECORDS = st.lists(st.builds(Options, QUALITIES, st.just(COSTS)), min_size=1, max_size=30)  # full of ties


def spent(records: list[Options], trade: float, mix: float) -> float:
    """The exact mean cost over all dice."""
    return mix * expected_cost(records, trade, dear=True) + (1 - mix) * expected_cost(records, trade)


@given(RECORDS, st.floats(0, 5))
def test_a_budget_is_spent_and_never_overspent(records: list[Options], budget: float) -> None:
    solved = solve_lambda(records, budget)
    assert spent(records, solved.trade, solved.mix) <= budget + 1e-9
    if solved.trade > 0:
        assert spent(records, solved.trade, solved.mix) == pytest.approx(budget, abs=1e-9)
    else:
        assert expected_cost(records, 0.0) <= budget


def test_dice_spend_what_the_mix_promises() -> None:
    rng = random.Random(4)
    records = [Options((0.5, rng.choice([0.6, 0.9])), (0.0, 1.0)) for _ in range(20_000)]  # two gains: all is a tie
    solved = solve_lambda(records, 0.3)
    total = sum(r.costs[choose(r.qualities, r.costs, solved.trade, dear=rng.random() < solved.mix)] for r in records)
    assert 0 < solved.mix < 1
    assert total / len(records) == pytest.approx(0.3, abs=0.01)


def test_without_ties_no_single_request_is_more_than_its_cost_off() -> None:
    rng = random.Random(5)
    records = [Options((q := rng.random(), q + rng.random() / 2), (0.1, 1 + rng.random())) for _ in range(500)]
    solved = solve_lambda(records, 0.6)
    assert expected_cost(records, solved.trade) == pytest.approx(0.6, abs=2 / 500)


def test_money_may_be_in_any_unit() -> None:
    rng = random.Random(6)
    large = [Options((rng.random(), rng.random()), (0.0, 1.0)) for _ in range(200)]
    small = [Options(r.qualities, (0.0, 1e-6)) for r in large]
    assert solve_lambda(small, 0.2e-6).trade == pytest.approx(1e6 * solve_lambda(large, 0.2).trade)


def test_budgets_that_cannot_be_met_are_refused() -> None:
    with pytest.raises(ValueError, match="without records"):
        solve_lambda([], 1.0)
    with pytest.raises(ValueError, match="below"):
        solve_lambda([Options((0.5, 0.9), (1.0, 2.0))], 0.5)

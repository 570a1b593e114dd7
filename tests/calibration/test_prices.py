import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.calibration.prices import mean_cost, priced_to_budget
from streamroute.core.cascading import CascadeRouting, TierValue

POLICY = CascadeRouting(
    tiers=(TierValue(), TierValue(keeps=0.9, mends=0.5, cost=1.0), TierValue(keeps=0.98, mends=0.9, cost=4.0))
)
WRONG = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]) | st.floats(0, 1), min_size=1, max_size=40)


def spent(policy: CascadeRouting, wrong: list[float]) -> float:
    """The expectation over the dice."""
    dear, cheap = (mean_cost(policy, wrong, price) for price in (policy.mixed_price, policy.price))
    return policy.mix * dear + (1 - policy.mix) * cheap


@given(WRONG, st.floats(0, 5))
def test_the_budget_is_met_exactly_or_more_than_enough(wrong: list[float], budget: float) -> None:
    found = priced_to_budget(POLICY, wrong, budget)
    assert 0 <= found.mix <= 1
    if found.price == 0:
        assert spent(found, wrong) <= budget
    else:
        assert spent(found, wrong) == pytest.approx(budget, abs=1e-9)


def test_no_money_keeps_every_answer() -> None:
    found = priced_to_budget(POLICY, [0.5, 0.9], 0.0)
    assert spent(found, [0.5, 0.9]) == 0


@pytest.mark.parametrize(
    ("wrong", "budget", "first", "said"),
    [([], 1.0, 0.0, "no answers"), ([0.5], -1.0, 0.0, "negative"), ([0.5], 1.0, 1.0, "first tier")],
)
def test_what_makes_no_sense_is_named(wrong: list[float], budget: float, first: float, said: str) -> None:
    policy = dataclasses.replace(POLICY, tiers=(TierValue(cost=first), *POLICY.tiers[1:]))
    with pytest.raises(ValueError, match=said):
        priced_to_budget(policy, wrong, budget)

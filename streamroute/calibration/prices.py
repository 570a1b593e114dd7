"""The price of quality that meets a budget (METHOD 6.3; Dekoninck et al. 2024)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from streamroute.core.cascading import CascadeRouting

__all__ = ("mean_cost", "priced_to_budget")

DOUBLINGS, HALVINGS = 60, 80


def mean_cost(policy: CascadeRouting, wrong: Sequence[float], price: float) -> float:
    """The mean money for tiers beyond the first, over answers that are wrong with these probabilities."""
    return sum(policy.tiers[policy.target(p, price=price)].cost for p in wrong) / len(wrong)


def priced_to_budget(policy: CascadeRouting, wrong: Sequence[float], budget: float) -> CascadeRouting:
    """`policy` with the least price at which asking larger tiers costs `budget` a request on average, over answers that
    are wrong with the probabilities `wrong`. Cost falls in steps as the price rises: the two prices around the step
    that jumps over the budget are mixed so that it is met exactly.

    A budget that nothing exceeds gives price 0. Raises ValueError for no answers and for a negative budget, and where
    the first tier has a cost: it is paid already.
    """
    if not wrong:
        raise ValueError("no answers to find a price for")
    if budget < 0:
        raise ValueError(f"a budget must not be negative, not {budget}")
    if policy.tiers[0].cost:
        raise ValueError("the first tier's cost is paid whatever is decided: leave it 0")
    if mean_cost(policy, wrong, 0.0) <= budget:
        return dataclasses.replace(policy, price=0.0, mix=0.0)
    low, high = 0.0, 1.0
    for _ in range(DOUBLINGS):
        if mean_cost(policy, wrong, high) <= budget:
            break
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if mean_cost(policy, wrong, middle) <= budget:
            high = middle
        else:
            low = middle
    above, below = mean_cost(policy, wrong, low), mean_cost(policy, wrong, high)
    mix = (budget - below) / (above - below)
    return dataclasses.replace(policy, price=high, mixed_price=low, mix=mix)

"""The trade-off between quality and cost that spends a budget (METHOD 6.3; Dekoninck et al. 2024)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from streamroute.core.selection import choose

__all__ = ("Options", "Trade", "expected_cost", "solve_lambda")


@dataclass(frozen=True, slots=True)
class Options:
    """What could be done with one recorded request: the quality and the cost of each choice."""

    qualities: tuple[float, ...]
    costs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Trade:
    """`trade` and `mix` of a `CascadeRouting`."""

    trade: float
    mix: float


def expected_cost(records: Sequence[Options], trade: float, *, dear: bool = False) -> float:
    """The mean cost of the choices under `trade`, ties going to the cheapest or, with `dear`, to the dearest."""
    return math.fsum(r.costs[choose(r.qualities, r.costs, trade, dear=dear)] for r in records) / len(records)


def solve_lambda(records: Sequence[Options], budget: float) -> Trade:
    """The smallest trade-off whose mean cost over `records` is within `budget`, by bisection; where requests tie at it,
    the share that goes to the dearest spends what the cheapest leave over.

    A budget that the best quality does not use up gives a trade of 0. Raises ValueError without records, and for a
    budget below the cost of always choosing the cheapest.
    """
    if not records:
        raise ValueError("a budget cannot be solved for without records")
    least = math.fsum(min(r.costs) for r in records) / len(records)
    if not budget >= least:
        raise ValueError(f"a budget of {budget:g} is below the {least:g} that the cheapest choices cost")
    if expected_cost(records, 0.0) <= budget:
        return Trade(0.0, 0.0)
    low, high = 0.0, 1.0
    while expected_cost(records, high) > budget:
        low, high = high, 2 * high
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if expected_cost(records, middle) > budget:
            low = middle
        else:
            high = middle
    cheap, dear = expected_cost(records, high), expected_cost(records, high, dear=True)
    return Trade(high, min(1.0, (budget - cheap) / (dear - cheap)) if dear > cheap else 0.0)

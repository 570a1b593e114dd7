"""Exact binomial tails and the Clopper-Pearson interval, without scipy."""

from __future__ import annotations

import math

__all__ = ("interval", "least_kept", "lower_bound", "tail", "upper_bound")

HALVINGS = 60


def tail(count: int, n: int, p: float) -> float:
    """P(X <= count) for X binomial (n, p). Summed in logarithms from the largest term, so it neither over- nor
    underflows for any n."""
    if count < 0:
        return 0.0
    if count >= n or p <= 0:
        return 1.0
    if p >= 1:
        return 0.0
    head = math.lgamma(n + 1)
    on, off = math.log(p), math.log1p(-p)
    terms = [head - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * on + (n - k) * off for k in range(count + 1)]
    largest = max(terms)
    return min(1.0, math.exp(largest) * math.fsum(math.exp(term - largest) for term in terms))


def upper_bound(count: int, n: int, delta: float) -> float:
    """The probability that is exceeded with confidence at most `delta` after `count` of `n` (Clopper-Pearson 1934):
    Beta quantile (1 - delta; count + 1, n - count), found by halving the tail. 1 where n is 0."""
    if count >= n:
        return 1.0
    low, high = count / n, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(count, n, middle) > delta else (low, middle)
    return high


def lower_bound(count: int, n: int, delta: float) -> float:
    """The mirror image of `upper_bound`. 0 where n is 0."""
    return 0.0 if n == 0 else 1 - upper_bound(n - count, n, delta)


def interval(count: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Two-sided, of at least `level`."""
    delta = (1 - level) / 2
    return lower_bound(count, n, delta), upper_bound(count, n, delta)


def least_kept(alpha: float, delta: float) -> int:
    """How many kept answers without one error certify `alpha` with confidence 1 - `delta`."""
    return math.ceil(math.log(delta) / math.log1p(-alpha))

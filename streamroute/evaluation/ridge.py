"""Logistic regression of many columns under a ridge penalty: maximum a posteriori by L-BFGS, on numpy alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streamroute.evaluation.metrics import Bools, Floats

__all__ = ("fit_ridge",)

REMEMBERED = 10
STEPS = 100
TOLERANCE = 1e-3
"""Of the steepest slope, relative to that at the start. What is left moves probabilities in their third digit."""
_DECREASE = 1e-4
_SMALLEST = 1e-8
_DECIMALS = 12
"""Of a probability. Equal rows stay equal: how BLAS sums a row depends on where it stands, in the last bits."""

_Loss = Callable[[Floats], tuple[float, Floats]]
"""The value and the slope at a place."""


def fit_ridge(x: Floats, wrong: Bools, *, l2: float) -> Callable[[Floats], Floats]:
    """From rows like those of `x`, (n, columns), to the probability of being wrong, (rows,): the one that makes `wrong`
    likeliest, `l2` / 2 times the squared weights taken off; the intercept is free.

    Equal arguments give equal fits, and the order of rows does not matter beyond rounding. Raises ValueError unless
    both labels occur and for an `l2` that is not above zero.
    """
    if not 0 < wrong.sum() < len(wrong):
        raise ValueError("a fit needs right and wrong answers, and there is only one kind")
    if not l2 > 0:
        raise ValueError(f"l2 must be above zero, not {l2}")
    labels = wrong.astype(np.float64)

    def loss(theta: Floats) -> tuple[float, Floats]:
        weights = theta[1:]
        z = theta[0] + x @ weights
        excess = _sigmoid(z) - labels
        value = np.logaddexp(0, z).sum() - labels @ z + l2 / 2 * (weights @ weights)
        return float(value), np.concatenate(([excess.sum()], excess @ x + l2 * weights))

    start = np.zeros(1 + x.shape[1])
    start[0] = np.log(labels.mean() / (1 - labels.mean()))
    theta = _minimise(loss, start)
    return lambda others: np.round(_sigmoid(theta[0] + others @ theta[1:]), _DECIMALS)


def _minimise(loss: _Loss, place: Floats) -> Floats:
    """L-BFGS with halved steps (Nocedal and Wright 2006, algorithm 7.5): the loss is convex, and it never rises."""
    value, slope = loss(place)
    steepest = np.abs(slope).max()
    memory: list[tuple[Floats, Floats]] = []
    for _ in range(STEPS):
        if np.abs(slope).max() <= TOLERANCE * steepest:
            break
        way = -_newton(slope, memory)
        step = 1.0
        while True:
            following, there = loss(place + step * way)
            if following <= value + _DECREASE * step * (slope @ way):
                break
            step /= 2
            if step < _SMALLEST:  # nothing but rounding is left
                return place
        moved, turned = step * way, there - slope
        if moved @ turned > 0:
            memory = [*memory[1 - REMEMBERED :], (moved, turned)]
        place, value, slope = place + moved, following, there
    return place


def _newton(slope: Floats, memory: list[tuple[Floats, Floats]]) -> Floats:
    """The slope times what the last steps tell of the inverse curvature (algorithm 7.4)."""
    found = slope.copy()
    shares = []
    for moved, turned in reversed(memory):
        shares.append((moved @ found) / (moved @ turned))
        found -= shares[-1] * turned
    if memory:
        moved, turned = memory[-1]
        found *= (moved @ turned) / (turned @ turned)
    else:
        found /= max(1.0, float(np.linalg.norm(slope)))
    for (moved, turned), share in zip(memory, reversed(shares), strict=True):
        found += moved * (share - (turned @ found) / (moved @ turned))
    return found


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(z / 2)))

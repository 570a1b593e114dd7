"""The bootstrap of many scores on the same rows: drawn once, whole groups, all resamples of a score at a time."""

from __future__ import annotations

import numpy as np

from streamroute.evaluation.metrics import Bools, Floats, Interval, Ints

__all__ = ("draw_groups", "interval_of", "resampled_auroc")

_BLOCK = 100
"""Resamples that are computed at a time, which bounds the memory."""


def draw_groups(groups: Ints, *, resamples: int = 1000, seed: int = 7) -> Ints:
    """(resamples, n): how often each row is drawn when as many groups as there are, of the rows with one number, are
    drawn with replacement (Efron 1979). Rows of one group are no independent news. Equal arguments give equal draws."""
    _, place = np.unique(groups, return_inverse=True)
    count = int(place.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return np.asarray(drawn[:, place], dtype=np.int64)


def resampled_auroc(scores: Floats, positive: Bools, draws: Ints) -> Floats:
    """(resamples,) `metrics.auroc` of each draw, NaN where it lacks rows of one kind."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    found = np.empty(len(draws))
    for at in range(0, len(draws), _BLOCK):
        drawn = draws[at : at + _BLOCK, order]
        hits = np.add.reduceat(drawn * positive[order], starts, axis=1)
        misses = np.add.reduceat(drawn * ~positive[order], starts, axis=1)
        below = misses.cumsum(axis=1) - misses / 2
        pairs = hits.sum(axis=1) * misses.sum(axis=1)
        with np.errstate(invalid="ignore"):
            found[at : at + _BLOCK] = (hits * below).sum(axis=1) / pairs
    return found


def interval_of(values: Floats, *, level: float = 0.95) -> Interval | None:
    """Percentiles of resampled values, NaN left out; None where that is more than half of them."""
    known = values[~np.isnan(values)]
    if 2 * len(known) < len(values):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))

"""What follows from the order in which a score puts rows, for many bootstrap draws of the rows at once.

Rows of equal score are in random order among themselves, and figures are those that this expects: sums of a whole group
are exact at its ends and linear between them.
"""

from __future__ import annotations

import numpy as np

from streamroute.evaluation.metrics import Bools, Floats, Ints

__all__ = ("Curves", "Ranked")

_ROUNDING = 1e-12


class Ranked:
    """Rows by falling score: who is escalated first comes first. `draws` (r, n): how often each row is drawn.

    A curve is (r, g + 1): a sum over the rows so far, at the start and at the end of each of the g groups.
    """

    def __init__(self, scores: Floats, draws: Ints) -> None:
        order = np.argsort(-scores, kind="stable")
        self._order = order
        self._starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
        self._drawn = draws[:, order]
        self.rows = self.curve(np.ones(len(scores)))
        """How many rows there are so far."""

    def curve(self, values: Floats | Bools) -> Floats:
        """The sum of `values` (n,) over the rows so far."""
        sums = np.add.reduceat(self._drawn * np.asarray(values, dtype=np.float64)[self._order], self._starts, axis=1)
        return np.concatenate((np.zeros((len(sums), 1)), sums.cumsum(axis=1)), axis=1)

    def aurc(self, wrong: Bools) -> Floats:
        """(r,) `selective.aurc`: over k, the share of wrong among the k rows of the lowest scores."""
        rows, bad = self.rows[:, -1:] - self.rows[:, ::-1], self.curve(wrong)
        bad = bad[:, -1:] - bad[:, ::-1]
        size, found = np.diff(rows, axis=1), np.diff(bad, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(size > 0, found / size, 0.0)
        # Within a group wrong rows come evenly: the sum of (before + share * (k - start)) / k over its k.
        start, end = rows[:, :-1], rows[:, 1:]
        harmonic = np.concatenate(([0.0], np.cumsum(1 / np.arange(1, int(rows.max()) + 1))))
        between = harmonic[end.astype(np.int64)] - harmonic[start.astype(np.int64)]
        total = (share * size + (bad[:, :-1] - share * start) * between).sum(axis=1)
        return np.asarray(total / rows[:, -1])


class Curves:
    """Escalating by a score: `quality` and `cost` (r, g + 1), sums over all rows, as ever more of them are."""

    def __init__(self, ranked: Ranked, cheap: Bools, large: Bools, *, kept: Floats, escalated: Floats) -> None:
        """`kept`, `escalated`: (n,) what a row costs that is."""
        gain = ranked.curve(large.astype(np.float64) - cheap)
        self.rows = ranked.rows
        self.quality = ranked.curve(cheap)[:, -1:] + gain
        self.cost = ranked.curve(kept)[:, -1:] + ranked.curve(escalated - kept)
        self.gap = self.quality[:, -1] - self.quality[:, 0]

    def apgr(self) -> Floats:
        """(r,) `cost_quality.apgr`; NaN where the large model is no better."""
        area = np.trapezoid(self.quality, self.rows, axis=1) / self.rows[:, -1] - self.quality[:, 0]
        return _where(self.gap > _ROUNDING, area, self.gap)

    def cpt(self, share: float) -> Floats:
        """(r,) `cost_quality.cpt`; NaN where the large model is no better."""
        at = self._reached(self.quality[:, 0] + share * self.gap, self.rows)
        return _where(self.gap > _ROUNDING, at, self.rows[:, -1])

    def least_cost(self, level: Floats) -> Floats:
        """(r,) the cost with the fewest rows escalated that make so many right; NaN where none do."""
        return self._reached(level, self.cost)

    def _reached(self, level: Floats, curve: Floats) -> Floats:
        """(r,) the value of `curve` where quality first reaches `level`."""
        above = self.quality >= level[:, None] - _ROUNDING
        k, every = above.argmax(axis=1), np.arange(len(above))
        before = np.maximum(k - 1, 0)
        low, high = self.quality[every, before], self.quality[every, k]
        part = np.clip(_where(high > low, level - low, high - low), 0, 1)
        part = np.where(k == 0, 0.0, np.nan_to_num(part, nan=1.0))
        found = curve[every, before] + part * (curve[every, k] - curve[every, before])
        return np.where(above.any(axis=1), found, np.nan)


def _where(defined: Bools, above: Floats, below: Floats) -> Floats:
    """`above / below`, NaN where it is not defined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(defined, above / below, np.nan)

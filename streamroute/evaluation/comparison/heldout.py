"""A threshold for each method, chosen on other rows than those that it is measured on."""

from __future__ import annotations

import numpy as np

from streamroute.evaluation.cost_quality import cost_quality_curve
from streamroute.evaluation.metrics import Bools, Floats, Ints

__all__ = ("escalations",)


def escalations(scores: Floats, cheap: Bools, large: Bools, folds: Ints, *, share: float) -> Floats:
    """(n,) how likely each row is escalated, by the limit on the score that recovers `share` of the gap between the
    models on the other folds, with the fewest escalations. Rows at the limit itself are escalated by chance, as often
    as the limit asks for. Where the large model is no better on the other folds, nothing is.

    `cheap`, `large`: (n,) whose answers are right.
    """
    found = np.zeros(len(scores))
    for fold in np.unique(folds):
        seen, rows = folds != fold, folds == fold
        if seen.any():
            limit, chance = _limit(scores[seen], cheap[seen], large[seen], share)
            found[rows] = np.where(scores[rows] > limit, 1.0, np.where(scores[rows] == limit, chance, 0.0))
    return found


def _limit(scores: Floats, cheap: Bools, large: Bools, share: float) -> tuple[float, float]:
    """The score above which is escalated, and how likely at it."""
    curve = cost_quality_curve(scores, cheap, large)
    gap = curve[-1] - curve[0]
    if gap <= 0:
        return np.inf, 0.0
    count = int(np.argmax(curve >= curve[0] + share * gap - 1e-12))
    if count == 0:
        return np.inf, 0.0
    limit = float(np.sort(scores)[::-1][count - 1])
    above, at = int((scores > limit).sum()), int((scores == limit).sum())
    return limit, (count - above) / at

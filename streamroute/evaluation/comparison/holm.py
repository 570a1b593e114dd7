"""Several comparisons at once, none of which is to be lucky."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamroute.evaluation.metrics import Floats

__all__ = ("holm", "two_sided")


def two_sided(differences: Floats) -> float | None:
    """The bootstrap's p-value of "there is no difference", from resampled differences: twice the share on the rarer
    side of zero, none of which counts as one (Davison and Hinkley 1997, section 4.2). None without any."""
    known = differences[~np.isnan(differences)]
    if not len(known):
        return None
    rarer = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(known) + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in order: comparing each with alpha keeps the chance of any false finding below it (Holm
    1979)."""
    order = np.argsort(p_values)
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for rank, index in enumerate(order.tolist()):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = worst
    return adjusted

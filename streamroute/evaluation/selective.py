"""How well does a score of uncertainty say which answers are wrong? Areas over all shares of answers that are kept.

Row i of every argument belongs to the same answer; a higher score is less certain. Answers of equal score are taken in
random order, and every figure is the exact mean over such orders. A figure that is not defined (fewer than two rows,
for some a single class) is None, never a made-up number.
"""

from __future__ import annotations

import numpy as np

from streamroute.evaluation.metrics import Bools, Floats, binned_gap

__all__ = ("auarc", "aurc", "by_rank", "calibration_error", "prediction_rejection_ratio")


def by_rank(scores: Floats, values: Floats | Bools) -> Floats:
    """(n,) the values by rising score, each the mean of all values of its score: what random order of ties expects."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=np.asarray(values, dtype=np.float64)) / counts
    return np.repeat(means, counts)


def aurc(scores: Floats, wrong: Bools) -> float | None:
    """Area under the risk-coverage curve: the share of wrong among the k most certain answers, averaged over k = 1..n
    (Geifman, Uziel and El-Yaniv 2019). Lower is better. None for fewer than two rows."""
    return float(_risks(scores, wrong).mean()) if len(wrong) > 1 else None


def auarc(scores: Floats, wrong: Bools) -> float | None:
    """Area under the accuracy-rejection curve (Nadeem, Zucker and Hanczar 2009): the accuracy of the k most certain,
    k = 1..n, at coverages that part [0, 1] evenly, by trapezoids, as Lin, Trivedi and Sun 2024 compute it. Higher is
    better. None for fewer than two rows."""
    if len(wrong) < 2:
        return None
    return float(np.trapezoid(1 - _risks(scores, wrong), np.linspace(0, 1, len(wrong))))


def prediction_rejection_ratio(scores: Floats, wrong: Bools) -> float | None:
    """(A - A_random) / (A_oracle - A_random), A the `auarc`: 1 for a perfect order, 0 for a random one, below that for
    worse (Malinin and Gales 2021, normalised). None where all answers are of one kind."""
    area, best = auarc(scores, wrong), auarc(wrong.astype(np.float64), wrong)
    if area is None or best is None or wrong.all() or not wrong.any():
        return None
    chance = float(1 - wrong.mean())
    return (area - chance) / (best - chance)


def calibration_error(probabilities: Floats, wrong: Bools, *, bins: int = 15) -> float | None:
    """How far probabilities of being wrong are from the shares that are, in [0, 1]: rows fall into `bins` of equal
    width, the gaps of which are weighted by their rows (Naeini, Cooper and Hauskrecht 2015). None without rows, and
    where some value lies outside [0, 1]."""
    if not len(wrong) or probabilities.min() < 0 or probabilities.max() > 1:
        return None
    return binned_gap(probabilities, wrong, bins)


def _risks(scores: Floats, wrong: Bools) -> Floats:
    """(n,) the share of wrong among the k most certain."""
    return np.asarray(by_rank(scores, wrong).cumsum() / np.arange(1, len(wrong) + 1))

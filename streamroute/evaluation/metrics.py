"""How good are predictions? Pure functions of arrays; row i of every argument belongs to the same example.

A figure that is not defined for its rows (no positive ones, a class that never occurs) is None, never a made-up number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = (
    "BestThreshold",
    "Bools",
    "ClassScores",
    "Floats",
    "Interval",
    "Ints",
    "accuracy",
    "auroc",
    "average_precision",
    "best_threshold",
    "binned_gap",
    "bootstrap_interval",
    "brier",
    "class_scores",
    "confusion_matrix",
    "expected_calibration_error",
    "macro_f1",
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Interval(NamedTuple):
    low: float
    high: float


class BestThreshold(NamedTuple):
    """The most that `score >= threshold` can get right. Chosen on the rows it is measured on: optimistic."""

    accuracy: float
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """One class against the rest. `support`: how often it is the right one. `precision` is None where it was never
    predicted, `recall` where it never occurs, `f1` where neither."""

    precision: float | None
    recall: float | None
    f1: float | None
    support: int


def accuracy(gold: Ints, guess: Ints) -> float:
    """Share of equal entries of two arrays (n,), n at least 1."""
    return float((gold == guess).mean())


def confusion_matrix(gold: Ints, guess: Ints, classes: int) -> Ints:
    """(classes, classes) counts: row by the right class, column by the predicted one."""
    return np.bincount(gold * classes + guess, minlength=classes**2).reshape(classes, classes)


def class_scores(confusion: Ints) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 = 2 TP / (2 TP + FP + FN) of each class of a confusion matrix."""
    hits, occur, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return tuple(
        ClassScores(
            precision=_ratio(hits[c], predicted[c]),
            recall=_ratio(hits[c], occur[c]),
            f1=_ratio(2 * hits[c], occur[c] + predicted[c]),
            support=int(occur[c]),
        )
        for c in range(len(confusion))
    )


def macro_f1(scores: tuple[ClassScores, ...]) -> float | None:
    """Mean F1 of the classes that have one."""
    defined = [each.f1 for each in scores if each.f1 is not None]
    return sum(defined) / len(defined) if defined else None


def expected_calibration_error(probabilities: Floats, gold: Ints, *, bins: int = 15) -> float:
    """How far confidence is from accuracy, in [0, 1] (Guo et al. 2017, eq. 3).

    `probabilities` (n, classes). The confidence of a row is its highest probability; rows fall into `bins` of equal
    width, each with its upper edge; the gap between mean confidence and accuracy of each is weighted by its rows.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == gold
    return binned_gap(confidence, right, bins)


def binned_gap(predicted: Floats, happened: Bools, bins: int) -> float:
    """Mean gap between probabilities and what happened, by `bins` of equal width over [0, 1], each with its upper edge,
    weighted by their rows; at least one row."""
    place = np.searchsorted(np.arange(1, bins) / bins, predicted, side="left")
    # |B|/n * |acc(B) - conf(B)| is |sum over B of (right - confidence)| / n.
    return float(np.abs(np.bincount(place, weights=happened - predicted)).sum() / len(predicted))


def brier(probabilities: Floats, gold: Ints) -> float:
    """Mean squared distance of the probabilities (n, classes) from the truth, in [0, 2] (Brier 1950)."""
    truth = np.eye(probabilities.shape[1])[gold]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def auroc(scores: Floats, positive: Bools) -> float | None:
    """Probability that a positive row scores above a negative one, ties counted half: Mann-Whitney's U by mid-ranks,
    over the number of such pairs. None where one of the two is missing."""
    p, n = int(positive.sum()), int((~positive).sum())
    if not p or not n:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (counts.cumsum() - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - p * (p + 1) / 2) / (p * n))


def average_precision(scores: Floats, positive: Bools) -> float | None:
    """Precision at each distinct score as threshold, weighted by the recall it adds: the area under the
    precision-recall steps, not interpolated. None where no row is positive."""
    if not positive.any():
        return None
    _, hits, chosen = _from_the_top(scores, positive)
    added = np.diff(hits, prepend=0)
    return float((added * hits / chosen).sum() / hits[-1])


def best_threshold(scores: Floats, positive: Bools) -> BestThreshold:
    """The threshold at which `score >= threshold` agrees most often with `positive`, the highest of equals: one of the
    scores, or just above all of them, where calling nothing positive is best."""
    levels, hits, chosen = _from_the_top(scores, positive)
    negatives = int((~positive).sum())
    right = np.concatenate(([negatives], hits + negatives - (chosen - hits)))
    thresholds = np.concatenate(([np.nextafter(levels[0], np.inf)], levels))
    best = int(right.argmax())
    return BestThreshold(float(right[best] / len(scores)), float(thresholds[best]))


def bootstrap_interval(
    statistic: Callable[..., float | None],
    *columns: npt.NDArray[Any],
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 7,
) -> Interval | None:
    """Percentile interval of `statistic(*columns)` under resampling of rows with replacement (Efron 1979).

    All columns take the same rows each time, so a difference of two scores is resampled as a pair. Equal arguments give
    equal intervals. Resamples for which the statistic is None are left out; None where that is more than half of them.
    """
    random = np.random.default_rng(seed)
    n = len(columns[0])
    drawn = (random.integers(n, size=n) for _ in range(resamples))
    values = [value for rows in drawn if (value := statistic(*(column[rows] for column in columns))) is not None]
    if 2 * len(values) < resamples:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _from_the_top(scores: Floats, positive: Bools) -> tuple[Floats, Ints, Ints]:
    """The distinct scores, highest first, and how many positive rows and rows lie at or above each."""
    levels, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    hits = np.bincount(inverse[positive], minlength=len(levels))
    return levels[::-1], hits[::-1].cumsum(), counts[::-1].cumsum()


def _ratio(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None

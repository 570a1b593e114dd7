"""From a score to a probability, on records that the score was not fitted to (METHOD 2.4)."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from streamroute.core.policy import Policy, Snapshot
from streamroute.core.types import Verdict

__all__ = (
    "ISOTONIC_FROM",
    "Isotonic",
    "Platt",
    "Recalibrated",
    "Recalibration",
    "fit_isotonic",
    "fit_platt",
    "recalibrate",
)

ISOTONIC_FROM = 1000
"""Labels from which steps are told better than two numbers are."""
NEWTON_STEPS = 100
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Platt:
    """sigma(slope * logit(score) + offset). The slope is not negative, so the order of scores is kept.

    Raises ValueError for a negative slope and for numbers that are not finite.
    """

    slope: float
    offset: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and math.isfinite(self.offset) and self.slope >= 0):
            raise ValueError(f"slope {self.slope} and offset {self.offset} must be finite, the slope not negative")

    def __call__(self, score: float) -> float:
        z = self.slope * _logit(score) + self.offset
        return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


@dataclass(frozen=True, slots=True)
class Isotonic:
    """Linear between the centres of the steps of an isotonic fit (Oron & Flournoy 2017), level outside them: scores
    that differ mostly stay different, which thresholds need.

    Raises ValueError unless `at` rises and `to` does not fall, both of one length and within [0, 1].
    """

    at: tuple[float, ...]
    to: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.at or len(self.at) != len(self.to):
            raise ValueError(f"{len(self.at)} places and {len(self.to)} values: as many are needed, and at least one")
        if any(b <= a for a, b in zip(self.at, self.at[1:], strict=False)):
            raise ValueError("the places must rise")
        if any(b < a for a, b in zip(self.to, self.to[1:], strict=False)) or not 0 <= self.to[0] <= self.to[-1] <= 1:
            raise ValueError("the values must not fall, and lie between 0 and 1")

    def __call__(self, score: float) -> float:
        i = bisect_right(self.at, score)
        if i == 0:
            return self.to[0]
        if i == len(self.at):
            return self.to[-1]
        part = (score - self.at[i - 1]) / (self.at[i] - self.at[i - 1])
        # Not a + part * (b - a), which can overstep b by a rounding.
        return min(self.to[i], self.to[i - 1] + part * (self.to[i] - self.to[i - 1]))


Recalibration = Platt | Isotonic


@dataclass(frozen=True, slots=True)
class Recalibrated(Policy):
    """Lets `policy` see probabilities in place of the score and its bounds, which stay bounds: no order changes."""

    policy: Policy
    recalibration: Recalibration

    def __call__(self, snapshot: Snapshot) -> Verdict:
        evidence, to = snapshot.evidence, self.recalibration
        if evidence is not None:
            evidence = replace(evidence, score=to(evidence.score), low=to(evidence.low), high=to(evidence.high))
        return self.policy(replace(snapshot, evidence=evidence))


def recalibrate(scores: Sequence[float], wrong: Sequence[bool]) -> Recalibration:
    """Platt scaling of fewer than 1000 labels, isotonic regression of more. Raises ValueError as those do."""
    return fit_platt(scores, wrong) if len(scores) < ISOTONIC_FROM else fit_isotonic(scores, wrong)


def fit_platt(scores: Sequence[float], wrong: Sequence[bool]) -> Platt:
    """Platt 1999: logistic regression on the logit of the score, towards targets that are (k+1)/(n+2) instead of 0 and
    1, so that separable scores do not become certainties. Raises ValueError for no or not as many labels."""
    _require(scores, wrong)
    z = np.array([_logit(score) for score in scores])
    labels = np.asarray(wrong, dtype=np.float64)
    bad, good = labels.sum(), (1 - labels).sum()
    target = np.where(labels == 1, (bad + 1) / (bad + 2), 1 / (good + 2))
    theta = _newton(z, target)
    if theta[0] < 0:  # the score ranks worse than chance here: only the base rate is left to tell
        return Platt(0.0, math.log(target.mean() / (1 - target.mean())))
    return Platt(float(theta[0]), float(theta[1]))


def _newton(z: Floats, target: Floats) -> Floats:
    design = np.stack((z, np.ones_like(z)), axis=1)
    theta = np.array([1.0, 0.0])
    loss = _loss(design @ theta, target)
    for _ in range(NEWTON_STEPS):
        p = 0.5 * (1 + np.tanh(design @ theta / 2))
        curvature = design.T @ (design * (p * (1 - p))[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (p - target))
        size = 1.0
        while (new := _loss(design @ (theta - size * step), target)) > loss and size > 1e-6:
            size /= 2
        if loss - new < 1e-12:
            break
        theta, loss = theta - size * step, new
    return theta


def _loss(z: Floats, target: Floats) -> float:
    return float((np.logaddexp(0, z) - target * z).sum())


def fit_isotonic(scores: Sequence[float], wrong: Sequence[bool]) -> Isotonic:
    """Pool adjacent violators. Raises ValueError for no or not as many labels."""
    _require(scores, wrong)
    levels, place = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
    weights = np.bincount(place).astype(np.float64)
    sums = np.bincount(place, weights=np.asarray(wrong, dtype=np.float64))
    blocks: list[tuple[float, float, float]] = []  # labels, weight, weighted place
    for level, weight, total in zip(levels.tolist(), weights.tolist(), sums.tolist(), strict=True):
        block = (total, weight, weight * level)
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            last = blocks.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
        blocks.append(block)
    return Isotonic(
        tuple(centre / weight for _, weight, centre in blocks), tuple(total / weight for total, weight, _ in blocks)
    )


def _require(scores: Sequence[float], wrong: Sequence[bool]) -> None:
    if len(scores) != len(wrong) or not len(scores):
        raise ValueError(f"{len(wrong)} labels for {len(scores)} scores")


def _logit(score: float) -> float:
    clipped = min(1 - 1e-6, max(1e-6, score))
    return math.log(clipped / (1 - clipped))

"""Where to cut: a share of escalations, an amount of money, or a gain at a price (METHOD 2.5, 6.1)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamroute.core.gain import RIGHT_WHERE_RIGHT, RIGHT_WHERE_WRONG
from streamroute.core.policy import Policy, Snapshot, Threshold
from streamroute.core.types import Verdict

__all__ = (
    "TIE",
    "Calibrated",
    "Cut",
    "Gain",
    "budget_cut",
    "dice_of",
    "escalated_share",
    "fit_gain",
    "kept_share_cut",
    "levels_of",
    "rate_cut",
)

TIE = 1e-12
"""Scores that differ by less are equal: sums in another order differ by that much."""
DIGITS = 12
Floats = npt.NDArray[np.float64]


class Cut(NamedTuple):
    """Escalate above `tau`, and at it with probability `gamma`: scores take few values, so a threshold alone cannot
    meet a rate."""

    tau: float
    gamma: float = 0.0


@dataclass(frozen=True, slots=True)
class Calibrated(Policy):
    """Escalates when the score ends above `tau`, and at `tau` when the request's dice are below `gamma`.

    With its dice cast, a request has a plain threshold, above or below the tie: so the bounds of the evidence certify
    early verdicts as they do for `Threshold`.
    """

    tau: float
    gamma: float = 0.0

    @property
    def score_limit(self) -> float:
        return self.tau

    def __call__(self, snapshot: Snapshot) -> Verdict:
        escalates_at_tau = snapshot.dice < self.gamma
        limit = math.nextafter(self.tau - TIE, -math.inf) if escalates_at_tau else self.tau + TIE
        return Threshold(limit)(snapshot)


def dice_of(request: bytes) -> float:
    """A number in [0, 1) that belongs to a request: the same in every process, and uniform over requests."""
    return (int.from_bytes(hashlib.blake2b(request, digest_size=8).digest()) >> 11) / 2**53


def levels_of(scores: Sequence[float]) -> Floats:
    """The scores (n,) with ties made equal."""
    return np.asarray(np.round(np.asarray(scores, dtype=np.float64), DIGITS), dtype=np.float64)


def rate_cut(scores: Sequence[float], rate: float) -> Cut:
    """The cut that escalates exactly `rate` of these scores, on average over the dice. Raises ValueError for no scores
    and for a rate outside [0, 1]."""
    if not 0 <= rate <= 1:
        raise ValueError(f"the rate must be between 0 and 1, not {rate}")
    return budget_cut(scores, np.ones(len(scores)).tolist(), rate)


def budget_cut(scores: Sequence[float], costs: Sequence[float], budget: float) -> Cut:
    """The cut at which escalations cost `budget` a request, on average over these requests and their dice, or all that
    there is to spend if it is less. `costs` are of escalating each. Raises ValueError for no scores, costs that are
    none and a negative budget."""
    if len(scores) != len(costs) or not len(scores):
        raise ValueError(f"{len(costs)} costs for {len(scores)} scores")
    if budget < 0 or not all(math.isfinite(cost) and cost >= 0 for cost in costs):
        raise ValueError("budget and costs must not be negative")
    levels, place = np.unique(levels_of(scores), return_inverse=True)
    at = np.bincount(place, weights=np.asarray(costs, dtype=np.float64)) / len(scores)
    above = np.append(at[::-1].cumsum()[::-1][1:], 0.0)  # what all scores above each level cost
    index = int(np.argmax(above <= budget))  # the lowest that is affordable
    spare = budget - float(above[index])
    gamma = 1.0 if spare >= at[index] else spare / float(at[index])
    return Cut(float(levels[index]), gamma)


def kept_share_cut(scores: Sequence[float], share: float) -> float:
    """The least level that keeps at least `share` of the scores. Raises ValueError for no scores."""
    if not len(scores):
        raise ValueError("no scores")
    ordered = np.sort(levels_of(scores))
    return float(ordered[min(len(ordered), max(1, math.ceil(share * len(ordered) - 1e-9))) - 1])


def escalated_share(scores: Sequence[float], cut: Cut) -> float:
    """The share of these scores that `cut` escalates, on average over the dice."""
    levels = levels_of(scores)
    return float((levels > cut.tau + TIE).mean() + cut.gamma * (np.abs(levels - cut.tau) <= TIE).mean())


@dataclass(frozen=True, slots=True)
class Gain:
    """What escalating is worth (METHOD 2.5), in right answers: the larger model is right with probability `q1` where
    the cheap one is, and `q0` where it is not. `rows` are the records it is from, 0 for the default.

    Raises ValueError unless q0, q1 are probabilities and q0 + 1 - q1 > 0.
    """

    q0: float = RIGHT_WHERE_WRONG
    q1: float = RIGHT_WHERE_RIGHT
    rows: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.q0 <= 1 and 0 <= self.q1 <= 1 and self.slope > 0):
            raise ValueError(f"q0 = {self.q0} and q1 = {self.q1} must be probabilities, and not 0 and 1")

    @property
    def slope(self) -> float:
        return self.q0 + 1 - self.q1

    def __call__(self, wrong: float) -> float:
        """The expected gain of escalating an answer that is wrong with probability `wrong`."""
        return wrong * self.slope - (1 - self.q1)

    def threshold(self, price: float) -> float:
        """The probability of being wrong above which the gain exceeds `price`; above 1 where none does."""
        return (price + 1 - self.q1) / self.slope


def fit_gain(wrong: Sequence[bool], large_wrong: Sequence[bool], *, weight: float = 2.0) -> Gain:
    """q0 and q1 from answers of both models to the same requests, drawn towards the defaults as by `weight` more
    records of each kind. Raises ValueError for another number of labels."""
    if len(wrong) != len(large_wrong):
        raise ValueError(f"{len(large_wrong)} labels of the larger model for {len(wrong)} of the cheap one")
    prior, bad, right = Gain(), np.asarray(wrong, dtype=bool), ~np.asarray(large_wrong, dtype=bool)

    def share(rows: npt.NDArray[np.bool_], default: float) -> float:
        return float((right[rows].sum() + weight * default) / (rows.sum() + weight))

    return Gain(share(bad, prior.q0), share(~bad, prior.q1), len(wrong))

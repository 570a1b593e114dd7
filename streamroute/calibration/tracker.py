"""Thresholds that follow the traffic: to a rate of escalations, or to an amount of money (METHOD 6.1).

Each holds its mean for *any* sequence of scores, an adversary's too: a threshold outside the scores' range escalates
nothing, or everything, and so comes back, and it cannot have gone far without as many escalations too many or too few.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamroute.calibration.thresholds import Gain
from streamroute.core.policy import Policy, Snapshot, Threshold
from streamroute.core.types import Verdict

__all__ = ("Jittered", "MoneyTracker", "RateTracker")

ETA = 0.02
JITTER = 1e-3
"""Half the width of what is added to a threshold by the request's dice, so that a tie is not decided one way for all
who are in it."""


@dataclass(frozen=True, slots=True)
class Jittered(Policy):
    """`Threshold`, a little higher or lower by the request's dice."""

    limit: float
    jitter: float = JITTER

    @property
    def score_limit(self) -> float:
        return self.limit

    def __call__(self, snapshot: Snapshot) -> Verdict:
        return Threshold(self.limit + self.jitter * (2 * snapshot.dice - 1))(snapshot)


class RateTracker:
    """theta <- theta + eta (1{escalated} - rate), on scores in [0, 1].

    After T requests, one decided after the other, the share of escalations is within (1 + 2 jitter + eta) / (eta T) of
    `rate`. Requests under way at once see a theta that is that many steps old, and eta times their number is added to
    the range. What is escalated whatever its score (a failed model, a deadline) cannot be steered: theta then stays at
    the end of its range. Raises ValueError for a rate outside [0, 1] and an eta outside (0, 1].
    """

    def __init__(self, rate: float, *, start: float = 0.5, eta: float = ETA, jitter: float = JITTER) -> None:
        if not (0 <= rate <= 1 and 0 < eta <= 1):
            raise ValueError(f"rate {rate} and eta {eta} must be between 0 and 1")
        self.rate = rate
        self._eta, self._jitter = eta, jitter
        self._low, self._high = -jitter - eta, 1 + jitter + eta  # it never gets there by itself
        self.theta = min(1.0, max(0.0, start))

    def policy(self) -> Policy:
        return Jittered(self.theta, self._jitter)

    def update(self, *, escalated: bool, cost: float = 0.0) -> None:
        self.theta = min(self._high, max(self._low, self.theta + self._eta * (escalated - self.rate)))


class MoneyTracker:
    """lambda <- [lambda + eta (cost / budget - 1)]+: escalates where the gain exceeds lambda times the price.

    `budget` is the money for a request, on average and all legs counted; `extra` what escalating one adds, about;
    `threshold` gives the score at which an answer is wrong with a given probability. A request that is kept must cost
    less than the budget: then lambda stays below what makes escalating too dear, and after T requests the mean cost is
    at most budget (1 + (lambda_most + eta c / budget) / (eta T)), with c the dearest and lambda_most = `most`. Raises
    ValueError for amounts that are not positive.
    """

    def __init__(
        self,
        budget: float,
        *,
        extra: float,
        gain: Gain | None = None,
        threshold: Callable[[float], float] = lambda wrong: wrong,
        eta: float = ETA,
        jitter: float = JITTER,
    ) -> None:
        if not (budget > 0 and extra > 0 and eta > 0):
            raise ValueError(f"budget {budget}, extra {extra} and eta {eta} must be positive")
        self.budget = budget
        self._price = extra / budget
        self._gain = gain or Gain()
        self._threshold = threshold
        self._eta, self._jitter = eta, jitter
        self.multiplier = 0.0

    @property
    def most(self) -> float:
        """The lambda at which even a surely wrong answer is not worth the money."""
        return self._gain(1.0) / self._price

    def policy(self) -> Policy:
        wrong = self._gain.threshold(self.multiplier * self._price)
        if wrong >= 1:
            return Threshold(1.0)
        return Jittered(self._threshold(wrong), self._jitter)

    def update(self, *, escalated: bool, cost: float) -> None:
        self.multiplier = max(0.0, self.multiplier + self._eta * (cost / self.budget - 1))

"""Does the traffic still look like that of the calibration? If not, no promise holds (METHOD 6.2)."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from streamroute.calibration.thresholds import levels_of

__all__ = ("DriftAlarm", "Reference", "psi", "reference_of")

PSI_LIMIT = 0.2
BINS = 10
ROWS_PER_BIN = 20
FALSE_ALARM_Z = 4.5
"""Standard normal quantile: of one window, chance alone exceeds the limit in about three of a million cases. Windows
overlap, so a request is a new case."""
ODDS = 2.5
"""The rise of the odds of an uncertain answer that the CUSUM looks for."""
ALARM = math.log(1e6)
"""Of the CUSUM: without drift it takes a million requests to an alarm, or more (Lorden 1971)."""


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The scores of the calibration: `shares[i]` of `n` lie above `edges[i - 1]` and at most at `edges[i]`; `rate` of
    them above the threshold. Raises ValueError unless the edges rise and there is one share more, none negative."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    n: int
    rate: float

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.edges) + 1 or any(b <= a for a, b in itertools.pairwise(self.edges)):
            raise ValueError("edges must rise, and have one share more")
        if min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-6 or self.n < 1:
            raise ValueError("shares must not be negative, and sum to 1")


def reference_of(scores: Sequence[float], *, rate: float) -> Reference:
    """Bins of about equal frequency, as many as the scores can fill with 20 each, at most 10. An edge lies between two
    scores. Raises ValueError for no scores."""
    if not len(scores):
        raise ValueError("no scores")
    ordered = np.sort(levels_of(scores))
    bins = max(2, min(BINS, len(ordered) // ROWS_PER_BIN))
    cuts = sorted({_between(ordered, len(ordered) * i // bins) for i in range(1, bins)})
    edges = [float(ordered[cut - 1] + ordered[cut]) / 2 for cut in cuts if 0 < cut < len(ordered)]
    counts = np.bincount([bisect_left(edges, value) for value in ordered.tolist()], minlength=len(edges) + 1)
    return Reference(
        edges=tuple(edges), shares=tuple((counts / len(ordered)).tolist()), n=len(ordered), rate=float(rate)
    )


def _between(ordered: npt.NDArray[np.float64], place: int) -> int:
    """The nearest place between two different scores; an end where there is none."""
    before, after = (int(np.searchsorted(ordered, ordered[place], side=side)) for side in ("left", "right"))
    return before if before > 0 and (place - before <= after - place or after == len(ordered)) else after


def psi(expected: Sequence[float], found: Sequence[float]) -> float:
    """Population stability index, sum of (q - p) ln(q / p), of counts or shares (B,). Half a count is added to
    each, so an empty bin is not infinite."""
    p, q = (np.asarray(values, dtype=np.float64) + 0.5 for values in (expected, found))
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


class DriftAlarm:
    """Watches the scores of judged answers, and once `raised` stays so: only a new calibration makes it good.

    Two tests. PSI of the last `window` scores against the reference; its limit of 0.2 is raised where as much is to be
    expected by chance. And a one-sided CUSUM of the likelihood ratio of the share above `tau`, which sees sooner that
    there are more.

    A verdict may have fallen before the last probe. Its score is then only known to lie between bounds, and counts in
    the bins there as the reference would have it.
    """

    def __init__(self, reference: Reference, tau: float, *, window: int = 500) -> None:
        self._reference = reference
        self._tau = tau
        self._window: deque[list[float]] = deque(maxlen=window)
        self._counts = [0.0] * len(reference.shares)
        self._limit = max(PSI_LIMIT, _chance(len(reference.shares) - 1) * (1 / window + 1 / reference.n))
        rate = min(0.95, max(0.01, reference.rate))
        rate = min(0.95, rate + math.sqrt(rate * (1 - rate) / reference.n))  # it is itself only an estimate
        risen = ODDS * rate / (1 - rate + ODDS * rate)
        self._step = math.log((1 - risen) / (1 - rate)), math.log(risen / rate)
        self._sum = 0.0
        self.raised: str | None = None

    def observe(self, score: float, low: float, high: float) -> None:
        """One judged answer: the score that the verdict fell on, and the bounds of the one that it could still have
        reached."""
        above = low > self._tau or (score > self._tau and high > self._tau)
        self._sum = max(0.0, self._sum + self._step[int(above)])
        if self._sum > ALARM:
            self.raised = self.raised or "more answers are uncertain than in the calibration"
        weights = self._weights(low, high) if low < high else self._weights(score, score)
        if len(self._window) == self._window.maxlen:
            self._add(self._window[0], -1)
        self._window.append(weights)
        self._add(weights, 1)
        if len(self._window) == self._window.maxlen:
            expected = [share * self._reference.n for share in self._reference.shares]
            if psi(expected, [max(0.0, count) for count in self._counts]) > self._limit:
                self.raised = self.raised or "the scores are spread otherwise than in the calibration"

    def _weights(self, low: float, high: float) -> list[float]:
        edges, shares = self._reference.edges, self._reference.shares
        first, last = bisect_left(edges, low), bisect_left(edges, high)
        mass = sum(shares[first : last + 1])
        among = last + 1 - first
        return [
            0.0 if not first <= i <= last else share / mass if mass > 0 else 1 / among for i, share in enumerate(shares)
        ]

    def _add(self, weights: Sequence[float], sign: int) -> None:
        self._counts = [count + sign * weight for count, weight in zip(self._counts, weights, strict=True)]


def _chance(freedom: int) -> float:
    """The quantile of chi-squared at `FALSE_ALARM_Z` (Wilson and Hilferty 1931)."""
    k = max(1, freedom)
    return float(k * (1 - 2 / (9 * k) + FALSE_ALARM_Z * math.sqrt(2 / (9 * k))) ** 3)

"""Figures of numbers that are too many to be kept: percentiles from fixed bins, and levels over time."""

from __future__ import annotations

import math

__all__ = ("Durations", "Level")

_LEAST, _MOST = 1e-5, 1e5
_BINS_PER_E = 200
_BINS = math.ceil(math.log(_MOST / _LEAST) * _BINS_PER_E) + 1


class Durations:
    """Seconds, in bins that are half a per cent wide: each is reported to a quarter of a per cent, or as nought below
    ten microseconds. Some never came to an end (`never`): they are later than all others."""

    def __init__(self) -> None:
        self.never = 0
        self._bins = [0] * (_BINS + 1)
        self._count = 0

    def add(self, seconds: float) -> None:
        at = 0
        if seconds > _LEAST:
            at = min(1 + int(math.log(seconds / _LEAST) * _BINS_PER_E), _BINS)
        self._bins[at] += 1
        self._count += 1

    def __len__(self) -> int:
        """Of all, also of those that never came to an end."""
        return self._count + self.never

    def percentile(self, share: float) -> float | None:
        """The smallest that at least `share` of all do not exceed (nearest rank); None where that never came, and of
        nothing."""
        rank = max(1, math.ceil(share * len(self)))
        seen = 0
        for at, count in enumerate(self._bins):
            seen += count
            if seen >= rank:
                return _LEAST * math.exp((at - 0.5) / _BINS_PER_E) if at else 0.0
        return None


class Level:
    """How many of something there are, as time goes by."""

    def __init__(self) -> None:
        self.now = self.peak = 0
        self._area = self._since = 0.0

    def change(self, by: int, at: float) -> None:
        """`at` never decreases."""
        self._area += self.now * (at - self._since)
        self._since = at
        self.now += by
        self.peak = max(self.peak, self.now)

    def mean(self) -> float:
        """Over the time from nought to the last change."""
        return self._area / self._since if self._since else 0.0

"""When the requests of a fleet arrive: endless times in seconds, never decreasing."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

__all__ = ("bursty", "poisson")


def poisson(rate: float, random: Random) -> Iterator[float]:
    """`rate` a second, independent of each other."""
    now = 0.0
    while True:
        now += random.expovariate(rate)
        yield now


def bursty(
    rate: float, random: Random, *, times: float = 5.0, share: float = 0.1, seconds: float = 10.0
) -> Iterator[float]:
    """`rate` a second on average, but `times` as many in bursts as between them (a Markov-modulated Poisson process of
    two states). Bursts take that `share` of the time, and `seconds` each on average; both are exponential."""
    calm = rate / (1 - share + share * times)
    now = end = 0.0
    burst = True  # turned when the first period begins
    while True:
        if now >= end:
            burst = not burst
            now, end = end, end + random.expovariate(1 / (seconds if burst else seconds * (1 - share) / share))
        now += random.expovariate(calm * times if burst else calm)
        if now < end:  # else it belongs to the next period, which has a rate of its own
            yield now

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from random import Random
from statistics import fmean, variance

import pytest

from streamroute.evaluation.simulation.arrivals import bursty, poisson

Arrivals = Callable[[float, Random], Iterator[float]]


def a_second(arrivals: Arrivals, rate: float, seconds: int) -> list[int]:
    """How many come in each second."""
    times = islice(arrivals(rate, Random(7)), int(2 * rate * seconds))
    found = Counter(map(int, times))
    return [found[second] for second in range(seconds)]


@pytest.mark.parametrize("arrivals", [poisson, bursty])
def test_they_come_at_their_rate_and_in_order(arrivals: Arrivals) -> None:
    assert fmean(a_second(arrivals, 20, 4000)) == pytest.approx(20, rel=0.06)
    times = list(islice(arrivals(20, Random(7)), 1000))
    assert times == sorted(times)
    assert times == list(islice(arrivals(20, Random(7)), 1000))


def test_a_poisson_process_varies_as_much_as_it_brings_and_bursts_much_more() -> None:
    even, bursts = a_second(poisson, 20, 4000), a_second(bursty, 20, 4000)
    assert variance(even) == pytest.approx(20, rel=0.1)
    assert variance(bursts) > 5 * variance(even)


def test_bursts_are_as_dense_and_as_long_as_they_are_said_to_be() -> None:
    """There are 2 a second between them, and 100 in one."""
    counts = a_second(lambda rate, random: bursty(rate, random, times=50, share=0.2, seconds=20), 21.6, 8000)
    dense = [count > 30 for count in counts]
    assert fmean(dense) == pytest.approx(0.2, rel=0.25)
    starts = sum(now and not before for before, now in pairwise(dense))
    assert sum(dense) / starts == pytest.approx(20, rel=0.25)

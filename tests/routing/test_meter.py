"""What the judging of a route came to."""

from __future__ import annotations

from streamroute.core.types import Evidence
from streamroute.routing._meter import Meter


def test_comparisons_are_those_of_all_tiers_and_of_each_the_sum_so_far() -> None:
    meter = Meter((), ())
    for tier, pairs, seconds in ((0, 3, 0.25), (0, 5, 0.5), (1, 2, 0.25)):
        meter.judged(tier, Evidence(samples=1, expected=3, score=0.5, nli_pairs=pairs, seconds=seconds))
    assert (meter.route.nli_pairs, meter.route.nli_seconds) == (7, 0.75)
    assert meter.route.evidence is not None
    assert meter.route.evidence.nli_pairs == 2

"""Histograms of the whole: their bounds, and how they are kept.

A histogram is kept as its hits: the bucket that a value falls into, and the sum. They are cumulated only when they are
read, so that a request costs two rows for each, and other bounds tomorrow are no lie about today.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streamroute.gateway.ledger.entries import Total

__all__ = ("HISTOGRAMS", "Histogram", "bound_text", "histograms_of", "hit", "part_of_histogram")

_Labels = tuple[tuple[str, str], ...]

_SECONDS: Final = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0)
_REQUEST: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
_NLI: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_SHARE: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_NATS: Final = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
_PROBES: Final = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 16.0)

HISTOGRAMS: Final[Mapping[str, tuple[str, Sequence[float]]]] = {
    "streamroute_request_seconds": ("From the request to the end of its reply.", _REQUEST),
    "streamroute_first_shown_seconds": ("To the first content that the client saw.", _SECONDS),
    "streamroute_first_kept_seconds": ("To the first content of the answer that stands.", _SECONDS),
    "streamroute_verdict_seconds": ("To the verdict on a judged answer.", _SECONDS),
    "streamroute_score": ("Uncertainty of judged answers, 0 to 1.", _SHARE),
    "streamroute_entropy": ("Semantic entropy of judged answers, in nats.", _NATS),
    "streamroute_probes": ("Probes that were asked for to judge an answer.", _PROBES),
    "streamroute_nli_seconds": ("Time of the NLI model for a judged answer.", _NLI),
}
"""Each histogram, its help and the upper bounds of its buckets; `+Inf` follows."""


def bound_text(bound: float) -> str:
    """A bucket's bound as the label `le` has it."""
    return "+Inf" if bound == math.inf else repr(bound)


# The names and labels that an observation needs, made once: it happens eight times a request.
_PARTS: Final = {
    name: (f"{name}_bucket", f"{name}_sum", bounds, [("le", bound_text(bound)) for bound in (*bounds, math.inf)])
    for name, (_, bounds) in HISTOGRAMS.items()
}


def hit(name: str, value: float) -> tuple[str, str, tuple[str, str]]:
    """What an observation of `value` adds to: the total of its bucket, that of the sum, and the bucket's label."""
    bucket, total, bounds, labels = _PARTS[name]
    return bucket, total, labels[bisect_left(bounds, value)]


@dataclass(frozen=True, slots=True)
class Histogram:
    """One histogram of the whole with one set of labels. `buckets` are (upper bound, how many are at most it), the last
    one `inf`, which holds them all."""

    name: str
    labels: Mapping[str, str]
    buckets: Sequence[tuple[float, float]]
    sum: float

    @property
    def count(self) -> float:
        return self.buckets[-1][1]


def part_of_histogram(name: str) -> bool:
    """Whether a total of this name is a bucket or the sum of a histogram."""
    base, _, part = name.rpartition("_")
    return base in HISTOGRAMS and part in ("bucket", "sum")


def histograms_of(totals: Iterable[Total]) -> list[Histogram]:
    """The histograms among the totals of a ledger, cumulated. Bounds that nobody hit are there too."""
    hits: defaultdict[tuple[str, _Labels], defaultdict[float, float]] = defaultdict(lambda: defaultdict(float))
    sums: defaultdict[tuple[str, _Labels], float] = defaultdict(float)
    for total in totals:
        if part_of_histogram(total.name):
            base, _, part = total.name.rpartition("_")
            labels = tuple(pair for pair in total.labels if pair[0] != "le")
            if part == "bucket":
                hits[base, labels][float(dict(total.labels)["le"])] += total.value
            else:
                sums[base, labels] += total.value
    return [
        Histogram(name, dict(labels), _cumulated(found, HISTOGRAMS[name][1]), sums[name, labels])
        for (name, labels), found in sorted(hits.items())
    ]


def _cumulated(hits: Mapping[float, float], bounds: Sequence[float]) -> list[tuple[float, float]]:
    below, buckets = 0.0, []
    for bound in sorted({*bounds, *hits, math.inf}):
        below += hits.get(bound, 0.0)
        buckets.append((bound, below))
    return buckets

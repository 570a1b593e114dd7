"""What one request adds to the numbers of the whole: the one source of `/metrics`, the board and `streamroute usage`.

Pure: the ledger calls it in the transaction that settles a request, and adds the increments up by name and labels.

A histogram is kept as its hits: the bucket that a value falls into, and the sum. `hits` are cumulated only when they
are read (`Histogram.of`), so that a request costs two rows for each, and other bounds tomorrow are no lie about today.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streamroute.core.types import Decision
from streamroute.gateway.errors import CLIENT_CLOSED
from streamroute.gateway.ledger.entries import Opened, Outcome, Total
from streamroute.routing.stream import LegRecord, Route

__all__ = (
    "COUNTERS",
    "HISTOGRAMS",
    "Histogram",
    "bound_text",
    "error_code_of",
    "histograms_of",
    "label_of",
    "measures_of",
    "part_of_histogram",
    "reason_of",
)

COUNTERS: Final[Mapping[str, str]] = {
    "streamroute_requests_total": "Requests that were admitted and are over.",
    "streamroute_decisions_total": "What was decided of them, and why.",
    "streamroute_judged_total": "Requests whose answer was judged: kept, or escalated to a larger model.",
    "streamroute_legs_total": "Requests to upstreams: answers and probes, by how they ended.",
    "streamroute_tokens_total": "Tokens of all legs; counted by the upstream, or our estimate.",
    "streamroute_cost_total": "Money of all legs: of the answer that stands, of those that lost, of probes.",
    "streamroute_cost_saved_total": "What requests cost less than their answer would have at the largest tier.",
    "streamroute_cost_excess_total": "What requests cost more than their answer would have at the largest tier.",
    "streamroute_retractions_total": "Requests of which shown text was taken back.",
    "streamroute_shed_total": "What was left out of requests for the amplification budget.",
    "streamroute_errors_total": "Requests that ended in an error, or whose client left.",
}
"""Each counter and its help. The estimate of what is saved: the tokens of the answer that stands at the price of the
route's largest tier, less the cost of all legs. Where that price is not known, nothing is said."""

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

_Labels = tuple[tuple[str, str], ...]
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. /-]{0,63}")


def bound_text(bound: float) -> str:
    """A bucket's bound as the label `le` has it."""
    return "+Inf" if bound == math.inf else repr(bound)


# The names and labels that an observation needs, made once: it happens eight times a request.
_PARTS: Final = {
    name: (f"{name}_bucket", f"{name}_sum", bounds, [("le", bound_text(bound)) for bound in (*bounds, math.inf)])
    for name, (_, bounds) in HISTOGRAMS.items()
}


def measures_of(entry: Opened, outcome: Outcome) -> list[Total]:
    """The increments of one request that is over: none is zero, no two are of the same name and labels."""
    route, own = outcome.route, _Sums(entry.route)
    stream = "true" if entry.stream else "false"
    status = f"{outcome.status // 100}xx"
    own.add("streamroute_requests_total", 1, ("status", status), ("stream", stream))
    verdict = route.verdict
    decision = "none" if verdict is None else verdict.decision.value
    own.add("streamroute_decisions_total", 1, ("decision", decision), ("reason", reason_of(outcome)))
    for record in route.legs:
        _leg(own, record, route)
    _money(own, outcome)
    if route.retracted:
        own.add("streamroute_retractions_total", 1)
    for kind in outcome.shed:
        own.add("streamroute_shed_total", 1, ("kind", label_of(kind)))
    if outcome.status >= 400 or outcome.error is not None:
        own.add("streamroute_errors_total", 1, ("code", error_code_of(outcome)))
    _times(own, outcome)
    if route.evidence is not None and verdict is not None:
        _judged(own, route)
    return own.totals()


def reason_of(outcome: Outcome) -> str:
    """Why it was decided so, one of a bounded number of words: what is said after a colon is left out."""
    verdict = outcome.route.verdict
    return label_of("undecided" if verdict is None else verdict.reason or "none")


def error_code_of(outcome: Outcome) -> str:
    """What it ended with, where that was an error: one of a bounded number of words."""
    if outcome.error is not None:
        return label_of(outcome.error)
    return "client_closed" if outcome.status == CLIENT_CLOSED else f"status_{outcome.status}"


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


class _Sums:
    """Increments of one request, added up where several of its legs have the same labels."""

    __slots__ = ("_own", "_sums")

    def __init__(self, route: str) -> None:
        self._own = ("route", route)
        self._sums: defaultdict[tuple[str, _Labels], float] = defaultdict(float)

    def add(self, name: str, amount: float, *labels: tuple[str, str]) -> None:
        """To a counter of the route."""
        self._sums[name, (self._own, *labels)] += amount

    def observe(self, name: str, value: float | None) -> None:
        """Into a histogram of the route; None is no value."""
        if value is not None:
            bucket, total, bounds, labels = _PARTS[name]
            self._sums[bucket, (self._own, labels[bisect_left(bounds, value)])] += 1.0
            self._sums[total, (self._own,)] += value

    def totals(self) -> list[Total]:
        return [Total(name, labels, value) for (name, labels), value in self._sums.items() if value]


def _leg(own: _Sums, record: LegRecord, route: Route) -> None:
    probe = record.leg.probe is not None
    upstream, kind = ("upstream", record.tier_name), "probe" if probe else "answer"
    own.add("streamroute_legs_total", 1, upstream, ("kind", kind), ("state", record.state.value))
    counted = ("counted", "true" if record.counted else "false")
    own.add("streamroute_tokens_total", record.prompt_tokens, upstream, ("kind", "prompt"), counted)
    own.add("streamroute_tokens_total", record.completion_tokens, upstream, ("kind", "completion"), counted)
    purpose = "probe" if probe else "kept" if record.leg.tier == route.tier else "lost"
    own.add("streamroute_cost_total", record.cost, upstream, ("purpose", purpose))


def _money(own: _Sums, outcome: Outcome) -> None:
    if outcome.largest_cost is not None:
        saved = outcome.largest_cost - outcome.route.cost
        # Two counters: one alone would go down where a request costs more, and a counter never does.
        own.add(f"streamroute_cost_{'saved' if saved > 0 else 'excess'}_total", abs(saved))


def _times(own: _Sums, outcome: Outcome) -> None:
    timings = outcome.route.timings
    own.observe("streamroute_request_seconds", outcome.seconds)
    own.observe("streamroute_first_shown_seconds", timings.first_shown)
    own.observe("streamroute_first_kept_seconds", timings.first_kept)


def _judged(own: _Sums, route: Route) -> None:
    evidence, verdict = route.evidence, route.verdict
    assert evidence is not None
    assert verdict is not None
    # A kept answer of a second tier is an escalation of the first: its verdict says only that it is the last word.
    started = min((record.leg.tier for record in route.legs), default=0)
    escalated = verdict.decision is Decision.ESCALATE or (route.tier or 0) > started
    own.add("streamroute_judged_total", 1, ("outcome", "escalated" if escalated else "kept"))
    own.observe("streamroute_verdict_seconds", route.timings.decided)
    own.observe("streamroute_score", evidence.score)
    own.observe("streamroute_entropy", evidence.entropy)
    own.observe("streamroute_probes", sum(record.leg.probe is not None for record in route.legs))
    own.observe("streamroute_nli_seconds", evidence.seconds)


def label_of(value: str) -> str:
    """A value for a label: nothing of it may be anybody's free text, of which there is no end."""
    if value.isidentifier() and value.isascii() and len(value) <= 64:
        return value  # nearly always
    word = value.partition(":")[0].strip()
    return word if _LABEL.fullmatch(word) else "other"

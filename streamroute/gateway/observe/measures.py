"""What one request adds to the numbers of the whole: the one source of `/metrics`, the board and `streamroute usage`.

Pure: the ledger calls it in the transaction that settles a request, and adds the increments up by name and labels.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from streamroute.core.types import Decision
from streamroute.gateway.errors import CLIENT_CLOSED
from streamroute.gateway.ledger.entries import Opened, Outcome, Total
from streamroute.gateway.observe.histograms import hit
from streamroute.routing.stream import LegRecord, Route

__all__ = ("COUNTERS", "error_code_of", "label_of", "measures_of", "reason_of")

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

_Labels = tuple[tuple[str, str], ...]
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. /-]{0,63}")


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
            bucket, total, bound = hit(name, value)
            self._sums[bucket, (self._own, bound)] += 1.0
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
    own.observe("streamroute_nli_seconds", route.nli_seconds)


def label_of(value: str) -> str:
    """A value for a label: nothing of it may be anybody's free text, of which there is no end."""
    if value.isidentifier() and value.isascii() and len(value) <= 64:
        return value  # nearly always
    word = value.partition(":")[0].strip()
    return word if _LABEL.fullmatch(word) else "other"

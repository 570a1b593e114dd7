"""Requests and legs as rows. No text of a prompt or an answer is in any of them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from streamroute.gateway.ledger.entries import Opened, Outcome, Total
from streamroute.gateway.observe.measures import measures_of
from streamroute.gateway.telling import evidence_fields
from streamroute.routing.stream import LegRecord, Route

__all__ = (
    "LEG_COLUMNS",
    "OPENED_COLUMNS",
    "REQUEST_COLUMNS",
    "TRUTHS",
    "Settlement",
    "day_of",
    "extra_of",
    "opened_row",
    "settlement",
)

OPENED_COLUMNS = (
    "seq", "id", "reply_id", "path", "key", "route", "asked", "stream", "started", "process", "state", "extra_calls",
    "extra_cost",
)  # fmt: skip
REQUEST_COLUMNS = (
    *OPENED_COLUMNS,
    "status", "seconds", "tier", "tier_name", "decision", "reason", "prerouter", "unjudged", "score", "entropy", "shed",
    "cost", "retracted", "first_shown", "first_kept", "decided", "nli_pairs", "nli_seconds", "evidence", "error",
)  # fmt: skip
LEG_COLUMNS = (
    "request", "number", "role", "tier", "tier_name", "probe", "model", "state", "reason", "prompt_tokens",
    "completion_tokens", "counted", "billing", "started", "first_token", "ended", "cost", "error",
)  # fmt: skip

TRUTHS = frozenset({"stream", "retracted", "counted"})
"""Columns that hold 0 or 1."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a settled request writes: its row, those of its legs, whose money it was, and what it adds to the totals."""

    seq: int
    row: Row
    legs: Sequence[Row]
    spent: Sequence[tuple[str, str, str, float]]
    totals: Sequence[Total]


def opened_row(seq: int, process: int, entry: Opened, extra_calls: int, extra_cost: float) -> Row:
    """`extra_calls` and `extra_cost` are what is reserved for it."""
    return (*_opened(seq, process, entry), "open", extra_calls, extra_cost)


def settlement(seq: int, process: int, entry: Opened, outcome: Outcome) -> Settlement:
    route = outcome.route
    verdict, evidence, timings = route.verdict, route.evidence, route.timings
    if outcome.reply_id is not None:
        entry = dataclasses.replace(entry, reply_id=outcome.reply_id)
    told = None if route.prior is None or not route.prior.reason else f"{route.prior.decision}: {route.prior.reason}"
    row = (
        *_opened(seq, process, entry),
        "settled",
        *extra_of(route),
        outcome.status,
        outcome.seconds,
        route.tier,
        route.tier_name,
        None if verdict is None else str(verdict.decision),
        None if verdict is None else verdict.reason,
        told,
        outcome.unjudged,
        None if evidence is None else evidence.score,
        None if evidence is None else evidence.entropy,
        ",".join(outcome.shed),
        route.cost,
        route.retracted,
        timings.first_shown,
        timings.first_kept,
        timings.decided,
        route.nli_pairs,
        route.nli_seconds,
        None if evidence is None else msgspec.json.encode(evidence_fields(evidence)).decode(),
        outcome.error,
    )
    day = day_of(entry.started)
    spent = [("route", entry.route, day, route.cost)]
    if entry.key is not None:
        spent.append(("key", entry.key, day, route.cost))
    legs = [_leg(seq, number, record, _role(record, route)) for number, record in enumerate(route.legs)]
    return Settlement(seq, row, legs, spent, measures_of(entry, outcome))


def extra_of(route: Route) -> tuple[int, float]:
    """Calls and money beyond the answer that every request gets: of probes, and of larger tiers started in vain."""
    standing = route.legs[0].leg.tier if route.tier is None and route.legs else route.tier
    extra = [one for one in route.legs if one.leg.probe is not None or one.leg.tier > (standing or 0)]
    return len(extra), sum(one.cost for one in extra)


def day_of(started: float) -> str:
    """The UTC day of a moment, in seconds since the epoch: "2026-11-24"."""
    return time.strftime("%Y-%m-%d", time.gmtime(started))


def _opened(seq: int, process: int, entry: Opened) -> Row:
    return (
        seq,
        entry.id,
        entry.reply_id,
        entry.path,
        entry.key,
        entry.route,
        entry.asked,
        entry.stream,
        entry.started,
        process,
    )


def _role(record: LegRecord, route: Route) -> str:
    """What became of a leg: the `answer` that stands, a `probe`, or one that was `superseded` or lost."""
    if record.leg.probe is not None:
        return "probe"
    return "answer" if record.leg.tier == route.tier else "superseded"


def _leg(seq: int, number: int, record: LegRecord, role: str) -> Row:
    failure = record.failure or (None if record.error is None else "error")  # never its message, which may quote texts
    return (
        seq,
        number,
        role,
        record.leg.tier,
        record.tier_name,
        record.leg.probe,
        record.model,
        str(record.state),
        record.reason,
        record.prompt_tokens,
        record.completion_tokens,
        record.counted,
        record.billing,
        record.started,
        record.first_token,
        record.ended,
        record.cost,
        failure,
    )

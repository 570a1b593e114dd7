"""GET /v1/board: the numbers of the live board, from the same totals as `/metrics`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from streamroute.config.compose import ServedRoute
from streamroute.gateway.access.auth import require_board
from streamroute.gateway.keys import CATALOGUE, IN_FLIGHT, LEDGER, STARTED
from streamroute.gateway.ledger.entries import Total
from streamroute.gateway.observe.histograms import HISTOGRAMS, Histogram, histograms_of

__all__ = ("board",)

RECENT = 50
LAST = 200
"""The requests that `recent_escalation_rate` looks back on."""


async def board(request: web.Request) -> web.Response:
    """One JSON object; money in the currency of the prices, times in seconds, null for what is not known.

    - `now`: seconds since the epoch; `uptime`, `in_flight` and `draining` are of the process that answers.
    - `routes`: one object for each route of the configuration: `name`, `tiers`, `release`; of all its requests
      `requests`, `errors`, `retractions`, `judged`, `escalated`, `escalation_rate` (of the judged), `cost`,
      `probe_cost`, `saved` (against always asking the largest tier, negative where that had been cheaper); of the last
      200 requests of all routes `recent_judged`, `recent_escalation_rate`; of its settings `target_escalation_rate`,
      `target_spend`, `budget` {`day`, `month`}; `drift`: what the drift alarm says; and the histograms `entropy`,
      `score`, `first_shown`, `first_kept`.
    - `all`: the sums of the same over the routes, those that are configured no more included.
    - `entropy` (nats), `score`, `first_shown`, `first_kept`: histograms over all routes: `bounds`, the upper ones, the
      last null for no bound; `counts`, those that fell between it and the bound before; `count`, `sum`, `p50`, `p95`
      (interpolated).
    - `errors`: {code: number}, `reasons`: {decision: {reason: number}}, `shed`: {kind: number}, over all routes.
    - `recent`: the last 50 requests as the ledger has them, newest first, without their legs.
    """
    require_board(request)
    app = request.app
    totals, last = await app[LEDGER].totals(), await app[LEDGER].recent(LAST)
    found = histograms_of(totals)
    document = {
        "now": time.time(),
        "uptime": time.monotonic() - app[STARTED],
        "in_flight": len(app[IN_FLIGHT]),
        "draining": app[IN_FLIGHT].draining,
        "routes": [_route(served, totals, found, last) for served in app[CATALOGUE].routes],
        "all": _numbers(totals, last),
        **_histograms(found),
        "errors": _by(totals, "streamroute_errors_total", "code"),
        "reasons": _reasons(totals),
        "shed": _by(totals, "streamroute_shed_total", "kind"),
        "recent": list(last[:RECENT]),
    }
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=msgspec.json.encode(document), content_type="application/json", headers=headers)


def _route(
    served: ServedRoute, totals: Sequence[Total], found: Sequence[Histogram], last: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    settings = served.settings
    own = [total for total in totals if ("route", settings.name) in total.labels]
    alarm = None if served.pace is None else served.pace.alarm
    return {
        "name": settings.name,
        "tiers": list(settings.tiers),
        "release": str(settings.release),
        **_numbers(own, [row for row in last if row.get("route") == settings.name]),
        "target_escalation_rate": settings.escalation_rate,
        "target_spend": settings.spend_per_request,
        "budget": {"day": settings.budget.day, "month": settings.budget.month},
        "drift": None if alarm is None else alarm.raised,
        **_histograms([one for one in found if one.labels.get("route") == settings.name]),
    }


def _numbers(totals: Sequence[Total], last: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    judged = _by(totals, "streamroute_judged_total", "outcome")
    purposes = _by(totals, "streamroute_cost_total", "purpose")
    saved = [_sum(totals, f"streamroute_cost_{kind}_total") for kind in ("saved", "excess")]
    seen = [row for row in last if row.get("score") is not None]
    return {
        "requests": _sum(totals, "streamroute_requests_total"),
        "errors": _sum(totals, "streamroute_errors_total"),
        "retractions": _sum(totals, "streamroute_retractions_total"),
        "judged": sum(judged.values()),
        "escalated": judged.get("escalated", 0),
        "escalation_rate": _share(judged.get("escalated", 0), sum(judged.values())),
        "recent_judged": len(seen),
        "recent_escalation_rate": _share(sum(row.get("decision") == "escalate" for row in seen), len(seen)),
        "cost": sum(purposes.values()),
        "probe_cost": purposes.get("probe", 0.0),
        "saved": saved[0] - saved[1] if any(saved) else None,
    }


def _reasons(totals: Iterable[Total]) -> dict[str, dict[str, float]]:
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for total in totals:
        if total.name == "streamroute_decisions_total":
            labels = dict(total.labels)
            own = found[labels["decision"]]
            own[labels["reason"]] = own.get(labels["reason"], 0) + total.value
    return dict(found)


def _sum(totals: Iterable[Total], name: str) -> float:
    return sum(total.value for total in totals if total.name == name)


def _by(totals: Iterable[Total], name: str, label: str) -> dict[str, float]:
    """The sums of one counter by one of its labels."""
    sums: defaultdict[str, float] = defaultdict(float)
    for total in totals:
        if total.name == name:
            sums[dict(total.labels)[label]] += total.value
    return dict(sums)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _histograms(found: Sequence[Histogram]) -> dict[str, Any]:
    names = {
        "entropy": "streamroute_entropy",
        "score": "streamroute_score",
        "first_shown": "streamroute_first_shown_seconds",
        "first_kept": "streamroute_first_kept_seconds",
    }
    return {short: _drawn(name, [one for one in found if one.name == name]) for short, name in names.items()}


def _drawn(name: str, found: Sequence[Histogram]) -> dict[str, Any]:
    """Several of one kind as one, not cumulated: a bar for each bucket."""
    hits: defaultdict[float, float] = defaultdict(float, dict.fromkeys((*HISTOGRAMS[name][1], float("inf")), 0.0))
    for histogram in found:
        below = 0.0
        for bound, count in histogram.buckets:
            hits[bound] += count - below
            below = count
    bounds = sorted(hits)
    counts = [hits[bound] for bound in bounds]
    return {
        "bounds": [*bounds[:-1], None],
        "counts": counts,
        "count": sum(counts),
        "sum": sum(histogram.sum for histogram in found),
        "p50": _quantile(bounds, counts, 0.5),
        "p95": _quantile(bounds, counts, 0.95),
    }


def _quantile(bounds: Sequence[float], counts: Sequence[float], share: float) -> float | None:
    """Between the bounds of its bucket, in proportion; of the last bucket only the lower bound is known."""
    left, lower = share * sum(counts), 0.0
    for bound, count in zip(bounds, counts, strict=True):
        if count and left <= count:
            return lower if bound == float("inf") else lower + (bound - lower) * left / count
        left -= count
        lower = bound
    return None

"""Whether a request keeps within its limits, by what the ledger holds. To be asked inside a transaction."""

from __future__ import annotations

import calendar
import sqlite3
import time
from typing import Any

from streamroute.gateway.ledger.entries import Exceeded, Limits, Opened, Standing
from streamroute.gateway.ledger.rows import day_of

__all__ = ("WINDOW", "admitted")

WINDOW = 60.0
"""Seconds that rates are counted over: those before the request starts."""

DAY = 86_400


def admitted(connection: sqlite3.Connection, entry: Opened, limits: Limits) -> Standing | Exceeded:
    """Money counts once a request is settled, in the day that it started in; requests from their beginning."""
    since = entry.started - WINDOW
    if limits.key_requests is not None and entry.key is not None:
        # The one that has to leave the window before another may come, if so many are in it.
        row = connection.execute(
            "SELECT started FROM requests WHERE key = ? AND started > ? ORDER BY started DESC LIMIT 1 OFFSET ?",
            (entry.key, since, limits.key_requests - 1),
        ).fetchone()
        if row is not None:
            return Exceeded(
                limit="key_requests", allowed=float(limits.key_requests), retry_after=row[0] + WINDOW - entry.started
            )
    for limit, kind, name, month in (
        ("key_day", "key", entry.key, False),
        ("key_month", "key", entry.key, True),
        ("route_day", "route", entry.route, False),
        ("route_month", "route", entry.route, True),
    ):
        allowed: float | None = getattr(limits, limit)
        if allowed is None or name is None:
            continue
        first, end = _month(entry.started) if month else _day(entry.started)
        if _spent(connection, kind, name, first, end) >= allowed:
            return Exceeded(limit=limit, allowed=allowed, retry_after=end - entry.started)
    if limits.extra_calls is None and limits.extra_cost is None:
        return Standing()
    calls, cost = connection.execute(
        "SELECT coalesce(sum(extra_calls), 0), coalesce(sum(extra_cost), 0) FROM requests"
        " WHERE route = ? AND started > ? AND extra_calls > 0",
        (entry.route, since),
    ).fetchone()
    return Standing(
        extra_calls=_left(entry.extra_calls, limits.extra_calls, calls),
        extra_cost=_left(entry.extra_cost, limits.extra_cost, cost),
    )


def _left(asked: Any, limit: Any, taken: Any) -> Any:
    return None if limit is None else min(asked, max(limit - taken, 0))


def _spent(connection: sqlite3.Connection, kind: str, name: str, first: float, end: float) -> float:
    found: float = connection.execute(
        "SELECT coalesce(sum(cost), 0) FROM spend WHERE kind = ? AND name = ? AND day >= ? AND day < ?",
        (kind, name, day_of(first), day_of(end)),
    ).fetchone()[0]
    return found


def _day(now: float) -> tuple[float, float]:
    first = now // DAY * DAY
    return first, first + DAY


def _month(now: float) -> tuple[float, float]:
    year, month = time.gmtime(now)[:2]
    after = (year + month // 12, month % 12 + 1)
    return calendar.timegm((year, month, 1, 0, 0, 0)), calendar.timegm((*after, 1, 0, 0, 0))

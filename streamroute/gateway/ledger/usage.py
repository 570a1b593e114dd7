"""What was used and what it cost, added up over the requests of a ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

__all__ = ("BY", "Usage", "usage")

By = Literal["key", "route", "model", "day"]
BY: Sequence[By] = ("key", "route", "model", "day")
_DIMENSIONS: dict[By, str] = {
    "key": "coalesce(r.key, '')",
    "route": "r.route",
    "model": "l.model",
    "day": "date(r.started, 'unixepoch')",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Of one key, route, model or UTC day: `requests`, of them `failed` (a status of 400 and more) and `lost` (their
    process died; what they cost is not known), `open` ones in neither. Tokens that the upstreams `counted` and that are
    `estimated`. Money of the `answers` that stand, and what was spent on the way: on answers that were `superseded` or
    cut off, and on `probes`. `uncertain` is the part of it that was reckoned without knowing how the upstream bills a
    request that is cut off.
    """

    name: str
    requests: int
    failed: int
    lost: int
    open: int
    prompt_counted: int
    prompt_estimated: int
    completion_counted: int
    completion_estimated: int
    answers: float
    superseded: float
    probes: float
    uncertain: float

    @property
    def cost(self) -> float:
        return self.answers + self.superseded + self.probes

    def as_dict(self) -> dict[str, Any]:
        return {**{one.name: getattr(self, one.name) for one in fields(self)}, "cost": self.cost}


_OF_REQUESTS = """
    count(*), sum(coalesce(r.status >= 400, 0)), sum(r.state = 'lost'), sum(r.state = 'open')
"""
_OF_LEGS = """
    coalesce(sum(l.prompt_tokens * l.counted), 0), coalesce(sum(l.prompt_tokens * (1 - l.counted)), 0),
    coalesce(sum(l.completion_tokens * l.counted), 0), coalesce(sum(l.completion_tokens * (1 - l.counted)), 0),
    total(l.cost * (l.role = 'answer' AND l.state != 'cancelled')),
    total(l.cost * (l.role = 'superseded' OR l.role = 'answer' AND l.state = 'cancelled')),
    total(l.cost * (l.role = 'probe')), total(l.cost * coalesce(l.billing = 'unknown', 0))
"""


def usage(connection: sqlite3.Connection, by: By | None, *, since: float = 0.0) -> list[Usage]:
    """A line for each name there is, in their order; one line for all where `by` is None. Of requests that started at
    `since` or later, in seconds since the epoch. By model, a request counts for each that it asked."""
    connection.execute("BEGIN")  # both queries see the same requests, whatever is written meanwhile
    dimension = "''" if by is None else _DIMENSIONS[by]
    joined = "FROM requests r JOIN legs l ON l.request = r.seq WHERE r.started >= ? GROUP BY name"
    legs = {
        name: values
        for name, *values in connection.execute(f"SELECT {dimension} AS name, {_OF_LEGS} {joined}", (since,))
    }
    if by == "model":
        once = f"(SELECT DISTINCT r.seq, r.status, r.state, l.model {joined.removesuffix(' GROUP BY name')})"
        counts = f"SELECT r.model AS name, {_OF_REQUESTS} FROM {once} r GROUP BY name ORDER BY name"
    else:
        once = "(SELECT * FROM requests r WHERE r.started >= ?)"
        counts = f"SELECT {dimension} AS name, {_OF_REQUESTS} FROM {once} r GROUP BY name ORDER BY name"
    columns = [one.name for one in fields(Usage)]
    found = [
        Usage(**dict(zip(columns, (name, *numbers, *legs.get(name, [0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0])), strict=True)))
        for name, *numbers in connection.execute(counts, (since,))
    ]
    connection.execute("COMMIT")
    return found

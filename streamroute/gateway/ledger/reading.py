"""What is read from a ledger, one request or all of them."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from streamroute.gateway.ledger.entries import Total
from streamroute.gateway.ledger.rows import LEG_COLUMNS, REQUEST_COLUMNS, TRUTHS

__all__ = ("decision", "recent", "totals")

_KEPT_BACK = ("seq", "process")
_REQUEST = tuple(name for name in REQUEST_COLUMNS if name not in _KEPT_BACK)
_LEG = tuple(name for name in LEG_COLUMNS if name not in ("request", "number"))


def decision(connection: sqlite3.Connection, id: str, key: str | None) -> dict[str, Any] | None:
    """The last request with that id, of its own or of its reply; of one `key` alone unless that is None."""
    own, values = ("", ()) if key is None else (" AND key = ?", (key,))
    for column in ("id", "reply_id"):
        row = connection.execute(
            f"SELECT seq, {', '.join(_REQUEST)} FROM requests WHERE {column} = ?{own} ORDER BY started DESC LIMIT 1",
            (id, *values),
        ).fetchone()
        if row is not None:
            legs = connection.execute(
                f"SELECT {', '.join(_LEG)} FROM legs WHERE request = ? ORDER BY number", (row[0],)
            ).fetchall()
            return {**_told(_REQUEST, row[1:]), "legs": [_told(_LEG, leg) for leg in legs]}
    return None


def recent(connection: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """The last requests, newest first, without their legs."""
    rows = connection.execute(
        f"SELECT {', '.join(_REQUEST)} FROM requests ORDER BY started DESC LIMIT ?", (limit,)
    ).fetchall()
    return [_told(_REQUEST, row) for row in rows]


def totals(connection: sqlite3.Connection) -> list[Total]:
    """By name and labels."""
    rows = connection.execute("SELECT name, labels, value FROM totals ORDER BY name, labels").fetchall()
    return [
        Total(name, tuple((label, value) for label, value in msgspec.json.decode(labels)), value)
        for name, labels, value in rows
    ]


def _told(names: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in zip(names, row, strict=True):
        if value is not None and name in TRUTHS:
            found[name] = bool(value)
        elif value is not None and name == "evidence":
            found[name] = msgspec.json.decode(value)
        elif name == "shed":
            found[name] = value.split(",") if value else []
        else:
            found[name] = value
    return found

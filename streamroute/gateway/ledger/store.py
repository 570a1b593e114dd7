"""What is written to a ledger, one transaction at a time; synchronous, and of one thread at a time."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from streamroute.gateway.ledger.entries import Exceeded, Limits, Opened, Standing
from streamroute.gateway.ledger.limits import WINDOW, admitted
from streamroute.gateway.ledger.presence import Presence
from streamroute.gateway.ledger.rows import (
    LEG_COLUMNS,
    OPENED_COLUMNS,
    REQUEST_COLUMNS,
    Row,
    Settlement,
    opened_row,
)
from streamroute.gateway.ledger.schema import MEMORY, connected

__all__ = ("Admission", "Entry", "Opening", "Store", "Withdrawal")


@dataclass(frozen=True, slots=True)
class Opening:
    """A request without limits."""

    seq: int
    entry: Opened


@dataclass(slots=True)
class Admission:
    """A request with limits. `answer` is there once its transaction is over."""

    seq: int
    entry: Opened
    limits: Limits
    answer: Standing | Exceeded | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A request that left before it heard whether it was admitted: it was never served."""

    seq: int


Entry = Opening | Admission | Withdrawal | Settlement

_OPEN = f"INSERT INTO requests ({', '.join(OPENED_COLUMNS)}) VALUES ({', '.join('?' * len(OPENED_COLUMNS))})"
_SETTLE = (
    f"INSERT INTO requests ({', '.join(REQUEST_COLUMNS)}) VALUES ({', '.join('?' * len(REQUEST_COLUMNS))})"
    " ON CONFLICT (seq) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*REQUEST_COLUMNS[OPENED_COLUMNS.index("state") :],))
)
_LEG = f"INSERT OR REPLACE INTO legs ({', '.join(LEG_COLUMNS)}) VALUES ({', '.join('?' * len(LEG_COLUMNS))})"
_SPEND = (
    "INSERT INTO spend (kind, name, day, requests, cost) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, name, day)"
    " DO UPDATE SET requests = requests + excluded.requests, cost = cost + excluded.cost"
)
_TOTAL = (
    "INSERT INTO totals (name, labels, value) VALUES (?, ?, ?)"
    " ON CONFLICT (name, labels) DO UPDATE SET value = value + excluded.value"
)


class Store:
    """A ledger that this process writes to, in the file `place` or in memory. Without a file, only the last `rows`
    requests are kept, and those that a limit still looks at; all sums go on.

    Raises `ConfigError` for a place that cannot be one's. Requests that processes which are gone have left open are
    marked `lost`: what they did is not known.
    """

    def __init__(self, place: str = MEMORY, *, rows: int | None = None) -> None:
        self.place = place
        self.connection = connected(place)
        self._presence = None if place == MEMORY else Presence(f"{place}-live")
        self._rows = rows
        self._settled = 0
        try:
            self.number = self._enrolled()
        except BaseException:
            self.close()
            raise

    def apply(self, entries: Sequence[Entry]) -> None:
        """All of them in one transaction, in order. Raises `sqlite3.Error`, and then none of them is written."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            self._write(entries)
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def leave(self) -> None:
        """This process settles nothing more."""
        self.connection.execute("BEGIN IMMEDIATE")
        self._lost(self.number)
        self.connection.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()
        if self._presence is not None:
            self._presence.close()

    # -- inside a transaction -----------------------------------------------------------------------------------------

    def _write(self, entries: Sequence[Entry]) -> None:
        opened: dict[int, Row] = {}
        settled: list[Settlement] = []
        for entry in entries:
            match entry:
                case Opening(seq, told):
                    opened[seq] = opened_row(seq, self.number, told, told.extra_calls, told.extra_cost)
                case Settlement():
                    opened.pop(entry.seq, None)  # begun and ended in one transaction: one row to write
                    settled.append(entry)
                case Admission():
                    self._flush(opened, settled)
                    entry.answer = self._admit(entry)
                case Withdrawal(seq):
                    self.connection.execute("DELETE FROM requests WHERE seq = ? AND state = 'open'", (seq,))
        self._flush(opened, settled)

    def _admit(self, asked: Admission) -> Standing | Exceeded:
        answer = admitted(self.connection, asked.entry, asked.limits)
        if isinstance(answer, Standing):
            calls = asked.entry.extra_calls if answer.extra_calls is None else answer.extra_calls
            cost = asked.entry.extra_cost if answer.extra_cost is None else answer.extra_cost
            self.connection.execute(_OPEN, opened_row(asked.seq, self.number, asked.entry, calls, cost))
        return answer

    def _flush(self, opened: dict[int, Row], settled: list[Settlement]) -> None:
        connection = self.connection
        if opened:
            connection.executemany(_OPEN, opened.values())
            opened.clear()
        if not settled:
            return
        connection.executemany(_SETTLE, [one.row for one in settled])
        connection.executemany(_LEG, [leg for one in settled for leg in one.legs])
        spent: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        totals: dict[tuple[str, str], float] = defaultdict(float)
        for one in settled:
            for kind, name, day, cost in one.spent:
                spent[kind, name, day].append(cost)
            for total in one.totals:
                totals[total.name, msgspec.json.encode(total.labels).decode()] += total.value
        connection.executemany(_SPEND, [(*where, len(costs), sum(costs)) for where, costs in spent.items()])
        connection.executemany(_TOTAL, [(*name, value) for name, value in totals.items()])
        self._forget(settled)
        settled.clear()

    def _forget(self, settled: Sequence[Settlement]) -> None:
        """In tens, so that it costs next to nothing each time."""
        if self._rows is None:
            return
        before = self._settled
        self._settled += len(settled)
        every = max(1, self._rows // 10)
        if before // every == self._settled // every:
            return
        last = self.connection.execute(
            "SELECT seq FROM requests WHERE state != 'open' ORDER BY seq DESC LIMIT 1 OFFSET ?", (self._rows,)
        ).fetchone()
        if last is not None:
            window = max(one.row[OPENED_COLUMNS.index("started")] for one in settled) - WINDOW
            condition = "seq <= ? AND state != 'open' AND (started <= ? OR key IS NULL AND extra_calls = 0)"
            self.connection.execute(
                f"DELETE FROM legs WHERE request IN (SELECT seq FROM requests WHERE {condition})", (last[0], window)
            )
            self.connection.execute(f"DELETE FROM requests WHERE {condition}", (last[0], window))

    def _enrolled(self) -> int:
        """The number of this process. It is locked before it is to be seen, so that nobody takes it for gone."""
        self.connection.execute("BEGIN IMMEDIATE")
        number: int = self.connection.execute(
            "INSERT INTO processes (pid, opened) VALUES (?, ?) RETURNING number", (os.getpid(), time.time())
        ).fetchone()[0]
        if self._presence is not None:
            self._presence.hold(number)
            others: Mapping[int, int] = dict(
                self.connection.execute(
                    "SELECT number, pid FROM processes WHERE closed IS NULL AND number != ?", (number,)
                ).fetchall()
            )
            for other, pid in others.items():
                if not self._presence.lives(other, pid):
                    self._lost(other)
        self.connection.execute("COMMIT")
        return number

    def _lost(self, number: int) -> None:
        self.connection.execute("UPDATE requests SET state = 'lost' WHERE process = ? AND state = 'open'", (number,))
        self.connection.execute("UPDATE processes SET closed = ? WHERE number = ?", (time.time(), number))

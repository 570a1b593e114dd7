"""The ledger that the gateway keeps: SQLite, in a file that several processes share, or in memory."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from streamroute.config.server import ServerSettings
from streamroute.errors import LedgerError
from streamroute.gateway.ledger import reading
from streamroute.gateway.ledger.entries import Exceeded, Limits, Opened, Outcome, Standing, Total
from streamroute.gateway.ledger.rows import settlement
from streamroute.gateway.ledger.schema import MEMORY, read_only
from streamroute.gateway.ledger.store import Admission, Opening, Store, Withdrawal
from streamroute.gateway.ledger.writer import InThread, OnLoop, Receipt, Writer

__all__ = ("SqliteLedger", "opened_ledger")

T = TypeVar("T")


@asynccontextmanager
async def opened_ledger(settings: ServerSettings) -> AsyncGenerator[SqliteLedger]:
    """The ledger that the settings name. Raises `ConfigError` for a file that cannot be one."""
    if settings.ledger_file is None:
        ledger = SqliteLedger.in_memory(settings.ledger_rows)
    else:
        ledger = SqliteLedger.in_file(settings.ledger_file)
    try:
        yield ledger
    finally:
        with anyio.CancelScope(shield=True):
            await ledger.aclose()


class SqliteLedger:
    """A `Ledger`. What `written` has waited for survives the death of the process, `kill -9` too; whether it survives
    that of the machine is up to its disk. In memory nothing survives, so `written` returns at once, and what there is
    to do is done on the event loop, some tens of microseconds a request.
    """

    def __init__(self, store: Store, writer: Writer, reader: sqlite3.Connection | None) -> None:
        self._store = store
        self._writer = writer
        self._reader = reader
        self._readers = anyio.CapacityLimiter(1)
        self._last = store.number << 32
        self._closed = False

    @classmethod
    def in_memory(cls, rows: int = 10_000) -> SqliteLedger:
        """Of the last `rows` requests."""
        store = Store(MEMORY, rows=rows)
        return cls(store, OnLoop(store), None)

    @classmethod
    def in_file(cls, path: str, *, threaded: bool = True) -> SqliteLedger:
        """To be called in a running loop. Without `threaded` each entry is committed on the loop, for tests in virtual
        time. Raises `ConfigError`."""
        store = Store(path)
        if threaded:
            return cls(store, InThread(store), read_only(path))
        return cls(store, OnLoop(store, at_once=True), None)

    def open(self, entry: Opened) -> _Account:
        account = _Account(self, self._next(), entry)
        account.receipt = self._writer.take(Opening(account.seq, entry))
        return account

    async def admit(self, entry: Opened, limits: Limits) -> tuple[_Account, Standing] | Exceeded:
        account = _Account(self, self._next(), entry)
        asked = Admission(account.seq, entry, limits)
        account.receipt = self._writer.take(asked)
        try:
            await account.receipt.written()
        except BaseException:
            self._writer.take(Withdrawal(account.seq))
            raise
        assert asked.answer is not None
        return asked.answer if isinstance(asked.answer, Exceeded) else (account, asked.answer)

    async def decision(self, id: str, *, key: str | None = None) -> Mapping[str, Any] | None:
        return await self._read(lambda connection: reading.decision(connection, id, key))

    async def recent(self, limit: int) -> Sequence[Mapping[str, Any]]:
        return await self._read(lambda connection: reading.recent(connection, limit))

    async def totals(self) -> Sequence[Total]:
        return await self._read(reading.totals)

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._writer.aclose()
        if self._reader is not None:
            self._reader.close()
        with contextlib.suppress(sqlite3.Error):  # then the next process to come does it
            self._store.leave()
        self._store.close()

    def settle(self, seq: int, entry: Opened, outcome: Outcome) -> Receipt:
        """For its accounts."""
        return self._writer.take(settlement(seq, self._store.number, entry, outcome))

    def _next(self) -> int:
        """Numbers of requests are unique over all processes, so that none has to be waited for."""
        self._last += 1
        return self._last

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Raises `LedgerError`."""
        try:
            self._writer.flush()
            if self._reader is None:
                return query(self._store.connection)
            return await anyio.to_thread.run_sync(query, self._reader, limiter=self._readers)
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger cannot be read: {error}") from error


class _Account:
    __slots__ = ("_entry", "_ledger", "_settled", "receipt", "seq")

    receipt: Receipt

    def __init__(self, ledger: SqliteLedger, seq: int, entry: Opened) -> None:
        self._ledger = ledger
        self._entry = entry
        self._settled = False
        self.seq = seq

    def settle(self, outcome: Outcome) -> None:
        if not self._settled:
            self._settled = True
            self.receipt = self._ledger.settle(self.seq, self._entry, outcome)

    async def written(self) -> None:
        await self.receipt.written()

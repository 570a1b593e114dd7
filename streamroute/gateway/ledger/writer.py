"""How entries come to be committed: at once, or by a thread that commits together what came together."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Sequence
from typing import Protocol

from streamroute.errors import LedgerError
from streamroute.gateway.ledger.store import Admission, Entry, Store

__all__ = ("InThread", "OnLoop", "Receipt", "Writer")

IDLE_SECONDS = 0.002
"""How long an entry that nobody waits for waits for others: less than models take to answer, so that a request is
written before its answer comes; and one that is over by then is written in one go."""
TOGETHER, UNREAD_SECONDS = 16, 0.1
"""How many entries are committed on the loop at a time, and how long fewer wait."""
CLOSED = "it is closed"
MOST_WAITING = 10_000
"""Entries that are kept for another try while the file cannot be written."""


class Receipt(Protocol):
    """That an entry was taken."""

    async def written(self) -> None:
        """Until it is committed. Raises `LedgerError` where that failed."""
        ...


class Writer(Protocol):
    """Takes entries, in the order in which they are committed."""

    def take(self, entry: Entry) -> Receipt:
        """Returns at once, and raises nothing."""
        ...

    def flush(self) -> None:
        """What nobody has to wait for is done: then it can be read."""
        ...

    async def aclose(self) -> None:
        """Commit what was taken, and end."""
        ...


class OnLoop:
    """Commits on the event loop: for a ledger in memory, where there is no disk and no other process to wait for, and
    nothing that survives. Some requests at a time, or what there is before it is asked for. With `at_once` each entry
    by itself: for a file in tests in virtual time, which cannot see a thread.
    """

    def __init__(self, store: Store, *, at_once: bool = False) -> None:
        self._store = store
        self._at_once = at_once
        self._entries: list[Entry] = []
        self._timer: asyncio.Handle | None = None
        self._closed = False

    def take(self, entry: Entry) -> Receipt:
        if self._closed:
            return _Done(CLOSED)
        self._entries.append(entry)
        if self._at_once or isinstance(entry, Admission) or len(self._entries) >= TOGETHER:
            try:
                self.flush()
            except sqlite3.Error as error:
                return _Done(str(error))
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(UNREAD_SECONDS, self.flush)
        return _DONE

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        entries, self._entries = self._entries, []
        if entries:
            self._store.apply(entries)

    async def aclose(self) -> None:
        self._closed = True
        self.flush()


class InThread:
    """A thread of its own, so that the event loop never waits for the disk or for another process.

    What comes while a transaction is under way becomes the next one. The thread is woken when somebody waits for an
    entry, or `IDLE_SECONDS` after one that nobody waits for.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._batch = _Batch(self)
        self._timer: asyncio.Handle | None = None
        self._hurried = self._closed = False
        self._ended = asyncio.Event()
        self._again: list[Entry] = []  # of the thread
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def take(self, entry: Entry) -> Receipt:
        if self._closed:
            return _Done(CLOSED)
        batch = self._batch
        batch.entries.append(entry)
        if self._timer is None:
            self._timer = self._loop.call_later(IDLE_SECONDS, self._hand_over)
        return batch

    def hurry(self, batch: _Batch) -> None:
        """Somebody waits for this batch. It still takes what others say in this turn of the loop."""
        if batch is self._batch and not self._hurried:
            self._hurried = True
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_soon(self._hand_over)

    def flush(self) -> None:
        pass  # readers see what was committed

    async def aclose(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._hand_over()
        self._queue.put(None)
        await self._ended.wait()
        self._thread.join()

    def _hand_over(self) -> None:
        self._timer, self._hurried = None, False
        batch, self._batch = self._batch, _Batch(self)
        self._queue.put(batch)

    # -- in the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        ending = False
        while not ending:
            batches = []
            batch = self._queue.get()
            with contextlib.suppress(queue.Empty):
                while batch is not None:
                    batches.append(batch)
                    batch = self._queue.get_nowait()
                ending = True
            error = self._commit([entry for one in batches for entry in one.entries])
            if not self._tell(self._told, batches, error):
                return  # nobody is there any more
        self._tell(self._ended.set)

    def _commit(self, entries: Sequence[Entry]) -> str | None:
        """What went wrong, if anything. What cannot be written now is tried again with what comes next, but for
        admissions: who waits for their answer is told. What can never be written does not keep others from it."""
        entries, self._again = [*self._again, *entries], []
        if not entries:
            return None
        try:
            self._store.apply(entries)
        except sqlite3.OperationalError as error:  # full, locked for too long, gone
            again: list[Entry] = [one for one in entries if not isinstance(one, Admission)]
            self._again = again[-MOST_WAITING:]
            return str(error)
        except Exception as error:
            wrong = [self._commit([one]) for one in entries] if len(entries) > 1 else []
            return next(filter(None, wrong), f"{type(error).__name__}: {error}")
        return None

    def _tell(self, callback: object, *args: object) -> bool:
        try:
            self._loop.call_soon_threadsafe(callback, *args)  # type: ignore[arg-type]
        except RuntimeError:  # the loop was closed without us
            return False
        return True

    def _told(self, batches: Sequence[_Batch], error: str | None) -> None:
        for batch in batches:
            batch.error = error
            batch.committed.set()


class _Batch:
    """Entries of one transaction, and the receipt of each of them."""

    __slots__ = ("committed", "entries", "error", "writer")

    def __init__(self, writer: InThread) -> None:
        self.writer = writer
        self.entries: list[Entry] = []
        self.committed = asyncio.Event()
        self.error: str | None = None

    async def written(self) -> None:
        if not self.committed.is_set():
            self.writer.hurry(self)
            await self.committed.wait()
        if self.error is not None:
            raise LedgerError(f"the ledger cannot be written: {self.error}")


class _Done:
    """The receipt of what was committed, or failed, at once."""

    __slots__ = ("_error",)

    def __init__(self, error: str | None = None) -> None:
        self._error = error

    async def written(self) -> None:
        if self._error is not None:
            raise LedgerError(f"the ledger cannot be written: {self._error}")


_DONE = _Done()

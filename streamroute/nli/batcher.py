"""One worker thread in front of one model, shared by all routes of the process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from streamroute.errors import ScorerError, ScorerOverloaded
from streamroute.nli.cache import RelationCache
from streamroute.nli.jobs import Batch, Job, JobQueue, Outcome
from streamroute.uncertainty.base import Pair, Relations

__all__ = ("BlockingModel", "EntailmentWorker", "WorkerStats")


class BlockingModel(Protocol):
    """What the worker thread calls: the relations of each pair, in order. May raise ScorerError."""

    def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStats:
    """One moment of a worker. `queued`: pairs that wait. Since its start: `served`, pairs that the model compared;
    `cache_hits`, pairs that were known or asked by two jobs at once; `shed`, jobs that were refused or given up;
    `busy_seconds`, the time that the model ran."""

    queued: int
    served: int
    cache_hits: int
    shed: int
    busy_seconds: float


class EntailmentWorker:
    """An `EntailmentModel` that never blocks the event loop. Usable from several event loops.

    Jobs of several routes that wait together run together, the most urgent first; none waits for company, and a large
    one runs in parts. A caller that is cancelled takes its pairs out of the queue. More than `max_queued` waiting
    pairs are refused with ScorerOverloaded, so that routes fall back at once instead of queueing behind each other; a
    job with an earlier deadline takes the place of those with later ones. The last `cached` pairs cost nothing again.
    `clock` gives seconds, from any thread. Raises ValueError on a queue without room and on a negative `cached`.
    """

    def __init__(
        self,
        model: BlockingModel,
        *,
        max_queued: int = 256,
        cached: int = 4096,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_queued < 1:
            raise ValueError(f"max_queued must be at least 1, not {max_queued}")
        self._model = model
        self._clock = clock
        # Guards all below. Held to decide, never while the model runs.
        self._condition = threading.Condition()
        self._queue = JobQueue(RelationCache(cached), most=max_queued)
        self._busy_seconds = 0.0
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def stats(self) -> WorkerStats:
        with self._condition:
            return WorkerStats(
                queued=self._queue.queued,
                served=self._queue.served,
                cache_hits=self._queue.hits,
                shed=self._queue.shed,
                busy_seconds=self._busy_seconds,
            )

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        """The relations of each pair, in order. After `deadline`, in seconds of the running loop's `time()`, nothing
        more of them is started. Raises ScorerError when the model fails, ScorerOverloaded when there was no time."""
        if not pairs:
            return []
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Sequence[Relations]] = loop.create_future()
        job = Job(pairs=tuple(pairs), reply=partial(_deliver, loop, result))
        if deadline is not None:
            # Loops need not count from one origin, and uvloop's time stands still while the loop sleeps.
            job.deadline = self._clock() + deadline - loop.time()
        self._submit(job)
        try:
            return await result
        finally:
            if not result.done() or result.cancelled():
                with self._condition:
                    self._queue.remove(job)

    def _submit(self, job: Job) -> None:
        with self._condition:
            if self._closed:
                raise ScorerOverloaded("the judge is closed")
            self._queue.add(job, self._clock())
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="streamroute-judge", daemon=True)
                self._thread.start()
            self._condition.notify()

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            began = self._clock()
            outcome = self._compare(batch.pairs)
            with self._condition:
                self._busy_seconds += self._clock() - began
                self._queue.settle(batch, outcome)

    def _next(self) -> Batch | None:
        """Waits for pairs to compare; None once closed."""
        with self._condition:
            while not self._closed:
                batch = self._queue.take(self._clock())
                if batch.pairs:
                    return batch
                self._condition.wait()
            return None

    def _compare(self, pairs: Sequence[Pair]) -> Outcome:
        try:
            found = self._model.relations(pairs)
        except ScorerError as error:
            return error
        except Exception as error:  # the thread must outlive any failure of the model
            return ScorerError(f"the judge failed: {error!r}")
        if len(found) != len(pairs):
            return ScorerError(f"the judge failed: {len(found)} relations for {len(pairs)} pairs")
        return found

    async def aclose(self) -> None:
        """Refuse what waits, finish what runs, end the thread. Idempotent."""
        with self._condition:
            self._closed = True
            self._queue.close()
            thread, self._thread = self._thread, None
            self._condition.notify_all()
        if thread is not None:
            await asyncio.to_thread(thread.join)


def _deliver(loop: asyncio.AbstractEventLoop, result: asyncio.Future[Sequence[Relations]], outcome: Outcome) -> None:
    try:
        loop.call_soon_threadsafe(_settle, result, outcome)
    except RuntimeError:  # the loop was closed between the question and the answer
        return


def _settle(result: asyncio.Future[Sequence[Relations]], outcome: Outcome) -> None:
    if result.done():
        return
    if isinstance(outcome, ScorerError):
        result.set_exception(outcome)
    else:
        result.set_result(outcome)

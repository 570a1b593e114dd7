"""One worker thread in front of one model, shared by all routes of the process."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from streamroute.errors import ScorerError
from streamroute.uncertainty.base import Relation

__all__ = ("BlockingModel", "EntailmentWorker")

BATCH_PAIRS = 32


class BlockingModel(Protocol):
    """What the worker thread calls: one relation for each pair, in order. May raise ScorerError."""

    def relations(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Relation]: ...


@dataclass(slots=True, eq=False)
class _Job:
    pairs: tuple[tuple[str, str], ...]
    loop: asyncio.AbstractEventLoop
    result: asyncio.Future[Sequence[Relation]]
    dropped: bool = False


class EntailmentWorker:
    """An `EntailmentModel` that never blocks the event loop.

    Jobs of several routes that wait together run together; none waits for company. A caller that is cancelled takes
    its pairs out of the queue. More than `max_queued` waiting pairs are refused with ScorerError, so that routes fall
    back at once instead of queueing behind each other. Usable from several event loops.
    """

    def __init__(self, model: BlockingModel, *, max_queued: int = 256) -> None:
        if max_queued < 1:
            raise ValueError(f"max_queued must be at least 1, not {max_queued}")
        self._model = model
        self._max_queued = max_queued
        self._condition = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def queued(self) -> int:
        """Pairs that wait, without those that run now."""
        with self._condition:
            return sum(len(job.pairs) for job in self._jobs)

    async def relations(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Relation]:
        """One relation for each (premise, hypothesis), in order. Raises ScorerError when closed or overloaded, or when
        the model fails."""
        if not pairs:
            return []
        loop = asyncio.get_running_loop()
        job = _Job(tuple(pairs), loop, loop.create_future())
        self._submit(job)
        try:
            return await job.result
        finally:
            if not job.result.done() or job.result.cancelled():
                self._drop(job)

    def _submit(self, job: _Job) -> None:
        with self._condition:
            if self._closed:
                raise ScorerError("the judge is closed")
            waiting = sum(len(other.pairs) for other in self._jobs)
            # A single job larger than the queue must still be served when nothing else waits.
            if waiting and waiting + len(job.pairs) > self._max_queued:
                raise ScorerError(f"the judge is overloaded: {waiting} pairs are waiting")
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="streamroute-judge", daemon=True)
                self._thread.start()
            self._condition.notify()

    def _drop(self, job: _Job) -> None:
        with self._condition:
            job.dropped = True
            if job in self._jobs:
                self._jobs.remove(job)

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._jobs and not self._closed:
                    self._condition.wait()
                if self._closed:
                    return
                batch = self._take()
            for job, outcome in self._serve(batch):
                _deliver(job, outcome)

    def _take(self) -> list[_Job]:
        """Whole jobs, oldest first, up to a batch; at least one."""
        batch: list[_Job] = [self._jobs.popleft()]
        pairs = len(batch[0].pairs)
        while self._jobs and pairs + len(self._jobs[0].pairs) <= BATCH_PAIRS:
            batch.append(self._jobs.popleft())
            pairs += len(batch[-1].pairs)
        return batch

    def _serve(self, batch: list[_Job]) -> list[tuple[_Job, Sequence[Relation] | Exception]]:
        unique = list(dict.fromkeys(pair for job in batch for pair in job.pairs))
        known: dict[tuple[str, str], Relation] = {}
        try:
            for start in range(0, len(unique), BATCH_PAIRS):
                if all(job.dropped for job in batch):
                    return []
                part = unique[start : start + BATCH_PAIRS]
                known.update(zip(part, self._model.relations(part), strict=True))
        except Exception as error:  # the thread must outlive any failure of the model
            failure = error if isinstance(error, ScorerError) else ScorerError(f"the judge failed: {error!r}")
            return [(job, failure) for job in batch]
        return [(job, [known[pair] for pair in job.pairs]) for job in batch]

    async def aclose(self) -> None:
        """Refuse what waits, finish what runs, end the thread. Idempotent."""
        with self._condition:
            self._closed = True
            waiting, self._jobs = list(self._jobs), deque()
            thread, self._thread = self._thread, None
            self._condition.notify_all()
        for job in waiting:
            _deliver(job, ScorerError("the judge is closed"))
        if thread is not None:
            await asyncio.to_thread(thread.join)


def _deliver(job: _Job, outcome: Sequence[Relation] | Exception) -> None:
    if not job.dropped and not job.loop.is_closed():
        # The loop may close between the question and the call.
        try:
            job.loop.call_soon_threadsafe(_settle, job.result, outcome)
        except RuntimeError:
            return


def _settle(result: asyncio.Future[Sequence[Relation]], outcome: Sequence[Relation] | Exception) -> None:
    if result.done():
        return
    if isinstance(outcome, Exception):
        result.set_exception(outcome)
    else:
        result.set_result(outcome)

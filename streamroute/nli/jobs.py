"""What waits for the judge, most urgent first. Decides and only decides: no clock, thread, lock or loop."""

from __future__ import annotations

import itertools
from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from streamroute.errors import ScorerError, ScorerOverloaded
from streamroute.nli.cache import RelationCache
from streamroute.uncertainty.base import Pair, Relations

__all__ = ("BATCH_PAIRS", "Batch", "Job", "JobQueue", "Outcome")

BATCH_PAIRS = 16
"""Pairs that run before the queue is looked at again: what an urgent job waits for at most."""

Outcome = Sequence[Relations] | ScorerError


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """The pairs of one caller. `reply` is called once, unless the job is removed, and must not block. After `deadline`,
    in seconds of the queue's clock, an answer is of no more use. The rest is the queue's: what is `known` so far, and
    which pairs are `waiting`, each once; the others run."""

    pairs: Sequence[Pair]
    reply: Callable[[Outcome], None]
    deadline: float = float("inf")
    arrival: int = 0
    known: dict[Pair, Relations] = field(default_factory=dict)
    waiting: list[Pair] = field(init=False)
    done: bool = False

    def __post_init__(self) -> None:
        self.waiting = _distinct(self.pairs)

    def learn(self, pair: Pair, relations: Relations) -> None:
        self.known[pair.swapped()] = relations.swapped()
        self.known[pair] = relations

    def finish(self, outcome: Outcome | None = None) -> None:
        """With what is known, where no `outcome` is given."""
        if not self.done:
            self.done = True
            self.waiting.clear()
            self.reply([self.known[pair] for pair in self.pairs] if outcome is None else outcome)


@dataclass(frozen=True, slots=True)
class Batch:
    """What runs next: `pairs`, none twice, for `jobs`."""

    jobs: Sequence[Job]
    pairs: Sequence[Pair]


class JobQueue:
    """Jobs by deadline, then by arrival. Not safe to call from two threads at once; `now` is in seconds of any clock.

    More than `most` waiting pairs are refused, and a job that waits is shed for one that is more urgent. Counts:
    `hits`, pairs that needed no run; `served`, pairs that had one; `shed`, jobs that were refused or given up.
    """

    def __init__(self, cache: RelationCache, *, most: int) -> None:
        self._cache = cache
        self._most = most
        self._jobs: list[Job] = []
        self._arrivals = itertools.count()
        self.hits = self.served = self.shed = 0

    @property
    def queued(self) -> int:
        """Pairs that wait, without those that run."""
        return sum(len(job.waiting) for job in self._jobs)

    def add(self, job: Job, now: float) -> None:
        """Replies at once where all is known. Raises ScorerOverloaded where there is no room or no time."""
        self._look_up(job)
        if not job.waiting:
            job.finish()
            return
        try:
            if job.deadline <= now:
                raise ScorerOverloaded("the deadline had passed before the judge was asked")
            self._make_room(job, now)
        except ScorerOverloaded:
            self.shed += 1
            raise
        job.arrival = next(self._arrivals)
        insort(self._jobs, job, key=lambda job: (job.deadline, job.arrival))

    def take(self, now: float) -> Batch:
        """The most urgent pairs; empty only when nothing waits. What is left of a large job keeps its place in the
        order, so that a more urgent one passes it. To be settled before the next is taken."""
        jobs: list[Job] = []
        pairs: list[Pair] = []
        while self._jobs and len(pairs) < BATCH_PAIRS:
            job = self._jobs.pop(0)
            self._look_up(job)
            if not job.waiting:
                job.finish()
            elif job.deadline <= now:
                self._shed(job, "the deadline passed before the judge came to it")
            else:
                fresh, asked = len(pairs), len(job.waiting)
                pairs = _distinct([*pairs, *job.waiting])[:BATCH_PAIRS]
                job.waiting = _without(job.waiting, pairs)
                self.hits += (asked - len(job.waiting)) - (len(pairs) - fresh)
                jobs.append(job)
        if jobs and jobs[-1].waiting:
            self._jobs.insert(0, jobs[-1])
        return Batch(jobs, pairs)

    def settle(self, batch: Batch, outcome: Outcome) -> None:
        """What came of a batch: the relations of its pairs, or the error that ends all of its jobs."""
        if isinstance(outcome, ScorerError):
            for job in batch.jobs:
                self._take_out(job)
                job.finish(outcome)
            return
        self.served += len(batch.pairs)
        for pair, relations in zip(batch.pairs, outcome, strict=True):
            self._cache.put(pair, relations)
            for job in batch.jobs:
                job.learn(pair, relations)
        for job in batch.jobs:
            if not job.waiting:
                job.finish()

    def remove(self, job: Job) -> None:
        """Takes a job out whose caller has left. Its pairs that run now run on. Idempotent."""
        job.done = True
        self._take_out(job)

    def close(self) -> None:
        """Sheds what waits."""
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            self._shed(job, "the judge is closed")

    def _take_out(self, job: Job) -> None:
        if job in self._jobs:
            self._jobs.remove(job)

    def _look_up(self, job: Job) -> None:
        for pair in job.waiting:
            relations = self._cache.get(pair)
            if relations is not None:
                job.learn(pair, relations)
                self.hits += 1
        job.waiting = [pair for pair in job.waiting if pair not in job.known]

    def _make_room(self, job: Job, now: float) -> None:
        # A single job larger than the queue must still be served when nothing else waits.
        if not self._jobs or self.queued + len(job.waiting) <= self._most:
            return
        for late in [other for other in self._jobs if other.deadline <= now]:
            self._jobs.remove(late)
            self._shed(late, "the deadline passed before the judge came to it")
        over = self.queued + len(job.waiting) - self._most
        victims: list[Job] = []
        for other in reversed(self._jobs):
            if over <= 0 or other.deadline <= job.deadline:
                break
            victims.append(other)
            over -= len(other.waiting)
        if over > 0 and self._jobs:
            raise ScorerOverloaded(f"the judge is overloaded: {self.queued} pairs are waiting")
        for victim in victims:
            self._jobs.remove(victim)
            self._shed(victim, "the judge is overloaded: a more urgent job took the place")

    def _shed(self, job: Job, why: str) -> None:
        self.shed += 1
        job.finish(ScorerOverloaded(why))


def _distinct(pairs: Iterable[Pair]) -> list[Pair]:
    """Each pair once, in one order of its texts: one pass says both directions."""
    seen: dict[Pair, None] = {}
    for pair in pairs:
        if pair.swapped() not in seen:
            seen[pair] = None
    return list(seen)


def _without(pairs: Iterable[Pair], known: Iterable[Pair]) -> list[Pair]:
    both = {either for pair in known for either in (pair, pair.swapped())}
    return [pair for pair in pairs if pair not in both]

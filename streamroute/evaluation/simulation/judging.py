"""The judge of a fleet in virtual time: cores that take parts of pairs out of one bounded queue, most urgent first.

What `nli.jobs.JobQueue` decides with texts, `PairQueue` decides with their number, for no two routes of a fleet ask the
same: who goes next, who shares a run, and who is shed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from streamroute.nli.jobs import BATCH_PAIRS

__all__ = ("Batch", "Bench", "Job", "PairQueue")

_BY_URGENCY = attrgetter("key")


class Job:
    """So many pairs that one question needs compared. Times are in seconds of the fleet's clock: it was `asked`, and
    after `deadline` an answer is of no more use. `waiting` are those of its pairs that have not been started; of those
    that were, `after` is when the last will be over, in seconds since the question, and `own` the seconds that they
    take by themselves. `asker` is its owner's."""

    __slots__ = ("after", "asked", "asker", "deadline", "key", "over", "own", "waiting")

    def __init__(self, pairs: int, *, asked: float, deadline: float, asker: Any = None) -> None:
        self.waiting = pairs
        self.asked = asked
        self.deadline = deadline
        self.asker = asker
        self.after = self.own = 0.0
        self.key = (deadline, 0)
        self.over = False  # nobody waits for it any more


class PairQueue:
    """Jobs by deadline, then by arrival; at most `together` pairs in one run. More than `most` that wait are refused,
    unless they are one job's alone. Decides as `nli.jobs.JobQueue` does."""

    def __init__(self, most: int, *, together: int = BATCH_PAIRS) -> None:
        self.queued = 0  # pairs
        self._most = most
        self._together = together
        self._jobs: list[Job] = []
        self._arrivals = 0

    def add(self, job: Job, now: float) -> list[Job]:
        """Who is shed for it: others that are less urgent or late, or the job itself."""
        if job.deadline <= now:
            return [job]
        shed: list[Job] = []
        if self._jobs and self.queued + job.waiting > self._most:
            shed = [other for other in self._jobs if other.deadline <= now]
            for late in shed:
                self.remove(late)
            victims, over = self._less_urgent(job)
            if over > 0 and self._jobs:
                return [*shed, job]
            for victim in victims:
                self.remove(victim)
            shed += victims
        self._arrivals += 1
        job.key = (job.deadline, self._arrivals)
        insort(self._jobs, job, key=_BY_URGENCY)
        self.queued += job.waiting
        return shed

    def take(self, now: float) -> tuple[list[tuple[Job, int]], list[Job]]:
        """The most urgent pairs, so many of each job, for one run; and the jobs that are shed, being late."""
        parts: list[tuple[Job, int]] = []
        shed: list[Job] = []
        room, gone = self._together, 0
        for job in self._jobs:
            if not room:
                break
            if job.deadline <= now:
                shed.append(job)
                self.queued -= job.waiting
                gone += 1
                continue
            pairs = min(job.waiting, room)
            room -= pairs
            job.waiting -= pairs
            self.queued -= pairs
            parts.append((job, pairs))
            if job.waiting:  # keeps its place
                break
            gone += 1
        del self._jobs[:gone]
        return parts, shed

    def remove(self, job: Job) -> None:
        """A job nobody waits for. Idempotent."""
        at = bisect_left(self._jobs, job.key, key=_BY_URGENCY)
        if at < len(self._jobs) and self._jobs[at] is job:
            del self._jobs[at]
            self.queued -= job.waiting

    def _less_urgent(self, job: Job) -> tuple[list[Job], int]:
        """Whose places it may take, the least urgent first, and the pairs for which there is still no room then."""
        over = self.queued + job.waiting - self._most
        victims: list[Job] = []
        for other in reversed(self._jobs):
            if over <= 0 or other.deadline <= job.deadline:
                break
            victims.append(other)
            over -= other.waiting
        return victims, over


class Batch(NamedTuple):
    """What one core runs for so many `seconds`: so many pairs of each job. `shed` jobs were come to too late."""

    parts: list[tuple[Job, int]]
    pairs: int
    seconds: float
    shed: list[Job]


class Bench:
    """`cores` that judge, before one `queue`; each runs one batch at a time, undisturbed. `seconds` is how long one
    takes for so many pairs. Whoever starts a batch says that a core is `free` again when it is over."""

    def __init__(self, cores: int, queue: PairQueue, seconds: Callable[[int], float]) -> None:
        self.cores = self.free = cores
        self.queue = queue
        self._seconds = seconds
        self._busy, self._served = 0.0, 0

    @property
    def backlog(self) -> float:
        """How many seconds what waits will take, if pairs take as long as they did so far."""
        return self.queue.queued * self._busy / (self._served * self.cores) if self._served else 0.0

    def start(self, now: float) -> Batch | None:
        """What a free core begins now; None where none is free or nothing waits."""
        if not (self.free and self.queue.queued):
            return None
        parts, shed = self.queue.take(now)
        if not parts:
            return Batch([], 0, 0.0, shed)
        pairs = sum(part for _, part in parts)
        seconds = self._seconds(pairs)
        self.free -= 1
        self._busy += seconds
        self._served += pairs
        return Batch(parts, pairs, seconds, shed)

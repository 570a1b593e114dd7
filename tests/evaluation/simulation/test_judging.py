"""The queue of numbers beside the real queue of texts, and the cores before it at times that the test names."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from streamroute.errors import ScorerError, ScorerOverloaded
from streamroute.evaluation.simulation.judging import Bench, Job, PairQueue
from streamroute.nli.cache import RelationCache
from streamroute.nli.jobs import BATCH_PAIRS, JobQueue
from streamroute.nli.jobs import Job as RealJob
from streamroute.uncertainty.base import Pair, Relation, Relations

RELATIONS = Relations(Relation(1, 0, 0), Relation(1, 0, 0))
Fates = dict[int, str]
deadlines = st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0, inf])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 2 * BATCH_PAIRS + 3), deadlines),
        st.tuples(st.just("take"), st.just(0), st.just(0.0)),
        st.tuples(st.just("remove"), st.integers(0, 30), st.just(0.0)),
    ),
    max_size=40,
)


class Real:
    """`nli.jobs.JobQueue`, asked about pairs that nobody else asks about."""

    def __init__(self, most: int) -> None:
        self.queue = JobQueue(RelationCache(0), most=most)
        self.jobs: list[RealJob] = []
        self.fates: Fates = {}

    def add(self, pairs: int, deadline: float, now: float) -> None:
        number = len(self.jobs)

        def reply(outcome: Sequence[Relations] | ScorerError) -> None:
            self.fates[number] = "shed" if isinstance(outcome, ScorerError) else "served"

        asked = [Pair(str(number), str(i), "") for i in range(pairs)]
        job = RealJob(pairs=asked, reply=reply, deadline=deadline)
        self.jobs.append(job)
        try:
            self.queue.add(job, now)
        except ScorerOverloaded:
            self.fates[number] = "shed"

    def take(self, now: float) -> list[tuple[int, int]]:
        batch = self.queue.take(now)
        parts = [
            (number, sum(pair.context == str(number) for pair in batch.pairs))
            for number in map(self.jobs.index, batch.jobs)
        ]
        if batch.pairs:
            self.queue.settle(batch, [RELATIONS] * len(batch.pairs))
        return parts

    def remove(self, number: int) -> None:
        self.queue.remove(self.jobs[number])


class Counted:
    """The same of `PairQueue`."""

    def __init__(self, most: int) -> None:
        self.queue = PairQueue(most)
        self.jobs: list[Job] = []
        self.fates: Fates = {}

    def _shed(self, jobs: Sequence[Job]) -> None:
        self.fates |= {self.jobs.index(job): "shed" for job in jobs}

    def add(self, pairs: int, deadline: float, now: float) -> None:
        self.jobs.append(Job(pairs, asked=now, deadline=deadline))
        self._shed(self.queue.add(self.jobs[-1], now))

    def take(self, now: float) -> list[tuple[int, int]]:
        parts, shed = self.queue.take(now)
        self._shed(shed)
        found = [(self.jobs.index(job), pairs) for job, pairs in parts]
        self.fates |= {number: "served" for number, _ in found if not self.jobs[number].waiting}
        return found

    def remove(self, number: int) -> None:
        self.queue.remove(self.jobs[number])


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 40), steps)
def test_it_decides_as_the_real_queue_does(most: int, asked: list[tuple[str, int, float]]) -> None:
    """Who runs when and in which company, who is shed, and what still waits: whatever is asked, at any times."""
    real, counted = Real(most), Counted(most)
    for number, (what, n, deadline) in enumerate(asked):
        now = number / 5
        if what == "add":
            real.add(n, deadline, now)
            counted.add(n, deadline, now)
        elif what == "take":
            assert counted.take(now) == real.take(now)
        elif n < len(real.jobs):
            real.remove(n)
            counted.remove(n)
        assert counted.queue.queued == real.queue.queued
        assert counted.fates == real.fates


def bench(cores: int = 1, most: int = 100) -> Bench:
    return Bench(cores, PairQueue(most), float)


def test_a_core_runs_what_waits_together_and_no_other_takes_part() -> None:
    found = bench(cores=2)
    one, other = Job(2, asked=0, deadline=inf), Job(3, asked=0, deadline=inf)
    for job in (one, other):
        assert found.queue.add(job, 0.0) == []
    batch = found.start(0.0)
    assert batch is not None
    assert (batch.parts, batch.pairs, batch.seconds, found.free) == ([(one, 2), (other, 3)], 5, 5.0, 1)
    assert found.start(0.0) is None


def test_no_free_core_no_start() -> None:
    found = bench()
    for _ in range(2):
        found.queue.add(Job(BATCH_PAIRS, asked=0, deadline=inf), 0.0)
    assert found.start(0.0) is not None
    assert found.start(0.0) is None
    assert found.queue.queued == BATCH_PAIRS


def test_the_backlog_is_known_from_what_pairs_took_so_far() -> None:
    found = bench(cores=2)
    found.queue.add(Job(BATCH_PAIRS, asked=0, deadline=inf), 0.0)
    assert found.backlog == 0
    found.start(0.0)
    found.queue.add(Job(6, asked=0, deadline=inf), 0.0)
    assert found.backlog == 3.0


def test_what_is_come_to_too_late_takes_no_core() -> None:
    found = bench()
    late = Job(1, asked=0, deadline=1.0)
    found.queue.add(late, 0.0)
    batch = found.start(1.0)
    assert batch is not None
    assert (batch.parts, batch.shed, found.free) == ([], [late], 1)


def test_how_many_run_together_can_be_said() -> None:
    queue = PairQueue(100, together=2)
    job = Job(5, asked=0, deadline=inf)
    queue.add(job, 0.0)
    assert [queue.take(0.0)[0] for _ in range(4)] == [[(job, 2)], [(job, 2)], [(job, 1)], []]

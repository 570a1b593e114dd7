"""The queue alone, at times that the test names."""

from collections.abc import Sequence

import pytest

from streamroute.errors import ScorerError, ScorerOverloaded
from streamroute.nli.cache import RelationCache
from streamroute.nli.jobs import BATCH_PAIRS, Batch, Job, JobQueue, Outcome
from streamroute.uncertainty.base import Pair, Relation, Relations

INF = float("inf")


def pairs(*names: str) -> list[Pair]:
    return [Pair("", name, name * 2) for name in names]


def length(pair: Pair) -> Relations:
    return Relations(Relation(len(pair.a), len(pair.b), 0), Relation(len(pair.b), len(pair.a), 0))


class Caller:
    """One job and what it was told."""

    def __init__(self, asked: Sequence[Pair], deadline: float = INF) -> None:
        self.told: list[Outcome] = []
        self.job = Job(pairs=asked, reply=self.told.append, deadline=deadline)

    @property
    def answer(self) -> Outcome | None:
        assert len(self.told) <= 1, "told twice"
        return self.told[0] if self.told else None


@pytest.fixture
def queue() -> JobQueue:
    return JobQueue(RelationCache(100), most=10)


def asks(queue: JobQueue, *names: str, deadline: float = INF, now: float = 0) -> Caller:
    caller = Caller(pairs(*names), deadline)
    queue.add(caller.job, now)
    return caller


def run(queue: JobQueue, now: float = 0) -> Sequence[Pair]:
    batch = queue.take(now)
    queue.settle(batch, [length(pair) for pair in batch.pairs])
    return batch.pairs


def test_jobs_run_by_deadline_then_by_arrival() -> None:
    queue = JobQueue(RelationCache(0), most=1000)
    names = [f"{n}-{'x' * i}" for n in "abcd" for i in range(BATCH_PAIRS)]
    for n, deadline in (("a", INF), ("b", 9), ("c", INF), ("d", 5)):
        asks(queue, *(name for name in names if name.startswith(n)), deadline=deadline)
    assert [run(queue)[0].a[0] for _ in "abcd"] == ["d", "b", "a", "c"]


def test_jobs_that_wait_together_share_a_batch_and_its_pairs(queue: JobQueue) -> None:
    one, other = asks(queue, "a", "b"), Caller([*pairs("b"), pairs("a")[0].swapped(), *pairs("c")])
    queue.add(other.job, 0)
    assert run(queue) == pairs("a", "b", "c")
    assert one.answer == [length(pair) for pair in pairs("a", "b")]
    assert other.answer == [length(pair) for pair in other.job.pairs]
    assert (queue.served, queue.hits, queue.shed, queue.queued) == (3, 2, 0, 0)


def test_a_pair_asked_twice_by_one_job_runs_once(queue: JobQueue) -> None:
    caller = Caller([*pairs("a", "a"), pairs("a")[0].swapped()])
    queue.add(caller.job, 0)
    assert run(queue) == pairs("a")
    assert caller.answer == [length(pair) for pair in caller.job.pairs]


def test_a_large_job_lets_a_more_urgent_one_pass_between_its_parts() -> None:
    queue = JobQueue(RelationCache(0), most=1000)
    names = [f"text {i}" for i in range(2 * BATCH_PAIRS)]
    large = asks(queue, *names)
    assert run(queue) == pairs(*names[:BATCH_PAIRS])
    assert queue.queued == BATCH_PAIRS
    later, urgent = asks(queue, "later"), asks(queue, "urgent", deadline=5)
    assert run(queue) == pairs("urgent", *names[BATCH_PAIRS:-1])
    assert urgent.answer is not None
    assert not large.told
    assert run(queue) == pairs(names[-1], "later")
    assert large.answer == [length(pair) for pair in pairs(*names)]
    assert later.answer is not None


def test_what_was_compared_before_is_answered_at_once_either_way_round(queue: JobQueue) -> None:
    asks(queue, "a")
    run(queue)
    again = Caller([pair.swapped() for pair in pairs("a")], deadline=0)
    queue.add(again.job, 1)
    assert again.answer == [length(pair) for pair in again.job.pairs]
    part = asks(queue, "a", "b")
    assert queue.queued == 1
    assert run(queue) == pairs("b")
    assert part.answer == [length(pair) for pair in pairs("a", "b")]
    assert (queue.served, queue.hits) == (2, 2)


def test_what_became_known_while_a_job_waited_does_not_run_again(queue: JobQueue) -> None:
    asks(queue, "a")
    batch = queue.take(0)
    other = asks(queue, "a")
    queue.settle(batch, [length(pair) for pair in batch.pairs])
    assert run(queue) == []
    assert other.answer == [length(pair) for pair in pairs("a")]


def test_a_job_is_shed_when_its_deadline_passes_before_its_turn(queue: JobQueue) -> None:
    late, fine = asks(queue, "late", deadline=5), asks(queue, "fine", deadline=6)
    assert run(queue, now=5) == pairs("fine")
    assert isinstance(late.answer, ScorerOverloaded)
    assert "deadline passed" in str(late.answer)
    assert fine.answer == [length(pair) for pair in pairs("fine")]
    with pytest.raises(ScorerOverloaded, match="deadline had passed"):
        asks(queue, "x", deadline=7, now=7)
    assert queue.shed == 2


def test_a_full_queue_refuses_what_is_no_more_urgent(queue: JobQueue) -> None:
    asks(queue, *"abcdefgh", deadline=5)
    for deadline in (5, INF):
        with pytest.raises(ScorerOverloaded, match="overloaded: 8 pairs"):
            asks(queue, "x", "y", "z", deadline=deadline)
    asks(queue, "x", "y")
    assert (queue.queued, queue.shed) == (10, 2)


def test_a_more_urgent_job_takes_the_place_of_the_least_urgent(queue: JobQueue) -> None:
    first, middle, last = asks(queue, *"abc", deadline=5), asks(queue, *"def", deadline=9), asks(queue, *"ghij")
    asks(queue, "x", deadline=8)
    assert isinstance(last.answer, ScorerOverloaded)
    assert "more urgent" in str(last.answer)
    assert (first.answer, middle.answer, queue.queued, queue.shed) == (None, None, 7, 1)


def test_nobody_is_shed_for_a_job_that_has_no_room_even_so(queue: JobQueue) -> None:
    asks(queue, *"abcdefgh", deadline=5)
    least = asks(queue, *"ij")
    with pytest.raises(ScorerOverloaded, match="overloaded"):
        asks(queue, *"uvwxyz", deadline=6)
    assert least.answer is None


def test_what_is_too_late_is_the_first_to_make_room(queue: JobQueue) -> None:
    late, waits = asks(queue, *"abcde", deadline=5), asks(queue, *"fghij")
    asks(queue, "x", now=5)
    assert isinstance(late.answer, ScorerOverloaded)
    assert waits.answer is None


def test_a_job_larger_than_the_queue_is_taken_when_nothing_waits(queue: JobQueue) -> None:
    large = asks(queue, *(f"text {i}" for i in range(50)))
    while run(queue):
        pass
    assert isinstance(large.answer, list)
    assert len(large.answer) == 50


def test_a_failed_batch_fails_all_of_its_jobs_and_their_other_parts(queue: JobQueue) -> None:
    large, error = asks(queue, *(f"text {i}" for i in range(50))), ScorerError("broken")
    queue.settle(queue.take(0), error)
    assert large.answer is error
    assert queue.queued == 0
    asks(queue, "text 0")
    assert run(queue) == pairs("text 0")


def test_a_removed_job_is_told_nothing(queue: JobQueue) -> None:
    runs = asks(queue, *(f"text {i}" for i in range(20)), deadline=5)
    batch = queue.take(0)
    queue.remove(runs.job)
    waits = asks(queue, "a")
    queue.remove(waits.job)
    queue.settle(batch, [length(pair) for pair in batch.pairs])
    assert (waits.answer, runs.answer, queue.queued, queue.shed) == (None, None, 0, 0)
    assert queue.take(0) == Batch([], [])


def test_closing_sheds_what_waits_and_lets_run_what_runs(queue: JobQueue) -> None:
    runs = asks(queue, "a")
    batch = queue.take(0)
    waits = asks(queue, "b")
    queue.close()
    queue.settle(batch, [length(pair) for pair in batch.pairs])
    assert isinstance(waits.answer, ScorerOverloaded)
    assert "closed" in str(waits.answer)
    assert runs.answer == [length(pair) for pair in pairs("a")]

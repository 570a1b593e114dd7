import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from streamroute.errors import ScorerError, ScorerOverloaded
from streamroute.nli.batcher import EntailmentWorker, WorkerStats
from streamroute.nli.jobs import BATCH_PAIRS
from streamroute.uncertainty.base import Pair, Relation, Relations


class Gate:
    """A model whose calls wait until the test opens it, and take a second of its own clock; a relation says how long
    its premise and its hypothesis are."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered = threading.Event()
        self.calls: list[list[Pair]] = []
        self.threads: set[int] = set()
        self.error: Exception | None = None
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
        self.calls.append(list(pairs))
        self.threads.add(threading.get_ident())
        self.entered.set()
        if not self.opened.wait(20):
            raise AssertionError("the test never opened the gate")
        self.now += 1
        if self.error is not None:
            raise self.error
        return [relations(pair) for pair in pairs]


def relations(pair: Pair) -> Relations:
    a, b = len(pair.a), len(pair.b)
    return Relations(Relation(a, b, 0), Relation(b, a, 0))


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def worker(gate: Gate) -> AsyncIterator[EntailmentWorker]:
    worker = EntailmentWorker(gate, max_queued=10, clock=gate.clock)
    yield worker
    gate.opened.set()
    await worker.aclose()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the other side is a thread, which sets no asyncio.Event
            await asyncio.sleep(0)


def pairs(*names: str) -> list[Pair]:
    return [Pair("", name, name * 2) for name in names]


def answers(*names: str) -> list[Relations]:
    return [relations(pair) for pair in pairs(*names)]


async def busy(worker: EntailmentWorker, gate: Gate) -> asyncio.Task[Sequence[Relations]]:
    """A first job that the model is stuck in."""
    task = asyncio.create_task(_ask(worker, pairs("first")))
    await until(gate.entered.is_set)
    return task


async def _ask(worker: EntailmentWorker, asked: Sequence[Pair], *, within: float | None = None) -> Sequence[Relations]:
    deadline = None if within is None else asyncio.get_running_loop().time() + within
    return await worker.relations(asked, deadline=deadline)


async def test_answers_come_back_in_the_order_of_the_pairs(worker: EntailmentWorker, gate: Gate) -> None:
    gate.opened.set()
    assert await worker.relations(pairs("aaa", "b", "cc")) == answers("aaa", "b", "cc")
    assert await worker.relations([]) == []


async def test_the_loop_runs_on_while_the_model_works(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    assert not first.done()
    gate.opened.set()
    assert await first == answers("first")
    assert threading.get_ident() not in gate.threads


async def test_jobs_that_wait_together_run_together_each_pair_once(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    waiting = [asyncio.create_task(_ask(worker, pairs(*names))) for names in ("ab", "bc", "c")]
    await until(lambda: worker.stats.queued == 5)
    gate.opened.set()
    results = await asyncio.gather(first, *waiting)
    assert gate.calls == [pairs("first"), pairs("a", "b", "c")]
    assert [len(result) for result in results] == [1, 2, 2, 1]
    assert len(gate.threads) == 1


async def test_a_job_larger_than_a_batch_is_served_in_parts(gate: Gate) -> None:
    worker = EntailmentWorker(gate)
    gate.opened.set()
    asked = pairs(*(f"text {i}" for i in range(2 * BATCH_PAIRS + 1)))
    assert len(await worker.relations(asked)) == len(asked)
    assert [len(call) for call in gate.calls] == [BATCH_PAIRS, BATCH_PAIRS, 1]
    await worker.aclose()


async def test_a_cancelled_caller_takes_its_pairs_along(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    gone, stays = (asyncio.create_task(_ask(worker, pairs(name))) for name in ("gone", "stays"))
    await until(lambda: worker.stats.queued == 2)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert worker.stats.queued == 1
    gate.opened.set()
    await asyncio.gather(first, stays)
    assert gate.calls[1:] == [pairs("stays")]


async def test_a_caller_cancelled_while_its_pairs_run_harms_nobody(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.opened.set()
    assert await worker.relations(pairs("x")) == answers("x")


async def test_more_than_the_queue_holds_is_refused_at_once(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    waiting = asyncio.create_task(_ask(worker, pairs(*"abcdefgh")))
    await until(lambda: worker.stats.queued == 8)
    with pytest.raises(ScorerOverloaded, match="overloaded: 8 pairs"):
        await worker.relations(pairs("x", "y", "z"))
    gate.opened.set()
    assert len(await waiting) == 8
    await first


async def test_the_most_urgent_runs_first_and_the_late_is_told(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    gate.now = 100
    many = asyncio.create_task(_ask(worker, pairs(*"abcdefgh")))
    late = asyncio.create_task(_ask(worker, pairs("late"), within=0.5))
    urgent = asyncio.create_task(_ask(worker, pairs("urgent"), within=50))
    await until(lambda: worker.stats.queued == 10)
    gate.opened.set()  # the first call ends a second later: too late for one
    with pytest.raises(ScorerOverloaded, match="deadline passed"):
        await late
    assert await urgent == answers("urgent")
    await asyncio.gather(first, many)
    assert gate.calls[1] == pairs("urgent", *"abcdefgh")


async def test_an_urgent_job_takes_the_place_of_one_that_can_wait(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    waiting = asyncio.create_task(_ask(worker, pairs(*"abcdefghij")))
    await until(lambda: worker.stats.queued == 10)
    urgent = asyncio.create_task(_ask(worker, pairs("urgent"), within=50))
    with pytest.raises(ScorerOverloaded, match="more urgent"):
        await waiting
    gate.opened.set()
    assert await urgent == answers("urgent")
    await first


async def test_a_question_asked_again_costs_nothing(worker: EntailmentWorker, gate: Gate) -> None:
    gate.opened.set()
    await worker.relations(pairs("a", "b"))
    swapped = [pair.swapped() for pair in pairs("a", "b")]
    assert await worker.relations(swapped) == [found.swapped() for found in answers("a", "b")]
    assert len(gate.calls) == 1
    await until(lambda: worker.stats.busy_seconds == 1)
    assert worker.stats == WorkerStats(queued=0, served=2, cache_hits=2, shed=0, busy_seconds=1.0)


async def test_a_worker_without_a_cache_asks_again(gate: Gate) -> None:
    gate.opened.set()
    worker = EntailmentWorker(gate, cached=0)
    for _ in range(2):
        assert await worker.relations(pairs("a")) == answers("a")
    assert gate.calls == [pairs("a"), pairs("a")]
    await worker.aclose()


async def test_a_failing_model_fails_its_jobs_and_serves_the_next(worker: EntailmentWorker, gate: Gate) -> None:
    gate.opened.set()
    gate.error = ValueError("broken")
    with pytest.raises(ScorerError, match=r"ValueError.*broken"):
        await worker.relations(pairs("x"))
    gate.error = ScorerError("as it is")
    with pytest.raises(ScorerError, match="as it is"):
        await worker.relations(pairs("x"))
    gate.error = None
    assert await worker.relations(pairs("x")) == answers("x")


async def test_a_model_that_answers_too_little_fails() -> None:
    class Short:
        def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
            return answers("a")

    worker = EntailmentWorker(Short())
    with pytest.raises(ScorerError, match="1 relations for 2 pairs"):
        await worker.relations(pairs("a", "b"))
    await worker.aclose()


async def test_closing_refuses_what_waits_and_ends_the_thread(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    waiting = asyncio.create_task(_ask(worker, pairs("waits")))
    await until(lambda: worker.stats.queued == 1)
    closing = asyncio.create_task(worker.aclose())
    with pytest.raises(ScorerOverloaded, match="closed"):
        await waiting
    gate.opened.set()
    await closing
    assert await first == answers("first")
    assert not any(thread.name == "streamroute-judge" for thread in threading.enumerate())
    with pytest.raises(ScorerOverloaded, match="closed"):
        await worker.relations(pairs("late"))
    await worker.aclose()


def test_one_worker_serves_several_event_loops(gate: Gate) -> None:
    gate.opened.set()
    worker = EntailmentWorker(gate)
    for name in ("a", "bb"):
        assert asyncio.run(_ask(worker, pairs(name))) == answers(name)
    asyncio.run(worker.aclose())


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="max_queued"):
        EntailmentWorker(Gate(), max_queued=0)

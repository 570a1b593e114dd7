import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from streamroute.errors import ScorerError
from streamroute.nli.batcher import BATCH_PAIRS, EntailmentWorker
from streamroute.uncertainty.base import Relation


class Gate:
    """A model whose calls wait until the test opens it; a relation says how long its texts are."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered = threading.Event()
        self.calls: list[list[tuple[str, str]]] = []
        self.threads: set[int] = set()
        self.error: Exception | None = None

    def relations(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Relation]:
        self.calls.append(list(pairs))
        self.threads.add(threading.get_ident())
        self.entered.set()
        if not self.opened.wait(20):
            raise AssertionError("the test never opened the gate")
        if self.error is not None:
            raise self.error
        return [Relation(len(p), len(h), 0) for p, h in pairs]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def worker(gate: Gate) -> AsyncIterator[EntailmentWorker]:
    worker = EntailmentWorker(gate, max_queued=10)
    yield worker
    gate.opened.set()
    await worker.aclose()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the other side is a thread, which sets no asyncio.Event
            await asyncio.sleep(0)


def pairs(*names: str) -> list[tuple[str, str]]:
    return [(name, name * 2) for name in names]


async def busy(worker: EntailmentWorker, gate: Gate) -> asyncio.Task[Sequence[Relation]]:
    """A first job that the model is stuck in."""
    task = asyncio.create_task(_ask(worker, pairs("first")))
    await until(gate.entered.is_set)
    return task


async def _ask(worker: EntailmentWorker, asked: Sequence[tuple[str, str]]) -> Sequence[Relation]:
    return await worker.relations(asked)


async def test_answers_come_back_in_the_order_of_the_pairs(worker: EntailmentWorker, gate: Gate) -> None:
    gate.opened.set()
    assert await worker.relations(pairs("aaa", "b", "cc")) == [(3, 6, 0), (1, 2, 0), (2, 4, 0)]
    assert await worker.relations([]) == []


async def test_the_loop_runs_on_while_the_model_works(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    assert not first.done()
    gate.opened.set()
    assert await first == [(5, 10, 0)]
    assert threading.get_ident() not in gate.threads


async def test_jobs_that_wait_together_run_together_each_pair_once(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    waiting = [asyncio.create_task(_ask(worker, pairs(*names))) for names in ("ab", "bc", "c")]
    await until(lambda: worker.queued == 5)
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
    await until(lambda: worker.queued == 2)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert worker.queued == 1
    gate.opened.set()
    await asyncio.gather(first, stays)
    assert gate.calls[1:] == [pairs("stays")]


async def test_a_caller_cancelled_while_its_pairs_run_harms_nobody(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.opened.set()
    assert await worker.relations(pairs("x")) == [(1, 2, 0)]


async def test_more_than_the_queue_holds_is_refused_at_once(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    waiting = asyncio.create_task(_ask(worker, pairs(*"abcdefgh")))
    await until(lambda: worker.queued == 8)
    with pytest.raises(ScorerError, match="overloaded: 8 pairs"):
        await worker.relations(pairs("x", "y", "z"))
    gate.opened.set()
    assert len(await waiting) == 8
    await first


async def test_a_failing_model_fails_its_jobs_and_serves_the_next(worker: EntailmentWorker, gate: Gate) -> None:
    gate.opened.set()
    gate.error = ValueError("broken")
    with pytest.raises(ScorerError, match=r"ValueError.*broken"):
        await worker.relations(pairs("x"))
    gate.error = ScorerError("as it is")
    with pytest.raises(ScorerError, match="as it is"):
        await worker.relations(pairs("x"))
    gate.error = None
    assert await worker.relations(pairs("x")) == [(1, 2, 0)]


async def test_closing_refuses_what_waits_and_ends_the_thread(worker: EntailmentWorker, gate: Gate) -> None:
    first = await busy(worker, gate)
    waiting = asyncio.create_task(_ask(worker, pairs("waits")))
    await until(lambda: worker.queued == 1)
    closing = asyncio.create_task(worker.aclose())
    with pytest.raises(ScorerError, match="closed"):
        await waiting
    gate.opened.set()
    await closing
    assert await first == [(5, 10, 0)]
    assert not any(thread.name == "streamroute-judge" for thread in threading.enumerate())
    with pytest.raises(ScorerError, match="closed"):
        await worker.relations(pairs("late"))
    await worker.aclose()


def test_one_worker_serves_several_event_loops(gate: Gate) -> None:
    gate.opened.set()
    worker = EntailmentWorker(gate)
    for name in ("a", "bb"):
        assert asyncio.run(_ask(worker, pairs(name))) == [(len(name), 2 * len(name), 0)]
    asyncio.run(worker.aclose())


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="max_queued"):
        EntailmentWorker(Gate(), max_queued=0)

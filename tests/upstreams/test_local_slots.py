from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.upstreams.local_slots import Slots


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_needs_more_than_is_free_waits_and_is_not_overtaken() -> None:
    slots = Slots(3)
    await slots.take(2)
    large = asyncio.create_task(slots.take(3))
    await settle()
    small = asyncio.create_task(slots.take(1))
    await settle()
    assert not large.done()
    assert not small.done()
    slots.give(2)
    await settle()
    assert large.done()
    assert not small.done()
    slots.give(3)
    await small
    assert slots.free == 2


async def test_who_gives_up_waiting_lets_the_next_one_in() -> None:
    slots = Slots(3)
    await slots.take(2)
    large = asyncio.create_task(slots.take(3))
    await settle()
    small = asyncio.create_task(slots.take(1))
    await settle()
    large.cancel()
    await settle()
    assert small.done()
    assert slots.free == 0


async def test_a_turn_that_comes_in_the_moment_of_cancellation_is_passed_on() -> None:
    slots = Slots(1)
    await slots.take(1)
    waiting = asyncio.create_task(slots.take(1))
    await settle()
    slots.give(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert slots.free == 1


@given(
    total=st.integers(1, 5),
    steps=st.lists(st.tuples(st.sampled_from(["take", "give", "cancel"]), st.integers(1, 5)), max_size=30),
)
def test_places_are_never_lost_and_never_given_twice(total: int, steps: list[tuple[str, int]]) -> None:
    async def run() -> None:
        slots = Slots(total)
        asked: list[tuple[int, asyncio.Task[None]]] = []
        for step, number in steps:
            holding = [one for one in asked if one[1].done() and not one[1].cancelled()]
            waiting = [one for one in asked if not one[1].done()]
            if step == "take":
                places = min(number, total)
                asked.append((places, asyncio.create_task(slots.take(places))))
            elif step == "give" and holding:
                asked.remove(chosen := holding[number % len(holding)])
                slots.give(chosen[0])
            elif step == "cancel" and waiting:
                waiting[number % len(waiting)][1].cancel()
            await settle()
            held = sum(places for places, task in asked if task.done() and not task.cancelled())
            assert slots.free == total - held >= 0
            first_waiting = next((places for places, task in asked if not task.done()), None)
            assert first_waiting is None or first_waiting > slots.free
        for _, task in asked:
            task.cancel()
        await settle()

    asyncio.run(run())

from __future__ import annotations

import asyncio

import anyio

from streamroute.routing._flow import Gate, Items
from streamroute.testing import run_virtual


def test_items_come_in_order_and_then_the_end() -> None:
    async def main() -> list[int | None]:
        items = Items[int]()
        with items:
            items.put(1)
            items.put(2)
            assert len(items) == 2
        return [await items.get() for _ in range(3)]

    assert run_virtual(main) == [1, 2, None]


def test_a_reader_waits_for_the_next_item_and_for_the_end() -> None:
    async def main() -> list[tuple[float, int | None]]:
        items, taken = Items[int](), []
        loop = asyncio.get_running_loop()

        async def read() -> None:
            while True:
                item = await items.get()
                taken.append((loop.time() - began, item))
                if item is None:
                    return

        began = loop.time()
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            with items:
                await anyio.sleep(1)
                items.put(1)
                items.put(2)  # before the reader had its turn
                await anyio.sleep(2)
        return taken

    assert run_virtual(main) == [(1, 1), (1, 2), (3, None)]


def test_a_reader_that_was_cancelled_misses_nothing() -> None:
    async def main() -> int | None:
        items = Items[int]()
        with anyio.move_on_after(1):
            await items.get()
        items.put(1)
        return await items.get()

    assert run_virtual(main) == 1


def test_what_is_not_there_is_not_waited_for() -> None:
    async def main() -> list[int | None]:
        items = Items[int]()
        before = items.get_nowait()
        items.put(1)
        return [before, items.get_nowait(), items.get_nowait()]

    assert run_virtual(main) == [None, 1, None]


def test_a_gate_closes_above_the_high_water_and_opens_at_a_quarter_of_it() -> None:
    async def main() -> list[bool]:
        gate, seen = Gate(8), []
        for waiting in (8, 9, 5, 3, 2, 8):
            gate.update(waiting)
            seen.append(gate.closed)
        return seen

    assert run_virtual(main) == [False, True, True, True, False, False]

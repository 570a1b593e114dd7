from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from streamroute.testing import run_virtual
from streamroute.upstreams._watchdog import Watchdog


def barks(act: Callable[[Watchdog], Awaitable[None]], *, listen: float = 100.0) -> list[float]:
    """The times at which a watchdog that was treated so expires."""
    times: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        watchdog = Watchdog(loop, lambda: times.append(loop.time()))
        await act(watchdog)
        await asyncio.sleep(listen)
        watchdog.close()

    run_virtual(main)
    return times


def test_it_expires_at_its_deadline() -> None:
    async def act(watchdog: Watchdog) -> None:
        watchdog.arm(5.0)

    assert barks(act) == pytest.approx([5.0])


def test_disarmed_it_is_silent() -> None:
    async def act(watchdog: Watchdog) -> None:
        watchdog.arm(5.0)
        watchdog.disarm()

    assert barks(act) == []


def test_a_deadline_can_move_out_before_it_comes() -> None:
    async def act(watchdog: Watchdog) -> None:
        watchdog.arm(5.0)
        await asyncio.sleep(3)
        watchdog.arm(8.0)

    assert barks(act) == pytest.approx([8.0])


def test_a_deadline_can_move_in() -> None:
    async def act(watchdog: Watchdog) -> None:
        watchdog.arm(50.0)
        watchdog.arm(2.0)

    assert barks(act) == pytest.approx([2.0])


def test_armed_again_after_its_timer_ran_out_unarmed_it_expires() -> None:
    async def act(watchdog: Watchdog) -> None:
        watchdog.arm(5.0)
        watchdog.disarm()
        await asyncio.sleep(6)
        watchdog.arm(9.0)

    assert barks(act) == pytest.approx([9.0])


def test_closed_it_leaves_no_timer() -> None:
    async def act(watchdog: Watchdog) -> None:
        watchdog.arm(5.0)
        watchdog.close()

    assert barks(act) == []

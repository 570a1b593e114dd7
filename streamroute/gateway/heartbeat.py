"""Signs of life on a stream that has nothing to say."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable

import anyio

from streamroute.upstreams._watchdog import Watchdog

__all__ = ("Heartbeat",)


class Heartbeat:
    """Runs `beat` after `seconds` of silence, and again after as many. One timer for the whole stream: `rest`, which
    says that the silence begins now, is an assignment.

    Owned by one writer: it pauses the heart before it writes, lets it `rest` afterwards, and closes it in the end,
    however that comes. Where a beat does not disturb what is written, `rest` alone will do.
    """

    def __init__(self, seconds: float, beat: Callable[[], Awaitable[object]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._beat = beat
        self._watchdog = Watchdog(self._loop, self._start)
        self._task: asyncio.Task[None] | None = None
        self._closed = math.isinf(seconds)

    def rest(self) -> None:
        if not self._closed:
            self._watchdog.arm(self._loop.time() + self._seconds)

    async def pause(self) -> None:
        """No beat from here on until `rest`; one that is under way is waited for. Raises what it raised."""
        self._watchdog.disarm()
        task, self._task = self._task, None
        if task is not None:
            await task

    async def aclose(self) -> None:
        self._closed = True
        self._watchdog.close()
        task, self._task = self._task, None
        if task is not None:
            task.cancel("closed")
            with anyio.CancelScope(shield=True), contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    def _start(self) -> None:
        if self._task is not None and not self._task.done():  # it waits for a client that does not read
            return
        self._task = self._loop.create_task(self._once(), name="heartbeat")

    async def _once(self) -> None:
        await self._beat()
        self.rest()

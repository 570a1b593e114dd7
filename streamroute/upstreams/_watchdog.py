"""A deadline that moves with every read, without a new timer for each."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

__all__ = ("Watchdog",)


class Watchdog:
    """Calls `expire` when an armed deadline (loop time, seconds) passes.

    A stream is read thousands of times under deadlines that almost never pass, and a timer made and cancelled for each
    read would cost more than decoding what it brings. So arming is an assignment: one timer runs, and when it fires
    early it sets itself anew.
    """

    __slots__ = ("_deadline", "_expire", "_loop", "_timer", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop, expire: Callable[[], None]) -> None:
        self._loop = loop
        self._expire = expire
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._when = math.inf  # the timer's

    def arm(self, deadline: float) -> None:
        self._deadline = deadline
        if deadline < self._when:
            self._set(deadline)

    def disarm(self) -> None:
        self._deadline = None

    def close(self) -> None:
        self._deadline = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._when = math.inf

    def _set(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._fired)
        self._when = when

    def _fired(self) -> None:
        self._timer = None
        self._when = math.inf
        if self._deadline is None:
            return
        # A loop may fire a timer within its clock's resolution: not yet is close enough to now.
        if self._deadline > self._loop.time() + 1e-3:
            self._set(self._deadline)
        else:
            self._expire()

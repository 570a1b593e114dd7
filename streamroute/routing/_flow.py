"""Backpressure: a gate that is closed while the reader is behind. It pauses producers, never the decider."""

from __future__ import annotations

import anyio


class Gate:
    """Closes when more than `high` items wait for the reader, opens again at a quarter of that."""

    def __init__(self, high: int) -> None:
        self._high = high
        self._low = high // 4
        self._opened = anyio.Event()
        self._opened.set()

    @property
    def closed(self) -> bool:
        return not self._opened.is_set()

    def update(self, waiting: int) -> None:
        if waiting > self._high and not self.closed:
            self._opened = anyio.Event()
        elif waiting <= self._low and self.closed:
            self._opened.set()

    async def wait(self) -> None:
        await self._opened.wait()

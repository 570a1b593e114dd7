"""Backpressure: a gate that is closed while the reader is behind. It pauses producers, never the decider."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Generic, Self, TypeVar

import anyio

T = TypeVar("T")


class Items(Generic[T]):
    """A queue without bound for one reader. `put` never waits; leaving the context ends the queue."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._ended = False
        self._arrived: asyncio.Future[None] | None = None  # while the reader waits

    def __len__(self) -> int:
        return len(self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = True
        self._wake()

    def put(self, item: T) -> None:
        self._items.append(item)
        self._wake()

    def get_nowait(self) -> T | None:
        """The next item, None where there is none yet or any more."""
        return self._items.popleft() if self._items else None

    async def get(self) -> T | None:
        """The next item, None when the queue has ended."""
        while not self._items:
            if self._ended:
                return None
            # Not an anyio.Event: one would be made for each token, and takes five times as long.
            self._arrived = asyncio.get_running_loop().create_future()
            try:
                await self._arrived
            finally:
                self._arrived = None
        return self._items.popleft()

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)


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

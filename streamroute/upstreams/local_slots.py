"""Places for requests at an embedded model: first come, first served, several at once, and waiting can be cancelled."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ("Slots",)


class Slots:
    """A counting semaphore whose holders take several places at once, in the order in which they asked.

    A request that the model itself has queued cannot be called off, so no request is handed to it before there is
    room. `give` may be called later than the holder is done with its own work: when the model has let go.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, places: int) -> None:
        """Wait for `places`, at most `total`. When cancelled, nothing is taken."""
        if not self._waiting and places <= self.free:
            self.free -= places
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((places, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(places)  # ours already, in the very moment of the cancellation
            else:
                self._waiting.remove((places, turn))
                self._serve()  # who stood behind us may fit
            raise

    def give(self, places: int) -> None:
        self.free += places
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.free:
            places, turn = self._waiting.popleft()
            if not turn.done():
                self.free -= places
                turn.set_result(None)

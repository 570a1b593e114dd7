"""The requests that are being answered, and how they end when the server stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

__all__ = ("InFlight",)


class InFlight:
    """Counts requests in and out. `draining` turns True when no more are taken."""

    def __init__(self) -> None:
        self.draining = False
        self._late = False
        self._scopes: set[anyio.CancelScope] = set()
        self._left: anyio.Event | None = None

    def __len__(self) -> int:
        return len(self._scopes)

    @contextmanager
    def holding(self, scope: anyio.CancelScope) -> Iterator[None]:
        """A request is answered inside, and inside `scope`, which is cancelled when the server can wait no longer."""
        self._scopes.add(scope)
        if self._late:
            scope.cancel("shutdown")
        try:
            yield
        finally:
            self._scopes.discard(scope)
            if self._left is not None:
                self._left.set()

    async def drain(self, seconds: float) -> int:
        """Wait `seconds` for the running requests to end, then cancel those that have not. Returns their number."""
        self.draining = True
        with anyio.move_on_after(seconds):
            await self.empty()
        late = len(self._scopes)
        self.hurry()
        await self.empty()
        return late

    def hurry(self) -> None:
        """Cancel what runs, and what comes to run yet."""
        self.draining = self._late = True
        for scope in tuple(self._scopes):
            scope.cancel("shutdown")

    async def empty(self) -> None:
        """Until no request is being answered."""
        while self._scopes:
            if self._left is None or self._left.is_set():
                self._left = anyio.Event()
            await self._left.wait()

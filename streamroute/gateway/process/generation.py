"""Which settings and routes requests are served by now, and how long those that were replaced stay open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from streamroute.config.compose import ServedRoute
from streamroute.config.settings import Settings
from streamroute.gateway.access.auth import Keyring
from streamroute.gateway.catalogue import Catalogue

__all__ = ("Generation", "Generations", "Keyrings")


async def _nothing() -> None:
    pass


class Generation:
    """Settings and the routes that were opened from them; `close` closes those. `over` is set when nobody uses them."""

    def __init__(
        self, settings: Settings, routes: Mapping[str, ServedRoute], close: Callable[[], Awaitable[None]] = _nothing
    ) -> None:
        self.settings = settings
        self.routes = routes
        self.over = asyncio.Event()
        self._close = close
        self._requests = 0

    async def aclose(self) -> None:
        """Idempotent."""
        close, self._close = self._close, _nothing
        await close()

    # -- for Generations ----------------------------------------------------------------------------------------------

    def enter(self) -> None:
        self._requests += 1

    def leave(self) -> None:
        self._requests -= 1

    @property
    def in_use(self) -> bool:
        return self._requests > 0


class Generations:
    """The catalogue is always that of the newest generation, so a request that began before a replacement may be
    assigned by it or by the one before. Hence one is over only when all requests have ended that began before it was
    replaced.
    """

    def __init__(self, first: Generation) -> None:
        self._alive = [first]
        self.catalogue = Catalogue(first.routes)

    @property
    def current(self) -> Generation:
        """The newest."""
        return self._alive[-1]

    @property
    def settings(self) -> Settings:
        """Of the newest."""
        return self.current.settings

    def replace(self, new: Generation) -> Generation:
        """In one step: what is assigned from now on is served by `new`. Returns the one before, which will be over."""
        old = self.current
        self._alive.append(new)
        self.catalogue.replace(new.routes)
        self._sweep()
        return old

    def enter(self) -> Generation:
        """A request begins: the generation to `leave`."""
        self.current.enter()
        return self.current

    def enter_behind(self) -> Generation:
        """Something begins beside a request and will outlive it: it keeps open what that is served by."""
        self._alive[0].enter()
        return self._alive[0]

    def leave(self, entered: Generation) -> None:
        entered.leave()
        self._sweep()

    async def aclose(self) -> None:
        """Closes all that are open, oldest first."""
        for generation in self._alive:
            await generation.aclose()

    def _sweep(self) -> None:
        while len(self._alive) > 1 and not self._alive[0].in_use:
            self._alive.pop(0).over.set()


class Keyrings:
    """The keyring of the newest settings; `master` opens all of them."""

    def __init__(self, generations: Generations, master: str | None) -> None:
        self._generations = generations
        self._master = master
        self._settings = generations.settings
        self._keyring = Keyring(self._settings.keys, master=master)

    @property
    def current(self) -> Keyring:
        if self._settings is not self._generations.settings:
            self._settings = self._generations.settings
            self._keyring = Keyring(self._settings.keys, master=self._master)
        return self._keyring

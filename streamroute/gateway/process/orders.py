"""What a running server is told by its operator: to stop, to stop at once, to read its settings again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection

from streamroute.config.settings import Settings

__all__ = ("NOW", "READY", "STOP", "Orders", "by_pipe", "by_signals", "say")

STOP, NOW, READY = "stop", "now", "ready"
"""What is said over the pipe between a worker and its parent. Settings are an order to serve by them, and the answer
that they are."""


class Orders:
    """Events to wait for. `reread` gives the settings that `reload` asks to be served from; it may block, and raise.
    `reloaded` is told those that are."""

    def __init__(
        self,
        reread: Callable[[], Settings] | None = None,
        reloaded: Callable[[Settings], None] = lambda _: None,
    ) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        self.reload = asyncio.Event()
        self.reread = reread
        self.reloaded = reloaded

    def stopping(self) -> None:
        """The second time: at once."""
        (self.hurry if self.stop.is_set() else self.stop).set()


@contextmanager
def by_signals(reread: Callable[[], Settings] | None = None) -> Iterator[Orders]:
    """SIGTERM and SIGINT stop, a second one at once; SIGHUP reloads where there is something to read. Outside signals
    have their default effects."""
    orders = Orders(reread)
    handlers = {signal.SIGTERM: orders.stopping, signal.SIGINT: orders.stopping}
    if reread is not None:
        handlers[signal.SIGHUP] = orders.reload.set
    with _handling(handlers):
        yield orders


@contextmanager
def by_pipe(pipe: Connection) -> Iterator[Orders]:
    """The parent says it all. A terminal or a service manager signals the whole group: SIGTERM stops as the parent's
    word does, and is no second one after it; the others are the parent's alone. A parent that is gone stops us."""
    loop = asyncio.get_running_loop()
    given: list[Settings] = []
    orders = Orders(lambda: given[-1], partial(say, pipe))

    def read() -> None:
        try:
            said = pipe.recv()
        except (EOFError, OSError):
            loop.remove_reader(pipe.fileno())
            said = STOP
        if said == STOP:
            orders.stop.set()
        elif said == NOW:
            orders.stop.set()
            orders.hurry.set()
        else:
            given.append(said)
            orders.reload.set()

    loop.add_reader(pipe.fileno(), read)
    try:
        with _handling({signal.SIGTERM: orders.stop.set, signal.SIGINT: _ignored, signal.SIGHUP: _ignored}):
            yield orders
    finally:
        loop.remove_reader(pipe.fileno())


def say(pipe: Connection, what: object) -> None:
    """To who may be gone."""
    with suppress(OSError):
        pipe.send(what)


def _ignored() -> None:
    pass


@contextmanager
def _handling(handlers: dict[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)

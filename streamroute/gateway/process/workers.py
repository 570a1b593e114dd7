"""Several processes behind one port.

The parent opens the sockets, starts the workers and serves nothing. All accept from the same queue, which is the
kernel's and outlives any of them: when one dies, no connection is lost that it had not accepted, and the others take
them at once. (With SO_REUSEPORT each has a queue of its own, which dies with it.)

A worker is a new interpreter, not a fork: nothing of the parent's threads, locks or sockets is in it. It has a pipe to
the parent, over which it says that it listens, or why it cannot, and is told what to do.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from streamroute.config.settings import Settings
from streamroute.errors import ConfigError, StreamrouteError
from streamroute.gateway.log import Logger, json_logger
from streamroute.gateway.process.orders import NOW, READY, STOP, by_pipe, say
from streamroute.gateway.process.reload import read_again
from streamroute.gateway.process.server import loop_factory, serve
from streamroute.gateway.process.sockets import address_of, bound, listen

__all__ = ("supervise",)

PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds before a worker that died is started again: twice as long each time that it dies young."""
YOUNG: Final = 10.0
"""Seconds."""
MOST_FAILURES: Final = 5
"""Starts in a row that came to nothing."""
GRACE: Final = 10.0
"""Seconds beyond `drain_seconds` in which a worker must have ended."""


def supervise(
    settings: Settings,
    *,
    ready: Callable[[str], None] | None = None,
    reread: Callable[[], Settings] | None = None,
    log: Logger | None = None,
) -> None:
    """Serve in `server.workers` processes until SIGTERM or SIGINT, and return when all of them have ended. To be called
    in the main thread.

    SIGTERM, SIGINT and SIGHUP are theirs as `serve` says. A worker that dies is started again. Raises `ConfigError` for
    what keeps the first ones from starting, and where one of them comes to nothing again and again; the others then
    stop as if they had been told to.
    """
    with bound(settings.server) as socks:
        listen(socks, settings.server)
        _Supervisor(settings, socks, reread, log or json_logger()).run(ready)


class _Worker:
    """One place, and the process that is in it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: SpawnProcess | None = None
        self.pipe: Connection | None = None
        self.ready = False
        self.error = ""
        self.began = self.due = 0.0
        self.deaths = self.failures = 0

    def start(self, socks: Sequence[socket.socket], settings: Settings) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(
            target=_work, args=(theirs, tuple(socks), settings), name=f"streamroute-worker-{self.number}"
        )
        self.ready, self.error, self.began = False, "", time.monotonic()
        self.process.start()
        theirs.close()

    def tell(self, what: object) -> None:
        if self.pipe is not None:
            say(self.pipe, what)

    def hear(self) -> Settings | None:
        """What it says: that it is ready, what is wrong, or which new settings it serves by: those are returned."""
        assert self.pipe is not None
        try:
            said = self.pipe.recv()
        except (EOFError, OSError):
            self.pipe.close()
            self.pipe = None
            return None
        if isinstance(said, Settings):
            return said
        if said == READY:
            self.ready, self.failures = True, 0
        else:
            self.error = said
        return None

    def bury(self, now: float) -> int:
        """It has ended: its exit status, and `due` is when it may be started again."""
        assert self.process is not None
        self.process.join()
        status = self.process.exitcode or 0
        self.process.close()
        while self.pipe is not None and self.pipe.poll():
            self.hear()
        if self.pipe is not None:
            self.pipe.close()
        self.process = self.pipe = None
        self.failures += not self.ready
        self.deaths = self.deaths + 1 if now - self.began < YOUNG else 0
        self.due = now + min(PAUSE * 2**self.deaths, LONGEST_PAUSE)
        return status


class _Supervisor:
    def __init__(
        self,
        settings: Settings,
        socks: Sequence[socket.socket],
        reread: Callable[[], Settings] | None,
        log: Logger,
    ) -> None:
        # Those that have been served by, and those that were read last: a worker that is started must not die of what
        # the others have refused.
        self._settings = self._offered = settings
        self._socks = socks
        self._reread = reread
        self._log = log
        self._workers = [_Worker(number) for number in range(settings.server.workers)]
        self._stopping = False
        self._kill_at = float("inf")
        self._failure: str | None = None

    def run(self, ready: Callable[[str], None] | None) -> None:
        caught = [signal.SIGTERM, signal.SIGINT, *([] if self._reread is None else [signal.SIGHUP])]
        with _signals(caught) as signals:
            try:
                for worker in self._workers:
                    self._start(worker)
                while any(worker.process for worker in self._workers) or not self._stopping:
                    self._step(signals)
                    if ready is not None and not self._stopping and all(worker.ready for worker in self._workers):
                        ready(address_of(self._socks))
                        ready = None
            finally:
                for worker in self._workers:
                    if worker.process is not None:
                        worker.process.kill()
                        worker.process.join()
        if self._failure is not None:
            raise ConfigError(self._failure)

    def _step(self, signals: Connection) -> None:
        """Wait for the next thing, and do what it asks for."""
        now = time.monotonic()
        dead = [worker for worker in self._workers if worker.process is None]
        until = self._kill_at if self._stopping else min((worker.due for worker in dead), default=float("inf"))
        by = {worker.process.sentinel: worker for worker in self._workers if worker.process is not None}
        pipes = {worker.pipe: worker for worker in self._workers if worker.pipe is not None}
        waiting: list[Any] = [signals, *by, *pipes]
        happened = wait(waiting, None if until == float("inf") else max(0.0, until - now))
        for pipe, worker in pipes.items():
            if pipe in happened:
                self._settings = worker.hear() or self._settings
        for sentinel, worker in by.items():
            if sentinel in happened:
                self._ended(worker)
        if signals in happened:
            for number in os.read(signals.fileno(), 64):
                self._signalled(number)
        self._on_time()

    def _start(self, worker: _Worker) -> None:
        worker.start(self._socks, self._settings)
        if self._offered != self._settings:
            worker.tell(self._offered)

    def _signalled(self, number: int) -> None:
        if number == signal.SIGHUP and not self._stopping:
            self._reload()
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._stop(NOW if self._stopping else STOP)

    def _stop(self, how: str) -> None:
        self._stopping = True
        drain = self._settings.server.drain_seconds if how == STOP else 0.0
        self._kill_at = time.monotonic() + drain + GRACE
        for worker in self._workers:
            worker.tell(how)

    def _reload(self) -> None:
        """Read here, so that all get the same."""
        assert self._reread is not None
        try:
            self._offered = read_again(self._reread, self._settings, self._log)
        except (StreamrouteError, OSError) as error:
            self._log.warning("reload", error=str(error), message="the settings stay as they were")
            return
        for worker in self._workers:
            worker.tell(self._offered)

    def _ended(self, worker: _Worker) -> None:
        first = not worker.failures and not worker.deaths and not worker.ready
        status = worker.bury(time.monotonic())
        if self._stopping:
            if status and not worker.error:
                self._log.warning("worker", number=worker.number, status=status, message="ended badly")
            return
        why = worker.error or f"it ended with status {status}"
        if worker.error and first:
            self._failure = worker.error
            self._stop(STOP)
        elif worker.failures >= MOST_FAILURES:
            self._failure = f"worker {worker.number} does not start ({worker.failures} times in a row): {why}"
            self._stop(STOP)
        else:
            self._log.warning("worker", number=worker.number, status=status, message=f"{why}; starting another")

    def _on_time(self) -> None:
        now = time.monotonic()
        if not self._stopping:
            for worker in self._workers:
                if worker.process is None and worker.due <= now:
                    self._start(worker)
        elif now >= self._kill_at:
            for worker in self._workers:
                if worker.process is not None:
                    self._log.warning("worker", number=worker.number, message="did not end in time, and is killed")
                    worker.process.kill()
            self._kill_at = float("inf")


@contextmanager
def _signals(caught: Sequence[signal.Signals]) -> Iterator[Connection]:
    """Where the numbers of these signals can be read when they come, each as a byte."""
    reading, writing = multiprocessing.get_context("spawn").Pipe(duplex=False)
    os.set_blocking(writing.fileno(), False)
    before = {number: signal.signal(number, lambda *_: None) for number in caught}
    wakeup = signal.set_wakeup_fd(writing.fileno())
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        reading.close()
        writing.close()


def _work(pipe: Connection, socks: Sequence[socket.socket], settings: Settings) -> None:
    """The life of a worker."""
    # Until the loop takes them: what is meant for the group is the parent's to say.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    async def main() -> None:
        await serve(settings, ready=lambda _: say(pipe, READY), socks=socks, orders=by_pipe(pipe))

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(main())
    except StreamrouteError as error:
        say(pipe, str(error))
        raise SystemExit(1) from None

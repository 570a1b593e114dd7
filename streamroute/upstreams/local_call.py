"""One request at an embedded model: a thread that blocks, talking to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from streamroute.upstreams.local_server import ChatServer

__all__ = ("Call", "End", "in_thread")

_T = TypeVar("_T")


def in_thread(work: Callable[[], _T], *, name: str) -> asyncio.Future[_T]:
    """Run `work` in a thread of its own and give its result to the running loop. Cancelling the future does not stop
    the thread."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
            future.exception()  # marked as seen: who waits sees it too, and nobody may be waiting any more
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            outcome: tuple[_T | None, BaseException | None] = work(), None
        except BaseException as error:
            outcome = None, error
        try:
            loop.call_soon_threadsafe(settle, *outcome)
        except RuntimeError:  # the loop is gone, and with it everyone who could have waited
            return

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


@dataclass(frozen=True, slots=True)
class End:
    """The request is over; `error` is what the server raised, if it did."""

    error: BaseException | None = None


class Call:
    """One request. `chunks` gets what the server says and an `End` at last; `over` is done when the server has let go
    of it, which is within one token, or one batch of the prompt, of `stop()`."""

    def __init__(self, server: ChatServer, body: dict[str, Any]) -> None:
        self.chunks: asyncio.Queue[Any] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._stopped = False
        self._server, self._body = server, body
        self.over = in_thread(self._run, name="streamroute-local")
        self.over.add_done_callback(self._ended)

    def stop(self) -> None:
        self._stopped = True

    def _run(self) -> None:
        self._server.handle_chat_completions(self._body, self._on_chunk)

    def _on_chunk(self, chunk: Any) -> bool:
        if not self._stopped:
            try:
                self._loop.call_soon_threadsafe(self.chunks.put_nowait, chunk)
            except RuntimeError:  # the loop is gone: nobody wants the rest
                self._stopped = True
        return self._stopped

    def _ended(self, over: asyncio.Future[None]) -> None:
        self.chunks.put_nowait(End(None if over.cancelled() else over.exception()))

"""Connections that take their time: each is closed that does not bring a request's head soon, is idle for long, or does
not read what is sent to it.

A guard stands between the transport and aiohttp, which bounds the size of a head but not how slowly it may come, and
waits for ever for a client that reads nothing. It sees bytes and full buffers, and is told when requests begin and end.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger

from streamroute.config.settings import LimitSettings

__all__ = ("GuardedRunner", "SlowReaderError", "left_because")


class SlowReaderError(ConnectionError):
    """Why a connection was cut off whose client did not read."""


def left_because(request: web.Request) -> str | None:
    """What is to be said of a request whose connection is gone; None where the client left by itself."""
    cause = request.content.exception()  # aiohttp puts there what a connection was lost for
    return str(cause) if isinstance(cause, SlowReaderError) else None


class GuardedRunner(web.AppRunner):
    """A runner whose connections keep within `limits`."""

    def __init__(self, app: web.Application, limits: LimitSettings, **kwargs: Any) -> None:
        super().__init__(
            app,
            max_line_size=limits.header_bytes,
            max_field_size=limits.header_bytes,
            max_headers=limits.headers,
            logger=_Discreet(server_logger, {}),
            **kwargs,
        )
        self._limits = limits
        self._guards: dict[asyncio.BaseProtocol, _Guard] = {}
        app.middlewares.insert(0, self._watched())

    @property
    def server(self) -> web.Server | None:
        """What makes a protocol for each connection, which is all that sites ask of it."""
        server = super().server
        return None if server is None else cast("web.Server", lambda: _Guard(server(), self._limits, self._guards))

    def _watched(self) -> Any:
        @web.middleware
        async def watched(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            guard = self._guards.get(request.protocol)
            if guard is None:
                return await handler(request)
            guard.begun()
            try:
                return await handler(request)
            finally:
                guard.ended()

        return watched


class _Guard(asyncio.Protocol):
    """One connection. What it hears goes to `inner`, aiohttp's protocol, which writes to the transport itself."""

    __slots__ = (
        "_cause",
        "_grew",
        "_guards",
        "_idle",
        "_inner",
        "_limits",
        "_loop",
        "_stall",
        "_timer",
        "_transport",
        "_unread",
    )

    def __init__(
        self,
        inner: asyncio.Protocol,
        limits: LimitSettings,
        guards: MutableMapping[asyncio.BaseProtocol, _Guard],
    ) -> None:
        self._inner = inner
        self._limits = limits
        self._guards = guards
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._idle = False
        self._timer: asyncio.TimerHandle | None = None  # of the head, or of the idle wait for it
        self._stall: asyncio.TimerHandle | None = None  # of a full buffer
        self._unread = 0  # how full it was when that was last looked at
        self._grew = False  # and whether it had been filled further
        self._cause: Exception | None = None

    # -- what the transport says --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._guards[self._inner] = self
        self._wait(self._limits.header_seconds)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._idle:
            self._idle = False
            self._wait(self._limits.header_seconds)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._unread, self._grew = self._on_the_way(), False
        self._stall = self._loop.call_later(self._limits.write_seconds, self._stalled)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._guards.pop(self._inner, None)
        for timer in (self._timer, self._stall):
            if timer is not None:
                timer.cancel()
        self._timer = self._stall = None
        self._inner.connection_lost(self._cause or exc)

    # -- what the application says ------------------------------------------------------------------------------------

    def begun(self) -> None:
        """The head of a request is complete."""
        self._idle = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def ended(self) -> None:
        """The request has been answered; what is left of the answer may still be on its way."""
        self._idle = True
        self._wait(self._limits.idle_seconds)

    # -- deadlines ----------------------------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self._transport is None else self._loop.call_later(seconds, self._expired)

    def _expired(self) -> None:
        if self._idle and self._stall is not None:  # a large answer is being read: how slowly is watched elsewhere
            self._wait(self._limits.idle_seconds)
        elif self._transport is not None:
            # Closing would wait for what is not read.
            (self._transport.abort if self._buffered() else self._transport.close)()

    def _stalled(self) -> None:
        """The buffer has been full for so long. Where the client reads, less is on the way. What is written may make it
        more, but not twice in a row: aiohttp waits once it has written as much again."""
        self._stall = None
        if self._transport is None:
            return
        size = self._on_the_way()
        grew = size > self._unread
        if size < self._unread or (grew and not self._grew):
            self._unread, self._grew = size, grew
            self._stall = self._loop.call_later(self._limits.write_seconds, self._stalled)
            return
        self._cause = SlowReaderError(f"the client read nothing for {self._limits.write_seconds:g} s")
        self._transport.abort()

    def _buffered(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def _on_the_way(self) -> int:
        """How many bytes the client's side has not taken yet: in our buffer, and in the kernel's, which may hold
        megabytes and takes no more from us before a third of them is gone."""
        return self._buffered() + _kernel_holds(self._transport)


def _kernel_holds(transport: asyncio.Transport | None) -> int:
    """Bytes of a connection that are not acknowledged; 0 where the system does not say."""
    connection = None if transport is None else transport.get_extra_info("socket")
    if connection is None:
        return 0
    try:
        import fcntl
        import termios

        return int.from_bytes(fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (ImportError, OSError):
        return 0


class _Discreet(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's log without bad requests: it repeats what they say, which may be a key."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        if not isinstance(kwargs.get("exc_info"), HttpProcessingError):
            super().log(level, msg, *args, **kwargs)

"""Where the server listens: sockets that are bound before anything else happens, and may be handed to workers."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from streamroute.config.settings import ServerSettings
from streamroute.errors import ConfigError

__all__ = ("BACKLOG", "address_of", "bound", "listen")

BACKLOG: Final = 1024
"""Connections that may wait to be accepted."""
_ABSENT: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@contextmanager
def bound(settings: ServerSettings) -> Iterator[Sequence[socket.socket]]:
    """A socket for each address of `host`, all at one port; connections are still refused. Those that this machine
    lacks are passed over, if it has one. Closed at the end. Raises `ConfigError` naming host and port."""
    socks: list[socket.socket] = []
    try:
        try:
            _bind(settings, socks)
        except OSError as error:
            raise _cannot(settings, error) from error
        yield socks
    finally:
        for sock in socks:
            sock.close()


def listen(socks: Sequence[socket.socket], settings: ServerSettings) -> None:
    """From now on connections wait to be accepted. Raises `ConfigError`."""
    try:
        for sock in socks:
            sock.listen(BACKLOG)
    except OSError as error:
        raise _cannot(settings, error) from error


def address_of(socks: Sequence[socket.socket]) -> str:
    """A URL to reach the first of them by."""
    host, port = socks[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bind(settings: ServerSettings, socks: list[socket.socket]) -> None:
    found = socket.getaddrinfo(settings.host or None, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    absent: OSError | None = None
    for family, kind, protocol, _, (host, _, *rest) in dict.fromkeys(found):
        try:
            sock = socket.socket(family, kind, protocol)
            socks.append(sock)
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:  # or it would take the port of the address beside it
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            port = settings.port if len(socks) == 1 else socks[0].getsockname()[1]
            sock.bind((host, port, *rest))
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            absent = error
            socks.pop().close()
    if not socks:
        raise absent or OSError("there is no such address")


def _cannot(settings: ServerSettings, error: OSError) -> ConfigError:
    return ConfigError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}")

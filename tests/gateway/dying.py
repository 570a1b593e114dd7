"""Workers that are none: what a parent does about them."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from socket import socket

from streamroute.config.settings import Settings
from streamroute.gateway.process.orders import READY

__all__ = ("deaf", "dying")


def dying(pipe: Connection, socks: Sequence[socket], settings: Settings) -> None:
    raise SystemExit(3)


def deaf(pipe: Connection, socks: Sequence[socket], settings: Settings) -> None:
    """Listens to nothing, but says that it is ready."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe.send(READY)
    while True:
        signal.pause()

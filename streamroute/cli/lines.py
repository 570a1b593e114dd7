"""Lines of a file descriptor, awaited: so that Ctrl-C ends a prompt as cleanly as a route."""

from __future__ import annotations

import contextlib
import os

import anyio

__all__ = ("LineReader",)


class LineReader:
    """Reads UTF-8 lines. Works on terminals, pipes and files."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = b""
        self._ended = False

    async def line(self) -> str | None:
        """The next line without its end, None when there are no more."""
        while b"\n" not in self._buffer and not self._ended:
            block = await self._read()
            self._buffer += block
            self._ended = not block
        if not self._buffer:
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r").decode(errors="replace")

    async def _read(self) -> bytes:
        with contextlib.suppress(PermissionError):  # a regular file is always ready, and epoll refuses to watch it
            await anyio.wait_readable(self._fd)
        return os.read(self._fd, 65536)

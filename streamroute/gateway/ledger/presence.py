"""Which of the processes that share a ledger still live.

Each holds a lock on a byte of a file beside the ledger, the byte of its number, which the kernel takes from it however
it ends. A process id alone would not do: it may be somebody else's by now, or mean nothing in another container.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct

__all__ = ("Presence",)

_FLOCK = "hhqqi0q"  # struct flock: type, whence, start, length, pid


class Presence:
    """The lock file of one process. Where the system has no locks of open files, process ids have to do."""

    def __init__(self, path: str) -> None:
        self._file: int | None = None
        if hasattr(fcntl, "F_OFD_SETLK"):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def hold(self, number: int) -> None:
        """This process is the one of that number."""
        if self._file is not None:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0))

    def lives(self, number: int, pid: int) -> bool:
        """Whether the process of that number does. Not to be asked of the own one."""
        if self._file is not None:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
            kind: int = struct.unpack(_FLOCK, fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, asked))[0]
            return kind != fcntl.F_UNLCK
        with contextlib.suppress(PermissionError):  # it is another user's
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return False
        return True

    def close(self) -> None:
        """Gives the lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

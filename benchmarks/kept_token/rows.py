"""The file of measured questions: whole lines only, written by one process at a time, gone on with by the next."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from benchmarks.kept_token.systems import Row
from streamroute.errors import DataFileError

__all__ = ("Rows",)

_BEGINNING = b'{"id":'
"""Of every line that `Rows` writes."""


class Rows:
    """The rows of a file, by id, to which more are added. One process at a time; what a killed one left of its last
    line is cut off. Raises `DataFileError` for a file that holds anything but rows of this `setup`."""

    def __init__(self, path: Path, setup: str) -> None:
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise DataFileError(f"{path}: cannot be written ({error.strerror})") from error
        self.rows: dict[str, Row] = {}
        try:
            self._lock(path)
            self._load(path, setup)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, row: Row) -> None:
        """The row is on the disk when this returns."""
        left = memoryview(msgspec.json.encode(row) + b"\n")
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())
        self.rows[row.id] = row

    def _lock(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFileError(f"{path}: another process is measuring into it") from error

    def _load(self, path: Path, setup: str) -> None:
        self._file.seek(0)
        content = self._file.readall()
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row = msgspec.json.decode(line, type=Row)
            except msgspec.DecodeError as error:
                raise DataFileError(f"{path}: line {number}: not a measured question: {error}") from error
            if row.setup != setup:
                raise DataFileError(f"{path}: line {number}: was measured with {row.setup}, this run is {setup}")
            self.rows[row.id] = row
        rest = content[len(whole) :]
        if not (rest.startswith(_BEGINNING) or _BEGINNING.startswith(rest)):
            raise DataFileError(f"{path}: its last line is not a measured question")
        self._file.truncate(len(whole))

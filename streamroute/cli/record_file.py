"""A file of rows that only grows, by whole lines, and that one process at a time writes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from streamroute.errors import DataFileError
from streamroute.evaluation.rows import RoutingRow

__all__ = ("RecordFile",)

_BEGINNING = b'{"id":'
"""Of every line that this writes."""


class RecordFile:
    """`rows` are those that the file holds, by id. What a killed process left of its last line is cut off.

    Raises `DataFileError` for a file that cannot be written, that another process records into, or that holds anything
    but rows, which is never overwritten.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix in (".gz", ".xz"):
            raise DataFileError(f"{path}: rows are appended one by one: record into a plain file, pack it later")
        self.path = path
        self.rows: dict[str, RoutingRow] = {}
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise DataFileError(f"{path}: cannot be written ({error.strerror})") from error
        try:
            self._lock()
            self._load()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, row: RoutingRow) -> None:
        """The row is on the disk when this returns. Raises `DataFileError` where it cannot be written."""
        try:
            self._write(msgspec.json.encode(row) + b"\n")
        except OSError as error:
            raise DataFileError(f"{self.path}: cannot be written ({error.strerror})") from error
        self.rows[row.id] = row

    def relabel(self, labelled: Callable[[RoutingRow], RoutingRow]) -> int:
        """Replace each row by what `labelled` makes of it, all at once or none; returns how many it changed. Raises
        `DataFileError` where they cannot be written, and where one would get another id."""
        rows = {id: labelled(row) for id, row in self.rows.items()}
        if any(row.id != id for id, row in rows.items()):
            raise DataFileError(f"{self.path}: a label must not change the id of a row")
        changed = sum(row != self.rows[id] for id, row in rows.items())
        if changed:
            partial = self.path.with_name(f"{self.path.name}.partial")
            try:
                partial.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows.values()))
                file = partial.open("a+b", buffering=0)
                fcntl.flock(file, fcntl.LOCK_EX)  # before anybody can see it under the name that is locked now
                partial.replace(self.path)
            except OSError as error:
                raise DataFileError(f"{self.path}: cannot be written ({error.strerror})") from error
            self._file.close()
            self._file, self.rows = file, rows
        return changed

    def _write(self, line: bytes) -> None:
        left = memoryview(line)
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFileError(f"{self.path}: another process is recording into it") from error

    def _load(self) -> None:
        self._file.seek(0)
        content = self._file.readall()
        whole = content[: content.rfind(b"\n") + 1]
        rest = content[len(whole) :]
        decoder = msgspec.json.Decoder(RoutingRow)
        for number, line in enumerate(whole.splitlines(), start=1):
            if line.strip():
                try:
                    row = decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise DataFileError(f"{self.path}: line {number}: not a row of records: {error}") from error
                self.rows[row.id] = row
        if rest:
            self._mend(rest, len(whole), decoder)

    def _mend(self, rest: bytes, at: int, decoder: msgspec.json.Decoder[RoutingRow]) -> None:
        """A last line without its end: whole but for that, or what a killed process left."""
        try:
            row = decoder.decode(rest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if not (rest.startswith(_BEGINNING) or _BEGINNING.startswith(rest)):
                raise DataFileError(f"{self.path}: its last line is not a row of records: {error}") from error
            self._file.truncate(at)
        else:
            self._write(b"\n")
            self.rows[row.id] = row

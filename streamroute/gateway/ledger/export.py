"""The rows of a ledger as a file for other programs."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from streamroute.errors import ConfigError, DataFileError
from streamroute.gateway.ledger.rows import LEG_COLUMNS, REQUEST_COLUMNS, TRUTHS

__all__ = ("FORMATS", "export")

FORMATS = (".csv", ".parquet")
AT_ONCE = 10_000
"""Rows that are held at a time."""

_OF_REQUEST = ("id", "key", "route")
_WHOLE = frozenset(
    {"seq", "process", "extra_calls", "status", "tier", "nli_pairs", "request", "number", "probe", "prompt_tokens"}
    | {"completion_tokens"}
)
_REAL = frozenset(
    {"started", "seconds", "extra_cost", "score", "entropy", "cost", "first_shown", "first_kept", "decided"}
    | {"nli_seconds", "first_token", "ended"}
)


def export(connection: sqlite3.Connection, path: Path, *, legs: bool = False, since: float = 0.0) -> int:
    """Write a row for each request, or for each leg with the id, key and route of its request, by the time they
    started. CSV or Parquet, as the name ends. Returns how many.

    Raises `ConfigError` for another ending and where Parquet needs what is not installed, `DataFileError` where it
    cannot be written.
    """
    write = {".csv": _csv, ".parquet": _parquet}.get(path.suffix)
    if write is None:
        raise ConfigError(f"{path}: expected a name that ends with {' or '.join(FORMATS)}")
    if legs:
        names = [*(f"request_{name}" for name in _OF_REQUEST), *LEG_COLUMNS]
        columns = [*(f"r.{name}" for name in _OF_REQUEST), *(f"l.{name}" for name in LEG_COLUMNS)]
        tables, order = "legs l JOIN requests r ON l.request = r.seq", "r.started, r.seq, l.number"
    else:
        names = list(REQUEST_COLUMNS)
        columns = [f"r.{name}" for name in REQUEST_COLUMNS]
        tables, order = "requests r", "r.started, r.seq"
    rows = connection.execute(
        f"SELECT {', '.join(columns)} FROM {tables} WHERE r.started >= ? ORDER BY {order}", (since,)
    )
    try:
        return write(path, names, _blocks(rows))
    except OSError as error:
        raise DataFileError(f"{path}: cannot be written: {error.strerror or error}") from error


def _blocks(rows: sqlite3.Cursor) -> Iterator[list[Any]]:
    while block := rows.fetchmany(AT_ONCE):
        yield block


def _csv(path: Path, names: Sequence[str], blocks: Iterator[list[Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for block in blocks:
            writer.writerows(block)
            count += len(block)
    return count


def _parquet(path: Path, names: Sequence[str], blocks: Iterator[list[Any]]) -> int:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError(f"Parquet needs the extra: pip install 'streamroute[parquet]' ({error})") from error
    kinds = [
        pyarrow.int64()
        if name in _WHOLE
        else pyarrow.bool_()
        if name in TRUTHS
        else pyarrow.float64()
        if name in _REAL
        else pyarrow.string()
        for name in names
    ]
    schema = pyarrow.schema(list(zip(names, kinds, strict=True)))
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for block in blocks:
            values = zip(*block, strict=True)
            arrays = [
                pyarrow.array([None if v is None else bool(v) for v in column] if name in TRUTHS else column, kind)
                for name, column, kind in zip(names, values, kinds, strict=True)
            ]
            writer.write_table(pyarrow.table(arrays, schema=schema))
            count += len(block)
    return count

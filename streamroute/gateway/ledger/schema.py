"""The file of a ledger: its tables, and how an older one becomes a newer one."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from streamroute.errors import ConfigError

__all__ = ("BUSY_SECONDS", "MEMORY", "STEPS", "connected", "read_only")

MEMORY = ":memory:"
BUSY_SECONDS = 10.0
"""How long a process waits for another one that writes."""
APPLICATION = 0x73726C67
"""SQLite's `application_id` of a ledger: "srlg"."""

_FIRST = """
CREATE TABLE processes (
    number INTEGER PRIMARY KEY,
    pid INTEGER NOT NULL,
    opened REAL NOT NULL,
    closed REAL
);
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    reply_id TEXT NOT NULL,
    path TEXT NOT NULL,
    key TEXT,
    route TEXT NOT NULL,
    asked TEXT NOT NULL,
    stream INTEGER NOT NULL,
    started REAL NOT NULL,
    process INTEGER NOT NULL,
    state TEXT NOT NULL,
    extra_calls INTEGER NOT NULL,
    extra_cost REAL NOT NULL,
    status INTEGER,
    seconds REAL,
    tier INTEGER,
    tier_name TEXT,
    decision TEXT,
    reason TEXT,
    prerouter TEXT,
    unjudged TEXT,
    score REAL,
    entropy REAL,
    shed TEXT,
    cost REAL,
    retracted INTEGER,
    first_shown REAL,
    first_kept REAL,
    decided REAL,
    nli_pairs INTEGER,
    nli_seconds REAL,
    evidence TEXT,
    error TEXT
);
CREATE INDEX requests_by_id ON requests (id);
CREATE INDEX requests_by_reply ON requests (reply_id);
CREATE INDEX requests_by_time ON requests (started);
CREATE INDEX requests_of_keys ON requests (key, started) WHERE key IS NOT NULL;
CREATE INDEX requests_with_extras ON requests (route, started, extra_calls, extra_cost) WHERE extra_calls > 0;
CREATE INDEX requests_open ON requests (process) WHERE state = 'open';
CREATE TABLE legs (
    request INTEGER NOT NULL,
    number INTEGER NOT NULL,
    role TEXT NOT NULL,
    tier INTEGER NOT NULL,
    tier_name TEXT NOT NULL,
    probe INTEGER,
    model TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    billing TEXT,
    started REAL NOT NULL,
    first_token REAL,
    ended REAL,
    cost REAL NOT NULL,
    error TEXT,
    PRIMARY KEY (request, number)
) WITHOUT ROWID;
CREATE TABLE spend (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    day TEXT NOT NULL,
    requests INTEGER NOT NULL,
    cost REAL NOT NULL,
    PRIMARY KEY (kind, name, day)
) WITHOUT ROWID;
CREATE TABLE totals (
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (name, labels)
) WITHOUT ROWID;
"""

STEPS: Sequence[str] = (_FIRST,)
"""Step i makes a file of version i one of version i + 1. What has been released is never changed, only added to."""


def connected(place: str, *, steps: Sequence[str] = STEPS) -> sqlite3.Connection:
    """A connection that may write; the file is made, or brought up to date, where need be. In WAL mode, and a commit
    is not flushed to the disk: it survives the end of the process, however sudden, not that of the machine.

    Raises `ConfigError` for what is not a ledger, is one of a newer version, or cannot be opened.
    """
    if place != MEMORY:
        _made_private(place)
    try:
        connection = sqlite3.connect(place, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _in_wal_mode(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            _brought_up_to_date(connection, place, steps)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise ConfigError(f"{place}: cannot be used as a ledger: {error}") from error
    return connection


def read_only(place: str | Path, *, steps: Sequence[str] = STEPS) -> sqlite3.Connection:
    """A connection that only reads, beside others that write. Raises `ConfigError` like `connected`, and for a file of
    an older version."""
    path = Path(place)
    if not path.is_file():
        raise ConfigError(f"{place}: no such file")
    try:
        # To read beside a writer, SQLite must be able to write its index of the log.
        address = f"{path.absolute().as_uri()}?mode={'rw' if os.access(path, os.W_OK) else 'ro'}"
        connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            connection.execute("PRAGMA query_only = ON")
            version = _version(connection, str(place), steps)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise ConfigError(f"{place}: cannot be used as a ledger: {error}") from error
    if version < len(steps):
        connection.close()
        raise ConfigError(
            f"{place}: a ledger of an older version ({version} of {len(steps)}); serving with it once updates it"
        )
    return connection


def _made_private(place: str) -> None:
    try:
        os.close(os.open(place, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ConfigError(f"{place}: cannot be opened: {error.strerror}") from error


def _in_wal_mode(connection: sqlite3.Connection) -> None:
    """SQLite does not wait where several processes do this at once to a new file."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _brought_up_to_date(connection: sqlite3.Connection, place: str, steps: Sequence[str]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection, place, steps)
        for step in steps[version:]:
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        if version < len(steps):
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, place: str, steps: Sequence[str]) -> int:
    """0 for an empty file."""
    application, version, tables = (
        _number(connection, query)
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application != APPLICATION and (application or version or tables):
        raise ConfigError(f"{place}: a database, but not a ledger of streamroute")
    if version > len(steps):
        raise ConfigError(
            f"{place}: a ledger of version {version}, newer than this streamroute, which knows {len(steps)}"
        )
    return version


def _number(connection: sqlite3.Connection, query: str) -> int:
    with closing(connection.execute(query)) as cursor:
        number: int = cursor.fetchone()[0]
        return number

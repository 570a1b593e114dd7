"""What is a ledger, what is not, and how an old one becomes a new one."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from streamroute.errors import ConfigError
from streamroute.gateway.ledger.schema import MEMORY, STEPS, connected, read_only

NEXT = (*STEPS, "ALTER TABLE requests ADD COLUMN colour TEXT; UPDATE requests SET colour = 'grey'")


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def test_a_new_file_is_made_for_its_owner_alone_and_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    for _ in range(2):
        with closing(connected(str(path))) as made:
            assert made.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert made.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
            assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_an_older_file_is_brought_up_to_date_with_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(connected(str(path))) as old:
        old.execute(
            "INSERT INTO requests (id, reply_id, path, route, asked, stream, started, process, state, extra_calls,"
            " extra_cost) VALUES ('a', 'b', '/', 'auto', 'auto', 1, 0, 1, 'settled', 0, 0)"
        )
    with closing(connected(str(path), steps=NEXT)) as new:
        assert new.execute("SELECT id, colour FROM requests").fetchall() == [("a", "grey")]
        assert new.execute("PRAGMA user_version").fetchone() == (len(NEXT),)


def test_a_step_that_fails_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connected(str(path)).close()
    with pytest.raises(ConfigError, match="no such table"):
        connected(str(path), steps=(*STEPS, "ALTER TABLE requests ADD COLUMN colour TEXT; DELETE FROM nowhere"))
    with closing(connected(str(path))) as still:
        assert "colour" not in columns(still, "requests")


def test_a_newer_file_is_refused_and_so_is_an_older_one_for_reading(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connected(str(path), steps=NEXT).close()
    for opener in (connected, read_only):
        with pytest.raises(ConfigError, match="newer than this streamroute, which knows 1"):
            opener(str(path))
    with pytest.raises(ConfigError, match=r"older version \(2 of 3\)"):
        read_only(path, steps=(*NEXT, "SELECT 1"))


def test_what_is_not_a_ledger_is_refused_by_name(tmp_path: Path) -> None:
    text, database = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("not a database, but long enough to be taken for one" * 40)
    with closing(sqlite3.connect(database)) as foreign:
        foreign.execute("CREATE TABLE requests (id)")
        foreign.commit()
    for opener in (connected, read_only):
        with pytest.raises(ConfigError, match=r"notes\.txt: cannot be used as a ledger: file is not a database"):
            opener(str(text))
        with pytest.raises(ConfigError, match=r"other\.db: a database, but not a ledger of streamroute"):
            opener(str(database))
    assert text.read_text().startswith("not a database")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.*cannot be opened: No such file or directory"):
        connected(str(tmp_path / "nowhere" / "ledger.db"))
    with pytest.raises(ConfigError, match="no such file"):
        read_only(tmp_path / "ledger.db")


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    connected(str(tmp_path / "ledger.db")).close()
    with (
        closing(read_only(tmp_path / "ledger.db")) as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reader.execute("DELETE FROM requests")


def test_a_ledger_in_memory_has_the_same_tables() -> None:
    with closing(connected(MEMORY)) as made:
        assert {"state", "cost"} <= columns(made, "requests")

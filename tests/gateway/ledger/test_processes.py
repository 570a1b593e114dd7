"""Several processes on one file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamroute.gateway.ledger.ledger import SqliteLedger
from tests.gateway.ledger.other_process import ALLOWED, ASKED


@contextmanager
def other(path: Path, what: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has the ledger open."""
    command = [sys.executable, "-m", "tests.gateway.ledger.other_process", str(path), what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> str:
    """What a process says and does once it is told to go on, until its end."""
    return process.communicate("go on\n", timeout=60)[0]


async def state_of(path: Path, id: str) -> str | None:
    ledger = SqliteLedger.in_file(str(path))
    found = await ledger.decision(id)
    await ledger.aclose()
    return None if found is None else found["state"]


def test_two_processes_admit_together_what_one_may(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    assert 2 * ASKED > ALLOWED
    with other(path, "admit") as first, other(path, "admit") as second:
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.write("go on\n")
            process.stdin.flush()
        admitted = [int(process.communicate(timeout=60)[0]) for process in (first, second)]
    assert sum(admitted) == ALLOWED


async def test_what_a_killed_process_left_open_is_lost_and_what_a_living_one_has_open_is_not(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with other(path, "hold") as process:
        assert await state_of(path, "held") == "open"
        process.kill()
        process.wait()
        assert await state_of(path, "held") == "lost"


async def test_a_process_that_ends_in_order_leaves_nothing_open(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with other(path, "hold") as process:
        told(process)
        assert process.returncode == 0
        assert await state_of(path, "held") == "lost"

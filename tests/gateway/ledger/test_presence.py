"""Who is alive."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamroute.gateway.ledger.presence import Presence


def test_a_number_is_alive_while_it_is_held_whoever_has_its_process_id(tmp_path: Path) -> None:
    path = str(tmp_path / "live")
    first, second = Presence(path), Presence(path)
    first.hold(1)
    assert second.lives(1, pid=-1)
    assert not second.lives(2, pid=os.getpid())
    first.close()
    assert not second.lives(1, pid=os.getpid())
    second.close()


def test_where_there_are_no_such_locks_the_process_id_has_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(fcntl, "F_OFD_SETLK")
    presence = Presence(str(tmp_path / "live"))
    presence.hold(1)
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert presence.lives(2, pid=os.getpid())
    assert presence.lives(2, pid=1)
    assert not presence.lives(2, pid=gone.pid)
    presence.close()

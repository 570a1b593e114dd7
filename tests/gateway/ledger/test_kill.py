"""A server that is killed in the middle of its work has told nobody what is not in its ledger."""

from __future__ import annotations

from pathlib import Path

from benchmarks.kill import Found, Seen, examined, killed
from streamroute.gateway.ledger.ledger import SqliteLedger
from tests.gateway.ledger.told import opened, outcome


async def test_three_kills_lose_nothing_that_a_client_was_told(tmp_path: Path) -> None:
    found = await killed(tmp_path, kills=3, clients=8, seed=7, longest=0.6)
    assert found.wrong == []
    assert found.acknowledged > 0
    assert found.states["settled"] >= found.acknowledged


async def test_a_ledger_that_differs_from_what_clients_saw_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = SqliteLedger.in_file(str(path))
    account = ledger.open(opened(id="a"))
    account.settle(outcome())
    await account.written()
    await ledger.open(opened(id="b")).written()

    found = Found()
    seen = [
        Seen("a", began=True, ended=True, status=200, tokens=(10, 6)),
        Seen("b", began=True, ended=True, status=502),
        Seen("c", began=True),
        Seen("d"),
    ]
    examined(path, seen, found)
    assert sorted(found.wrong) == [
        "a: a client was told of (10, 6) tokens, the ledger of [(10, 5)]",
        "b: a client saw it end with 502, and it is open with None",
        "b: open",
        "c: a client saw a byte of it, and it is not there",
    ]
    await ledger.aclose()

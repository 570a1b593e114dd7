"""What is told to a ledger can be read from it, by this process and by the next one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streamroute.config.server import ServerSettings
from streamroute.errors import LedgerError
from streamroute.gateway.ledger.entries import Exceeded, Limits, Standing
from streamroute.gateway.ledger.ledger import SqliteLedger, opened_ledger
from streamroute.testing import run_virtual
from tests.gateway.ledger.told import NOON, escalated, names, opened, outcome

Opener = Callable[[Path], SqliteLedger]
KINDS: dict[str, Opener] = {
    "in memory": lambda folder: SqliteLedger.in_memory(),
    "in a file": lambda folder: SqliteLedger.in_file(str(folder / "ledger.db")),
    "in a file, at once": lambda folder: SqliteLedger.in_file(str(folder / "ledger.db"), threaded=False),
}


@pytest.fixture(params=KINDS)
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[SqliteLedger]:
    made = KINDS[request.param](tmp_path)
    yield made
    await made.aclose()


@asynccontextmanager
async def kept(path: Path) -> AsyncGenerator[SqliteLedger]:
    async with opened_ledger(ServerSettings(ledger_file=str(path))) as made:
        yield made


async def test_everything_of_a_request_but_its_texts_is_told(ledger: SqliteLedger) -> None:
    entry = opened(key="alice", id="req_a", reply_id="chatcmpl-a")
    account = ledger.open(entry)
    account.settle(outcome(escalated(), shed=("probes", "hedge"), unjudged=None, error=None))
    await account.written()
    found = await ledger.decision("req_a")
    assert found is not None
    legs = found["legs"]
    assert {name: found[name] for name in ("key", "state", "status", "tier", "tier_name", "decision", "reason")} == {
        "key": "alice",
        "state": "settled",
        "status": 200,
        "tier": 1,
        "tier_name": "large",
        "decision": "escalate",
        "reason": "score above threshold",
    }
    assert (found["score"], found["entropy"], found["nli_pairs"], found["nli_seconds"]) == (0.75, 0.5, 7, 0.25)
    assert (found["first_shown"], found["first_kept"], found["decided"]) == (0.5, 0.75, 0.25)
    assert (found["cost"], found["retracted"], found["shed"]) == (1.1875, True, ["probes", "hedge"])
    assert found["evidence"]["clusters"] == [1, 2]
    assert found["evidence"]["features"]["disagreement"] == 0.5
    assert [(one["role"], one["state"], one["counted"], one["billing"], one["error"]) for one in legs] == [
        ("superseded", "cancelled", False, "unknown", None),
        ("probe", "finished", True, None, None),
        ("probe", "failed", True, None, "UpstreamStatusError 500"),
        ("answer", "finished", True, None, None),
    ]
    assert "secret" not in repr(found)
    assert await ledger.decision("chatcmpl-a") == found


async def test_a_request_is_open_until_it_is_settled_and_settled_once(ledger: SqliteLedger) -> None:
    account = ledger.open(opened(id="req_b"))
    await account.written()
    found = await ledger.decision("req_b")
    assert found is not None
    assert (found["state"], found["status"], found["legs"]) == ("open", None, [])
    account.settle(outcome(status=502, error="every_leg_failed"))
    account.settle(outcome(status=200))
    await account.written()
    found = await ledger.decision("req_b")
    assert found is not None
    assert (found["state"], found["status"], found["error"]) == ("settled", 502, "every_leg_failed")


async def test_an_id_that_clients_chose_alike_is_looked_up_by_key(ledger: SqliteLedger) -> None:
    for key, started in (("alice", NOON), ("bob", NOON + 1), (None, NOON + 2)):
        account = ledger.open(opened(id="same", key=key, started=started))
        account.settle(outcome())
        await account.written()
    assert [
        found and found["key"]
        for found in [await ledger.decision("same", key=key) for key in ("alice", "bob", "carol")]
    ] == ["alice", "bob", None]
    last = await ledger.decision("same")
    assert last is not None
    assert last["started"] == NOON + 2


async def requests(ledger: SqliteLedger) -> dict[str, float]:
    """Of the totals: how many ended how."""
    totals = [total for total in await ledger.totals() if total.name == "streamroute_requests_total"]
    return {dict(total.labels)["status"]: total.value for total in totals}


async def test_the_last_requests_come_newest_first_and_totals_are_added_up(ledger: SqliteLedger) -> None:
    accounts = [ledger.open(opened(id=f"req_{i}", started=NOON + i)) for i in range(5)]
    for i, account in enumerate(accounts):
        account.settle(outcome(status=502 if i == 2 else 200))
    for account in accounts:
        await account.written()
    assert names(await ledger.recent(3)) == ["req_4", "req_3", "req_2"]
    assert await requests(ledger) == {"2xx": 4, "5xx": 1}


async def test_what_is_not_awaited_is_written_too(tmp_path: Path) -> None:
    async with kept(tmp_path / "ledger.db") as first:
        first.open(opened(id="left")).settle(outcome(status=499))
    async with kept(tmp_path / "ledger.db") as second:
        found = await second.decision("left")
        assert found is not None
        assert (found["state"], found["status"]) == ("settled", 499)
        assert await requests(second) == {"4xx": 1}


async def test_requests_that_come_together_are_one_transaction(tmp_path: Path) -> None:
    async with kept(tmp_path / "ledger.db") as ledger:
        written: list[int] = []
        apply = ledger._store.apply

        def counted(entries: list[object]) -> None:
            written.append(len(entries))
            apply(entries)  # type: ignore[arg-type]

        ledger._store.apply = counted  # type: ignore[assignment]
        accounts = [ledger.open(opened()) for _ in range(50)]
        await asyncio.gather(*(account.written() for account in accounts))
        assert written == [50]


async def test_without_a_file_the_last_requests_are_kept_and_the_sums_go_on() -> None:
    ledger = SqliteLedger.in_memory(rows=20)
    limits = Limits(key_day=40.0)
    for i in range(200):
        account = ledger.open(opened(id=f"req_{i}", key="alice", started=NOON + 100 * i))
        account.settle(outcome())
        await account.written()
    kept_ones = await ledger.recent(1000)
    assert 20 <= len(kept_ones) <= 23
    assert names(kept_ones)[0] == "req_199"
    assert await ledger.decision("req_0") is None
    assert await requests(ledger) == {"2xx": 200}
    assert isinstance(await ledger.admit(opened(key="alice"), limits), Exceeded)
    await ledger.aclose()


async def test_what_a_limit_looks_at_is_not_forgotten() -> None:
    ledger = SqliteLedger.in_memory(rows=10)
    for i in range(100):
        ledger.open(opened(key="alice", started=NOON + i / 10)).settle(outcome())
    found = await ledger.admit(opened(key="alice", started=NOON + 10), Limits(key_requests=100))
    assert isinstance(found, Exceeded)
    await ledger.aclose()


def test_a_ledger_that_is_written_at_once_works_in_virtual_time(tmp_path: Path) -> None:
    async def main() -> str:
        ledger = SqliteLedger.in_file(str(tmp_path / "ledger.db"), threaded=False)
        account = ledger.open(opened(id="req_v"))
        account.settle(outcome())
        await account.written()
        found = await ledger.decision("req_v")
        await ledger.aclose()
        assert found is not None
        return str(found["state"])

    assert run_virtual(main) == "settled"


class Broken:
    """Makes a store's transactions fail."""

    def __init__(self, ledger: SqliteLedger, error: Exception) -> None:
        self._store, self._apply, self._error = ledger._store, ledger._store.apply, error
        self._store.apply = self._fail  # type: ignore[method-assign]

    def _fail(self, entries: object) -> None:
        raise self._error

    def mend(self) -> None:
        self._store.apply = self._apply  # type: ignore[method-assign]


@pytest.mark.parametrize("ledger", [kind for kind in KINDS if kind != "in memory"], indirect=True)
async def test_a_file_that_cannot_be_written_says_so_and_catches_up(ledger: SqliteLedger) -> None:
    broken = Broken(ledger, sqlite3.OperationalError("database or disk is full"))
    account = ledger.open(opened(id="req_f"))
    with pytest.raises(LedgerError, match="cannot be written: database or disk is full"):
        await account.written()
    with pytest.raises(LedgerError):
        await ledger.admit(opened(id="refused"), Limits())
    broken.mend()
    account.settle(outcome())
    await account.written()
    found = await ledger.decision("req_f")
    assert found is not None
    assert found["state"] == "settled"
    assert await ledger.decision("refused") is None


async def test_a_settlement_that_could_not_be_written_is_with_the_next_one(tmp_path: Path) -> None:
    async with kept(tmp_path / "ledger.db") as ledger:
        broken = Broken(ledger, sqlite3.OperationalError("locked"))
        account = ledger.open(opened(id="first"))
        account.settle(outcome())
        with pytest.raises(LedgerError):
            await account.written()
        broken.mend()
        await ledger.open(opened()).written()
        found = await ledger.decision("first")
        assert found is not None
        assert found["state"] == "settled"


async def test_one_that_can_never_be_written_does_not_keep_others_from_it(tmp_path: Path) -> None:
    async with kept(tmp_path / "ledger.db") as ledger:
        before = ledger.open(opened(id="before"))
        broken = ledger.open(opened(id="\ud800"))
        with pytest.raises(LedgerError, match="UnicodeEncodeError"):
            await broken.written()
        await ledger.open(opened(id="after")).written()
        assert await ledger.decision("before") is not None
        assert await ledger.decision("after") is not None
        before.settle(outcome())


async def test_what_is_said_to_a_closed_ledger_is_refused(ledger: SqliteLedger) -> None:
    account = ledger.open(opened())
    await ledger.aclose()
    account.settle(outcome())
    with pytest.raises(LedgerError, match="it is closed"):
        await account.written()
    with pytest.raises(LedgerError, match="it is closed"):
        await ledger.admit(opened(), Limits())


async def test_who_leaves_before_being_admitted_was_never_there(tmp_path: Path) -> None:
    async with kept(tmp_path / "ledger.db") as ledger:
        asking = asyncio.create_task(ledger.admit(opened(id="gone"), Limits()))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        await ledger.open(opened()).written()
        assert await ledger.decision("gone") is None


async def test_without_limits_all_are_admitted(ledger: SqliteLedger) -> None:
    found = await ledger.admit(opened(id="req_l", extra_calls=3), Limits())
    assert not isinstance(found, Exceeded)
    assert found[1] == Standing()
    assert await ledger.decision("req_l") is not None


async def test_it_may_be_closed_twice(ledger: SqliteLedger) -> None:
    await ledger.aclose()
    await ledger.aclose()

"""What clients are told agrees with the ledger, and waits for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamroute.errors import LedgerError
from streamroute.gateway.keys import LEDGER
from streamroute.gateway.ledger.entries import Opened, Outcome
from streamroute.gateway.ledger.ledger import SqliteLedger
from streamroute.gateway.ledger.writer import Receipt
from tests.gateway.served import QUESTION, serving, virtually

ASK: dict[str, Any] = {"model": "auto", "messages": QUESTION}


class Failing:
    """What cannot be written."""

    async def written(self) -> None:
        raise LedgerError("the ledger cannot be written: /var/ledger.db is full")


class FailsAtTheEnd(SqliteLedger):
    """Opens accounts, but cannot settle them."""

    def settle(self, seq: int, entry: Opened, outcome: Outcome) -> Receipt:
        return Failing()


def test_a_stream_whose_end_cannot_be_written_does_not_end_as_if_it_were_whole() -> None:
    async def main() -> None:
        async with serving(ledger=FailsAtTheEnd.in_memory()) as served:
            reply = await served.post(ASK | {"stream": True, "streamroute": {"release": "retract"}})
            assert reply.status == 200
            assert "[DONE]" not in reply.events
            assert reply.events[-1]["error"]["code"] == "ledger_unavailable"
            assert b"/var" not in reply.body
            assert served.log.lines[-1]["status"] == 503
            assert not served.running

    virtually(main)


def test_a_whole_reply_that_cannot_be_written_is_not_given() -> None:
    async def main() -> None:
        async with serving(ledger=FailsAtTheEnd.in_memory()) as served:
            reply = await served.post(ASK)
            assert (reply.status, reply.error["code"], reply.error["type"]) == (
                503,
                "ledger_unavailable",
                "server_error",
            )
            assert b"/var" not in reply.body

    virtually(main)


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_client_saw_end_is_on_the_disk(tmp_path: Path, stream: bool) -> None:
    async def main() -> None:
        written = SqliteLedger.in_file(str(tmp_path / "ledger.db"), threaded=False)
        async with serving(ledger=written) as served:
            await served.post(ASK | {"stream": stream}, x_request_id="mine")
            other = SqliteLedger.in_file(str(tmp_path / "ledger.db"), threaded=False)
            found = await other.decision("mine")
            assert found is not None
            assert (found["state"], found["status"], found["stream"]) == ("settled", 200, stream)
            await other.aclose()
        await written.aclose()

    virtually(main)


def test_a_gateway_that_is_given_none_keeps_one_in_memory_and_closes_it() -> None:
    async def main() -> None:
        async with serving() as served:
            await served.post(ASK, x_request_id="mine")
            ledger = served.app[LEDGER]
            assert [row["id"] for row in await ledger.recent(10)] == ["mine"]
        with pytest.raises(LedgerError, match="cannot be read"):
            await ledger.recent(10)

    virtually(main)

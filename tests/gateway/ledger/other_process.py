"""Another process on the same ledger: `python -m tests.gateway.ledger.other_process FILE WHAT`.

`admit`: on a line of the input asks 400 times for a request of alice, of whom 500 are allowed in a minute, and prints
how many were admitted. `hold`: opens a request and keeps it open until its input ends.
"""

from __future__ import annotations

import asyncio
import sys

from streamroute.gateway.ledger.entries import Exceeded, Limits
from streamroute.gateway.ledger.ledger import SqliteLedger
from tests.gateway.ledger.told import opened

ASKED, ALLOWED = 400, 500


async def admit(ledger: SqliteLedger) -> int:
    """One after the other, so that both processes are at it at the same time."""
    found = [await ledger.admit(opened(key="alice"), Limits(key_requests=ALLOWED)) for _ in range(ASKED)]
    return sum(not isinstance(one, Exceeded) for one in found)


async def main(path: str, what: str) -> None:
    ledger = SqliteLedger.in_file(path)
    if what == "hold":
        await ledger.open(opened(id="held")).written()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    if what == "admit":
        print(await admit(ledger), flush=True)
    await ledger.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

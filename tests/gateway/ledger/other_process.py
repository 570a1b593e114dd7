"""Another process on the same ledger: `python -m tests.gateway.ledger.other_process FILE WHAT`.

`admit`: on a line of the input asks 40 times for a request of alice, of whom 50 are allowed in a minute, and prints how
many were admitted. `hold`: opens a request and keeps it open until its input ends.
"""

from __future__ import annotations

import asyncio
import sys

from streamroute.gateway.ledger.entries import Exceeded, Limits
from streamroute.gateway.ledger.ledger import SqliteLedger
from tests.gateway.ledger.told import opened

ASKED, ALLOWED = 40, 50


async def admit(ledger: SqliteLedger) -> int:
    found = [ledger.admit(opened(key="alice"), Limits(key_requests=ALLOWED)) for _ in range(ASKED)]
    return sum(not isinstance(one, Exceeded) for one in await asyncio.gather(*found))


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

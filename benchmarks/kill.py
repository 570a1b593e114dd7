"""Does the ledger hold what clients were told, after the server was killed in the middle of its work?

    python -m benchmarks.kill [--kills 50] [--clients 16] [--seed 1] [--quick] [--json]

`streamroute serve` runs over two model servers of this process, which also break off and refuse; clients ask it for
streamed and whole answers, judged and not, and some leave. At a random moment it gets SIGKILL, and is started again on
the same file. Then every request that a client saw end, with `[DONE]`, a whole reply or an error, must be in the ledger
as settled, with the status and the tokens that the client saw; every one of which it saw a byte must be there at all;
none may be open; and the ledger must agree with itself. Exits with 1 where it does not, and says what is wrong.

What a kill leaves of the requests that were under way is counted: `lost`. The machine itself is not killed.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from benchmarks.figures import command, percentile, show
from benchmarks.serving import serving
from streamroute.gateway.ledger.schema import read_only

CONFIG = """
[server]
port = 0
ledger_file = "ledger.db"

[[upstream]]
name = "cheap"
kind = "openai"
base_url = "{models}"
model = "small-1"
price = {{ prompt = 1.0, completion = 2.0 }}

[[upstream]]
name = "large"
kind = "openai"
base_url = "{models}"
model = "large-1"
price = {{ prompt = 100.0, completion = 200.0 }}

[[route]]
name = "auto"
tiers = ["cheap", "large"]
probes = {{ count = 2 }}
on_uncertain = "escalate"
"""

WORDS = ("the", "capital", "of", "Australia", "is", "Canberra", "and", "not", "Sydney")
LEAVING, REFUSED, BROKEN = 0.1, 0.1, 0.1


@dataclass
class Seen:
    """What a client saw of its request. `ended` says that it saw the end of it, an error's too."""

    id: str
    began: bool = False
    ended: bool = False
    status: int | None = None
    tokens: tuple[int, int] | None = None


@dataclass
class Found:
    """What the ledgers after all kills say."""

    wrong: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    restarts: list[float] = field(default_factory=list)


# -- models -----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def models(dice: random.Random) -> AsyncGenerator[str]:
    """The address of a server of both models, which says something else, at another pace, each time."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        with suppress(ConnectionResetError):  # whoever asked was killed
            return await say(request, response)
        return response

    async def say(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        asked = await request.json()
        if dice.random() < REFUSED:
            return web.json_response({"error": {"message": "too busy", "type": "server_error"}}, status=500)
        await response.prepare(request)
        words = [dice.choice(WORDS) for _ in range(dice.randint(1, 20))]
        gap, cut = dice.uniform(0, 0.01), dice.randint(1, 20) if dice.random() < BROKEN else math.inf
        for number, word in enumerate(words):
            if number >= cut:
                assert request.transport is not None
                request.transport.abort()
                return response
            await response.write(event(asked, [{"index": 0, "delta": {"content": f" {word}"}, "finish_reason": None}]))
            await asyncio.sleep(gap)
        await response.write(event(asked, [{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        # Not the number of deltas: what is told must be what the model says.
        usage = {"prompt_tokens": 7, "completion_tokens": len(words) + 3, "total_tokens": len(words) + 10}
        await response.write(event(asked, [], usage=usage) + b"data: [DONE]\n\n")
        return response

    def event(asked: Mapping[str, Any], choices: list[Any], **more: Any) -> bytes:
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": asked["model"]}
        return b"data: " + json.dumps(chunk | {"choices": choices, **more}).encode() + b"\n\n"

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


# -- clients ----------------------------------------------------------------------------------------------------------


async def client(url: str, dice: random.Random, name: str, seen: list[Seen]) -> None:
    """Asks one thing after the other, until the server is gone."""
    number = 0
    async with aiohttp.ClientSession() as http:
        while True:
            number += 1
            one = Seen(f"{name}-{number}")
            seen.append(one)
            stream = dice.random() < 0.6
            body = {
                "model": dice.choice(["auto", "cheap", "large"]),
                "messages": [{"role": "user", "content": "What is the capital of Australia?"}],
                "stream": stream,
                "streamroute": {"release": dice.choice(["hold", "retract", "append"])},
            }
            if stream:
                body["stream_options"] = {"include_usage": True}
            leaves = dice.uniform(0, 0.1) if dice.random() < LEAVING else None
            try:
                async with asyncio.timeout(leaves):
                    await ask(http, url, body, one)
            except TimeoutError:
                pass  # left
            except (aiohttp.ClientError, ConnectionError):
                if one.status is None:
                    return  # the server is gone; a stream that broke off is asked about again, and then it is gone too


async def ask(http: aiohttp.ClientSession, url: str, body: Mapping[str, Any], one: Seen) -> None:
    async with http.post(f"{url}/v1/chat/completions", json=body, headers={"x-request-id": one.id}) as response:
        one.began, one.status = True, response.status
        if response.status != 200 or not body["stream"]:
            told = json.loads(await response.read())
            if "usage" in told:
                one.tokens = told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"]
            one.ended = True
            return
        async for line in response.content:
            data = line.removeprefix(b"data: ").strip()
            if data == b"[DONE]":
                one.ended = True
            elif data.startswith(b"{"):
                event = json.loads(data)
                if "error" in event:
                    one.ended, one.status = True, 502
                elif event.get("usage"):
                    one.tokens = event["usage"]["prompt_tokens"], event["usage"]["completion_tokens"]


# -- the ledger -------------------------------------------------------------------------------------------------------

CONSISTENT = {
    "open": "SELECT id FROM requests WHERE state = 'open'",
    "without a leg": "SELECT id FROM requests r WHERE state = 'settled' AND status = 200"
    " AND NOT EXISTS (SELECT * FROM legs WHERE request = r.seq AND role = 'answer')",
    "with a leg that runs": "SELECT id FROM requests JOIN legs ON request = seq WHERE legs.state = 'running'",
    "not as dear as its legs": "SELECT id FROM requests r WHERE state = 'settled' AND"
    " abs(cost - (SELECT total(cost) FROM legs WHERE request = r.seq)) > 1e-9",
    "lost, and yet with legs": "SELECT id FROM requests JOIN legs ON request = seq WHERE requests.state = 'lost'",
    "known by its legs alone": "SELECT request FROM legs WHERE request NOT IN (SELECT seq FROM requests)",
    "not in the money of its route": "SELECT route FROM requests WHERE state = 'settled' GROUP BY route HAVING"
    " abs(sum(cost) - (SELECT total(cost) FROM spend WHERE kind = 'route' AND name = route)) > 1e-9",
}
COUNTED = "SELECT total(value) FROM totals WHERE name = 'streamroute_requests_total'"


def examined(path: Path, seen: list[Seen], found: Found) -> None:
    """Everything that is wrong with the ledger goes into `found`."""
    with closing(read_only(path)) as ledger:
        for (said,) in ledger.execute("PRAGMA integrity_check").fetchall():
            if said != "ok":
                found.wrong.append(f"integrity: {said}")
        for what, query in CONSISTENT.items():
            found.wrong += [f"{id}: {what}" for (id,) in ledger.execute(query)]
        settled = ledger.execute("SELECT count(*) FROM requests WHERE state = 'settled'").fetchone()[0]
        counted = ledger.execute(COUNTED).fetchone()[0]
        if settled != counted:
            found.wrong.append(f"totals: {counted} requests, {settled} are settled")
        for one in seen:
            wrong = _compared(ledger, one)
            if wrong is not None:
                found.wrong.append(f"{one.id}: {wrong}")
        found.acknowledged += sum(one.ended for one in seen)
        found.states = Counter(dict(ledger.execute("SELECT state, count(*) FROM requests GROUP BY state").fetchall()))


def _compared(ledger: sqlite3.Connection, one: Seen) -> str | None:
    row = ledger.execute("SELECT seq, state, status FROM requests WHERE id = ?", (one.id,)).fetchone()
    if row is None:
        return "a client saw a byte of it, and it is not there" if one.began else None
    if not one.ended:
        return None
    seq, state, status = row
    if (state, status) != ("settled", one.status):
        return f"a client saw it end with {one.status}, and it is {state} with {status}"
    if one.tokens is None:
        return "it ended well without usage" if one.status == 200 else None
    tokens = ledger.execute(
        "SELECT prompt_tokens, completion_tokens FROM legs WHERE request = ? AND role = 'answer'", (seq,)
    ).fetchall()
    return None if tokens == [one.tokens] else f"a client was told of {one.tokens} tokens, the ledger of {tokens}"


# -- all of it --------------------------------------------------------------------------------------------------------


async def killed(folder: Path, *, kills: int, clients: int, seed: int, longest: float = 1.5) -> Found:
    """Start, load and kill a server so many times, each within `longest` seconds, and look at its ledger after each."""
    dice, found = random.Random(seed), Found()
    config = folder / "gateway.toml"
    async with models(dice) as address:
        config.write_text(CONFIG.format(models=address), encoding="utf-8")
        seen: list[Seen] = []
        for round in range(kills + 1):
            began = time.perf_counter()
            async with serving(config) as server:
                found.restarts.append(time.perf_counter() - began)
                examined(folder / "ledger.db", seen, found)  # as the new process left it, before it is asked anything
                seen = []
                if round < kills:
                    asking = [
                        asyncio.create_task(client(server.url, dice, f"{round}.{number}", seen))
                        for number in range(clients)
                    ]
                    await asyncio.sleep(dice.uniform(0.05, longest))
                    await server.end(signal.SIGKILL)
                    await asyncio.gather(*asking)
    return found


def main() -> int:
    parser = command("Kills a server in the middle of its work, and looks at its ledger.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kills = 2 if args.quick else args.kills
        found = asyncio.run(killed(Path(folder), kills=kills, clients=args.clients, seed=args.seed))
    figures = {
        "kills": kills,
        "requests": found.states.total(),
        "acknowledged": found.acknowledged,
        "settled": found.states["settled"],
        "lost": found.states["lost"],
        "start_seconds_p50": round(percentile(found.restarts, 0.5), 2),
        "inconsistencies": len(found.wrong),
    }
    show(figures, as_json=args.json)
    for wrong in found.wrong[:20]:
        print(wrong, file=sys.stderr)
    return int(bool(found.wrong))


if __name__ == "__main__":
    sys.exit(main())

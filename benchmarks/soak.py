"""A long day of the gateway in minutes: many requests, some broken upstream, some left by their client.

    python -m benchmarks.soak [--requests 20000] [--concurrent 200] [--workers 1] [--json] [--quick]

Real processes: model servers that fail in 5 % of the scenes (`benchmarks.faulty`), `streamroute serve` before them with
a ledger file, and this client, who leaves 5 % of the requests in some phase. Answers are numbers, so that the judge
needs no model and the gateway itself is what is borne upon. Asked half of the route (held or shown), half of one tier;
three in four streamed. Then it is counted:

- `unfinished`: replies that ended without `[DONE]`, an error frame or an error status. Must be none.
- `unaccounted`: replies that are not in the ledger, or with other tokens than the client saw. Must be none.
- `open_upstream`, `open_requests`, `running_legs`: what is still open after the end. Must be none.
- `kb_per_1000_requests`: the slope of the server's memory over the second half of the run.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.figures import command, show
from benchmarks.gateway.processes import resident_bytes, tree
from benchmarks.serving import serving, started

__all__ = ("main",)

CONFIG = """
[server]
port = 0
workers = {workers}
ledger_file = "ledger.sqlite"
[[upstream]]
name = "small"
kind = "openai"
base_url = "{url}"
model = "small"
timeouts = {{ first = 3.0, between = 2.0 }}
[[upstream]]
name = "large"
kind = "openai"
base_url = "{url}"
model = "large"
timeouts = {{ first = 3.0, between = 2.0 }}
[[route]]
name = "auto"
tiers = ["small", "large"]
decision_deadline = 5.0
probes = {{ count = 2, temperature = 1.25, max_tokens = 40 }}
"""
LEAVES = 0.05


@dataclass
class Seen:
    """What the client made of one request."""

    id: str
    end: str = "left"
    words: int = 0
    streamed: bool = True


@dataclass
class Day:
    requests: int
    seen: list[Seen] = field(default_factory=list)
    memory: list[tuple[int, int]] = field(default_factory=list)
    """(requests begun, bytes resident)"""


async def ask(session: aiohttp.ClientSession, url: str, number: int) -> Seen:
    rng = random.Random(f"client {number}")
    model = rng.choice(("auto", "auto", "small", "large"))
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": f"{number} is what?"}]}
    seen = Seen(f"soak-{number}", streamed=rng.random() < 0.75)
    if seen.streamed:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        if model == "auto" and rng.random() < 0.5:
            body["streamroute"] = {"release": "retract"}
    leaves = rng.random() < LEAVES
    limit = rng.random() * 0.15 if leaves else 120.0
    try:
        async with asyncio.timeout(limit), session.post(url, json=body, headers={"x-request-id": seen.id}) as response:
            if seen.streamed and response.status == 200:
                await _read_stream(response, seen)
            else:
                reply = await response.json()
                seen.end = "whole" if response.status == 200 else f"status {response.status}"
                if response.status == 200:
                    seen.words = len(reply["choices"][0]["message"]["content"].split())
    except TimeoutError:
        seen.end = "left" if leaves else "hung"
    except aiohttp.ClientError as error:
        seen.end = f"broken: {type(error).__name__}"
    return seen


async def _read_stream(response: aiohttp.ClientResponse, seen: Seen) -> None:
    seen.end = "unfinished"
    async for line in response.content:
        if not line.startswith(b"data: "):
            continue
        if line == b"data: [DONE]\n":
            seen.end = "done"
            continue
        chunk = json.loads(line[6:])
        if "error" in chunk:
            seen.end = "error frame"
            continue
        if (chunk.get("streamroute") or {}).get("event") == "retracted":
            seen.words = 0
        for choice in chunk["choices"]:
            seen.words += len((choice["delta"].get("content") or "").split())


async def load(url: str, day: Day, concurrent: int, pid: int) -> None:
    numbers = iter(range(day.requests))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def client() -> None:
            for number in numbers:
                if number % max(1, day.requests // 100) == 0:
                    day.memory.append((number, resident_bytes(pid)))
                day.seen.append(await ask(session, f"{url}/v1/chat/completions", number))

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrent):
                group.create_task(client())


def open_files(pid: int) -> int:
    return sum(1 for one in tree(pid) for _ in Path(f"/proc/{one}/fd").iterdir())


def configured(folder: Path, url: str, workers: int) -> Path:
    file = folder / "gateway.toml"
    file.write_text(CONFIG.format(url=url, workers=workers))
    return file


class Log:
    """How many lines of each level the gateway logged; the first three errors are shown."""

    def __init__(self) -> None:
        self.lines = Counter[str]()
        self._shown = 0

    def heard(self, line: bytes) -> None:
        if not line.startswith(b"{"):
            return
        entry = json.loads(line)
        level = entry.get("level", "?")
        self.lines[level] += 1
        if level in ("error", "critical") and self._shown < 3:
            self._shown += 1
            print(entry.get("exception", line.decode())[-3000:], file=sys.stderr)


async def run(requests: int, concurrent: int, workers: int) -> dict[str, object]:
    day, log = Day(requests), Log()
    pipe = asyncio.subprocess.PIPE
    with tempfile.TemporaryDirectory() as folder:
        async with started("benchmarks.faulty", stdin=pipe, stdout=pipe) as models:
            assert models.stdout is not None
            port = int(await models.stdout.readline())
            config = configured(Path(folder), f"http://127.0.0.1:{port}/v1", workers)
            async with serving(config, log.heard) as server:
                pid = server.process.pid
                files = open_files(pid)
                began = time.perf_counter()
                await load(server.url, day, concurrent, pid)
                seconds = time.perf_counter() - began
                stats = await quiet(server.url, f"http://127.0.0.1:{port}/stats")
                left_open = open_files(pid) - files
                status = await server.end(signal.SIGTERM)
        ledger = in_ledger(Path(folder, "ledger.sqlite"))
    return figures(day, ledger, stats, log.lines) | {
        "seconds": round(seconds, 1),
        "requests_per_second": round(requests / seconds),
        "files_left_open": left_open,
        "exit_status": status,
    }


async def quiet(url: str, stats_url: str) -> dict[str, int]:
    """The model servers' counts once neither they nor the gateway answer anything, after ten seconds at most."""
    stats: dict[str, int] = {}
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            async with session.get(stats_url) as one, session.get(f"{url}/healthz") as other:
                stats = await one.json()
                stats["running"] = (await other.json())["running"]
            if stats["open"] == 0 and stats["running"] == 0:
                break
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)  # idle connections of a client that is gone are closed by then
    return stats


def in_ledger(path: Path) -> dict[str, tuple[str, int, int | None]]:
    """By request: its state, how many legs still run, and the tokens of the answer that stands."""
    with sqlite3.connect(path) as ledger:
        rows = ledger.execute(
            "select r.id, r.state, (select count(*) from legs l where l.request = r.seq and l.state = 'running'),"
            " (select l.completion_tokens from legs l where l.request = r.seq and l.role = 'answer') from requests r"
        )
        return {id: (state, running, tokens) for id, state, running, tokens in rows}


def figures(
    day: Day, ledger: dict[str, tuple[str, int, int | None]], stats: dict[str, int], lines: Counter[str]
) -> dict[str, object]:
    ends = Counter(seen.end for seen in day.seen)
    finished = [seen for seen in day.seen if seen.end in ("done", "whole")]
    late = [point for point in day.memory if point[0] >= day.requests / 2]
    slope = statistics.linear_regression(*zip(*late, strict=True)).slope if len(late) > 2 else 0.0
    told = [seen for seen in day.seen if seen.end not in ("left", "hung") and not seen.end.startswith("broken")]
    return {
        "requests": day.requests,
        "ends": dict(sorted(ends.items())),
        "unfinished": sum(n for end, n in ends.items() if end in ("unfinished", "hung") or end.startswith("broken")),
        "unaccounted": sum(ledger.get(seen.id, ("", 0, 0))[0] != "settled" for seen in told),
        "other_tokens": sum(ledger[seen.id][2] != seen.words for seen in finished if seen.id in ledger),
        "in_ledger": len(ledger),
        "open_requests": sum(state == "open" for state, _, _ in ledger.values()),
        "running_legs": sum(running for _, running, _ in ledger.values()),
        "upstream": stats,
        "open_upstream": stats["open"],
        "errors_logged": lines["error"] + lines["critical"],
        "mb_at_start_middle_end": [round(day.memory[i][1] / 1e6, 1) for i in (0, len(day.memory) // 2, -1)],
        "kb_per_1000_requests": round(slope, 1),
    }


def main() -> int:
    parser = command("20,000 requests, some broken, some left: what is unaccounted, open or grown afterwards.")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--concurrent", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    found = asyncio.run(run(300 if args.quick else args.requests, args.concurrent, args.workers))
    show(found, as_json=args.json)
    bad = ("unfinished", "unaccounted", "other_tokens", "open_requests", "running_legs", "open_upstream")
    return int(any(found[name] for name in bad))


if __name__ == "__main__":
    sys.exit(main())

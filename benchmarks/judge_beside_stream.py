"""What the reader of a running stream notices of the judge: lag of the event loop, and gaps between chunks.

    python -m benchmarks.judge_beside_stream [--seconds 10] [--rounds 3] [--judging 8] [--json]

One event loop serves a scripted stream of 50 words a second, and in turn, each round, nothing beside it (`quiet`) and
verdicts without a pause (`judging`): `--judging` at once, on a model that is never idle and remembers nothing. `lag` is
by how much a sleep of one millisecond is late; `gap` the time between two chunks, 20 ms where all is well. `growth` is
the second less the first. The maxima show single stalls, which percentiles by count hide. The loop is asyncio's own,
whose timers are whole milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from itertools import pairwise

from benchmarks import verdicts
from benchmarks.figures import command, milliseconds, show
from streamroute.nli.batcher import EntailmentWorker
from streamroute.testing import Script, ScriptedUpstream
from streamroute.uncertainty.judge import SemanticEntropy
from streamroute.upstreams.base import ChatRequest

STEP = 0.001
PACE = 0.02


class Watched:
    """Seconds of lag and between chunks under one condition, and how long it held."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self.gaps: list[float] = []
        self.seconds = 0.0

    async def watch(self, seconds: float) -> None:
        began = time.perf_counter()
        lagging = asyncio.create_task(self._lag(began))
        try:
            await self._stream(seconds)
        finally:
            lagging.cancel()
            await asyncio.wait([lagging])
        self.seconds += time.perf_counter() - began

    async def _lag(self, began: float) -> None:
        while True:
            try:
                await asyncio.sleep(STEP)
            finally:  # the last step, too: the stream may end in the first moment that a stalled loop has
                now = time.perf_counter()
                self.lags.append(max(0.0, now - began - STEP))
                began = now

    async def _stream(self, seconds: float) -> None:
        script = Script.of(" ".join(["word"] * round(seconds / PACE)), first=PACE, gap=PACE)
        request = ChatRequest(messages=({"role": "user", "content": "Go on."},))
        stamps = [time.perf_counter()]  # the first chunk, too, is due 20 ms after what was before it
        async with ScriptedUpstream(script).stream(request) as deltas:
            stamps += [time.perf_counter() async for delta in deltas if delta.has_content]
        self.gaps += [later - earlier for earlier, later in pairwise(stamps)]

    def figures(self, name: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for kind, values in (("lag", self.lags), ("gap", self.gaps)):
            found |= milliseconds(f"{name}_{kind}", values, upper=99)
            found[f"{name}_{kind}_ms_max"] = round(1000 * max(values), 2)
        return found


class Judging:
    """Verdicts without a pause, `many` at once. `done` counts them."""

    def __init__(self, worker: EntailmentWorker, many: int) -> None:
        self._judge = SemanticEntropy(worker)
        self._rows = verdicts.routes(64)
        self._many = many
        self.done = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        tasks = [asyncio.create_task(self._judge_on(i)) for i in range(self._many)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _judge_on(self, i: int) -> None:
        while True:
            for row in self._rows[i :: self._many]:
                await verdicts.verdict(self._judge, row)
                self.done += 1


async def measure(args: argparse.Namespace) -> dict[str, object]:
    rounds, seconds = (1, 1.0) if args.quick else (args.rounds, args.seconds)
    worker = verdicts.uncached(verdicts.bundled_model())
    judging, quiet, beside = Judging(worker, args.judging), Watched(), Watched()
    await Watched().watch(10 * PACE)  # whatever is only slow the first time
    for _ in range(rounds):
        for watched, load in ((quiet, nullcontext()), (beside, judging.running())):
            async with load:
                await watched.watch(seconds)
    busy = worker.stats.busy_seconds
    await worker.aclose()
    before, after = quiet.figures("quiet"), beside.figures("judging")
    growth = {
        f"growth_{kind}_ms_p99": round(after[f"judging_{kind}_ms_p99"] - before[f"quiet_{kind}_ms_p99"], 2)
        for kind in ("lag", "gap")
    }
    return {
        "rounds": rounds,
        "seconds_a_round": seconds,
        "judging_at_once": args.judging,
        "verdicts_per_second": round(judging.done / beside.seconds, 1),
        "model_busy_share": round(busy / beside.seconds, 2),
        **before,
        **after,
        **growth,
    }


def main() -> None:
    parser = command("Lag of the event loop and gaps of a stream, with and without verdicts beside it.")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each condition in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--judging", type=int, default=8, help="verdicts at once")
    args = parser.parse_args()
    found = asyncio.run(measure(args))
    show(found, as_json=args.json)


if __name__ == "__main__":
    main()

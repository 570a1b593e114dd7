"""How much of the model's own speed 64 verdicts at once get out of it, and how long they take.

    python -m benchmarks.judge_load [--routes 64] [--rounds 5] [--max-queued 1024] [--json]

First every pair that the verdicts ask for is noted. Then, in turn, each round: the model alone compares them on this
thread, in calls of one size after the other, the best of which is the peak; and all verdicts are asked for at once,
through one worker that remembers nothing. No two of them compare the same texts.

`share_of_peak`: pairs per second of the verdicts over the peak of the same round, median over rounds. `latency`: from
the question to the verdict, with 64 that start in one moment: the worst case, for all wait for each other. `shed`:
verdicts refused for want of room, with a queue of `--max-queued` pairs and with the `default` one.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks import verdicts
from benchmarks.figures import command, milliseconds, show
from streamroute.errors import ScorerOverloaded
from streamroute.nli.batcher import EntailmentWorker
from streamroute.nli.model import CrossEncoder
from streamroute.uncertainty.base import Pair, Relations
from streamroute.uncertainty.judge import SemanticEntropy

SIZES = (4, 8, 16, 32, 64)


class Recording:
    """The bundled model, and all pairs that it was asked for."""

    def __init__(self, model: CrossEncoder) -> None:
        self.model = model
        self.pairs: list[Pair] = []

    def relations(self, pairs: Sequence[Pair]) -> list[Relations]:
        self.pairs += pairs
        return self.model.relations(pairs)


class Load(NamedTuple):
    """What came of verdicts that were asked for at once: `rate` in pairs per second."""

    rate: float
    latencies: list[float]
    shed: int
    merged: int


async def asked_for(model: CrossEncoder, rows: Sequence[verdicts.Row]) -> list[Pair]:
    recording = Recording(model)
    worker = verdicts.uncached(recording)
    for row in rows:
        await verdicts.verdict(SemanticEntropy(worker), row)
    await worker.aclose()
    return recording.pairs


def alone(model: CrossEncoder, pairs: Sequence[Pair], size: int) -> float:
    """Pairs per second in calls of `size` pairs."""
    began = time.perf_counter()
    for i in range(0, len(pairs), size):
        model.relations(pairs[i : i + size])
    return len(pairs) / (time.perf_counter() - began)


async def together(worker: EntailmentWorker, rows: Sequence[verdicts.Row]) -> Load:
    judge, latencies, shed = SemanticEntropy(worker), [], 0

    async def one(row: verdicts.Row) -> None:
        nonlocal shed
        began = time.perf_counter()
        try:
            await verdicts.verdict(judge, row)
        except ScorerOverloaded:
            shed += 1
        else:
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for row in rows:
            group.create_task(one(row))
    seconds = time.perf_counter() - began
    stats = worker.stats
    await worker.aclose()
    return Load(stats.served / seconds, latencies, shed, stats.cache_hits)


async def measure(args: argparse.Namespace) -> dict[str, object]:
    rounds, sizes = (1, SIZES[2:3]) if args.quick else (args.rounds, SIZES)
    rows, model = verdicts.routes(args.routes), verdicts.bundled_model()
    pairs = await asked_for(model, rows)
    peaks: list[dict[int, float]] = []
    loads: list[Load] = []
    for _ in range(rounds):
        peaks.append({size: alone(model, pairs, size) for size in sizes})
        loads.append(await together(verdicts.uncached(model, max_queued=args.max_queued), rows))
    crowded = await together(EntailmentWorker(model), rows)
    latencies = [seconds for load in loads for seconds in load.latencies]
    best = max(sizes, key=lambda size: statistics.median(peak[size] for peak in peaks))
    shares = [load.rate / max(peak.values()) for load, peak in zip(loads, peaks, strict=True)]
    return {
        "model": model.spec.name,
        "threads": model.spec.threads,
        "routes": len(rows),
        "rounds": rounds,
        "pairs_per_verdict": round(len(pairs) / len(rows), 2),
        "peak_pairs_per_second": round(statistics.median(max(peak.values()) for peak in peaks), 1),
        "peak_pairs_a_call": best,
        "together_pairs_per_second": round(statistics.median(load.rate for load in loads), 1),
        "share_of_peak": round(statistics.median(shares), 3),
        "verdicts_per_second": round(statistics.median(load.rate for load in loads) * len(rows) / len(pairs), 1),
        **(milliseconds("latency", latencies) if latencies else {}),
        "shed": sum(load.shed for load in loads),
        "merged_pairs": sum(load.merged for load in loads),
        "default_shed": crowded.shed,
        **(milliseconds("default_latency", crowded.latencies) if crowded.latencies else {}),
    }


def main() -> None:
    parser = command("Many verdicts at once against the model's own peak.")
    parser.add_argument("--routes", type=int, default=64, help="verdicts at once, at most 64")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--max-queued", type=int, default=1_024, help="pairs that may wait (64 verdicts all find room)")
    args = parser.parse_args()
    found = asyncio.run(measure(args))
    show(found, as_json=args.json)


if __name__ == "__main__":
    main()

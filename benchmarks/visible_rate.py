"""How fast a visible answer streams while five probes run beside it, as a share of its rate alone.

    python -m benchmarks.visible_rate [--model NAME_OR_GGUF] [--probes 5] [--rounds 5] [--tokens 96] [--json]

Needs the extra `local` and the model (`streamroute models pull smollm2-135m-instruct`). Every round times one answer
alone and one with probes, in turn, so that a machine that is busy otherwise disturbs both alike; probes are asked
again as soon as they are finished, which is worse than any route does. Also measured: the answer's first token, and how
the same load does on one shared instance (`--shared`), the arrangement that `LocalUpstream` avoids.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple

from benchmarks.figures import command, show
from streamroute.upstreams.base import ChatRequest, Message
from streamroute.upstreams.local import LocalUpstream

SYSTEM: Message = {"role": "system", "content": "You are a helpful assistant."}
STORY = "Write a long story about a sailor who finds an island."


class Answer(NamedTuple):
    """`rate` in tokens per second after the first token, which came after `first` seconds."""

    rate: float
    first: float


async def answer(upstream: LocalUpstream, round_: int, tokens: int) -> Answer:
    """Time one answer of exactly `tokens` tokens to a prompt that is not in the cache."""
    messages = (SYSTEM, {"role": "user", "content": f"{round_}. {STORY}"})
    params = {"max_tokens": tokens, "temperature": 0.8, "seed": round_, "ignore_eos": True}
    begun = time.perf_counter()
    async with upstream.stream(ChatRequest(messages=messages, params=params)) as deltas:
        stamps = [time.perf_counter() async for delta in deltas if delta.has_content]
    return Answer((len(stamps) - 1) / (stamps[-1] - stamps[0]), stamps[0] - begun)


@asynccontextmanager
async def probing(upstream: LocalUpstream, count: int, *, shared: bool) -> AsyncGenerator[list[float]]:
    """Keep `count` probes running; the yielded list gets one time stamp per probe token."""
    messages = (SYSTEM, {"role": "user", "content": STORY})
    params = {"max_tokens": 96, "temperature": 1.0, "ignore_eos": True}
    request = ChatRequest(messages=messages, params=params, n=count, probe=not shared)
    stamps: list[float] = []
    running = asyncio.Event()

    async def keep_asking() -> None:
        while True:
            async with upstream.stream(request) as deltas:
                async for delta in deltas:
                    if delta.has_content:
                        stamps.append(time.perf_counter())
                        running.set()

    task = asyncio.create_task(keep_asking())
    await running.wait()
    stamps.clear()
    try:
        yield stamps
    finally:
        task.cancel()
        await asyncio.wait([task])


async def measure(args: argparse.Namespace) -> dict[str, object]:
    rounds, tokens = (1, 16) if args.quick else (args.rounds, args.tokens)
    settings = {} if args.niceness is None else {"probe_niceness": args.niceness}
    upstream = LocalUpstream.from_manifest(args.model, threads=args.threads, slots=1 + args.probes, **settings)
    alone, beside, probe_rates = [], [], []
    try:
        await upstream.start(probes=not args.shared)
        await answer(upstream, 0, 8)
        for round_ in range(1, rounds + 1):
            alone.append(await answer(upstream, 2 * round_, tokens))
            async with probing(upstream, args.probes, shared=args.shared) as stamps:
                begun = time.perf_counter()
                beside.append(await answer(upstream, 2 * round_ + 1, tokens))
                probe_rates.append(len(stamps) / (time.perf_counter() - begun))
    finally:
        await upstream.aclose()
    solo = statistics.median(one.rate for one in alone)
    kept = statistics.median(one.rate for one in beside)
    return {
        "model": upstream.model,
        "probes": args.probes,
        "shared_instance": args.shared,
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "tokens_per_second_alone": round(solo, 1),
        "tokens_per_second_with_probes": round(kept, 1),
        "share_kept": round(kept / solo, 2),
        "first_token_ms_alone": round(1000 * statistics.median(one.first for one in alone)),
        "first_token_ms_with_probes": round(1000 * statistics.median(one.first for one in beside)),
        "probe_tokens_per_second": round(statistics.median(probe_rates), 1),
    }


def main() -> None:
    parser = command("The visible stream's rate beside running probes.")
    parser.add_argument("--model", default="smollm2-135m-instruct", help="a manifest name or a GGUF file")
    parser.add_argument("--probes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--threads", type=int, default=None, help="threads of each instance (default: half the cores)")
    parser.add_argument("--niceness", type=int, default=None, help="of the probes' threads (default: LocalUpstream's)")
    parser.add_argument("--shared", action="store_true", help="probes and answer on one instance, to compare")
    args = parser.parse_args()
    found = asyncio.run(measure(args))
    show(found, as_json=args.json)


if __name__ == "__main__":
    main()

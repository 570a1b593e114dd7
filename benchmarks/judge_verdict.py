"""What one verdict costs, beside two networks that are asked about every pair of texts, one at a time.

    python -m benchmarks.judge_verdict [--repeats 5] [--large-pairs 3] [--json]

A verdict is on a finished answer of about twenty words and five samples of it. Measured on one thread, of the judge as
it ships but without the memory of its worker:

`streaming`: the samples come one by one, and each is judged as it comes; the sum over the five evaluations.
`after_last`: the last of them alone, which is what a reader waits for after the last sample.
`at_once`: all samples in one evaluation.

Compared in turn with them, row by row, so that a machine that is busy otherwise disturbs all alike:

`small`: the judge's network in fp32, one pair of texts after the other, both ways: 30 passes for six texts.
`large`: one of the size of DeBERTa-large, timed for a few of the 30 passes (`--large-pairs`) and multiplied.

Percentiles are over rows and repeats (of `large`: over rows; it has one repeat). CPU time is the whole process's, in
which nothing else runs. `shipped_one_pass` and `small_one_pass` compare the int8 file with its shape in fp32: one row
of tokens in one run. A pass is one row of tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
from tokenizers import Tokenizer

from benchmarks import verdicts
from benchmarks.encoder import LARGE, MINILM_L6, Encoder
from benchmarks.figures import command, milliseconds, percentile, show
from streamroute.nli.encoding import PairEncoder, Row
from streamroute.nli.manifest import ModelSpec
from streamroute.nli.model import CrossEncoder
from streamroute.uncertainty.base import Pair, Relations
from streamroute.uncertainty.judge import SemanticEntropy


class Stopwatch:
    """Seconds of wall and of CPU time under each name."""

    def __init__(self) -> None:
        self.wall: defaultdict[str, list[float]] = defaultdict(list)
        self.cpu: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def time(self, name: str, *, times: float = 1) -> Iterator[None]:
        """Notes what the body takes, `times` over."""
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.wall[name].append(times * (time.perf_counter() - wall))
        self.cpu[name].append(times * (time.process_time() - cpu))

    def figures(self, *names: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for name in names:
            found |= milliseconds(f"{name}_wall", self.wall[name]) | milliseconds(f"{name}_cpu", self.cpu[name])
        return found


class Counting:
    """The bundled model, and how many pairs it has compared."""

    def __init__(self, model: CrossEncoder) -> None:
        self.model = model
        self.pairs = 0

    def relations(self, pairs: Sequence[Pair]) -> list[Relations]:
        self.pairs += len(pairs)
        return self.model.relations(pairs)


async def streaming(judge: SemanticEntropy, row: verdicts.Row, watch: Stopwatch) -> None:
    session, samples = judge.session(row.question), verdicts.samples(row)
    with watch.time("streaming"):
        for seen in range(1, len(samples)):
            await session.evaluate(
                answer=row.answer, answer_finished=True, samples=samples[:seen], expected=len(samples)
            )
        with watch.time("after_last"):
            await session.evaluate(answer=row.answer, answer_finished=True, samples=samples, expected=len(samples))


def every_pair(encoder: PairEncoder, row: verdicts.Row) -> list[Row]:
    """A row of tokens for each ordered pair of texts."""
    return encoder.rows([Pair(row.question, a, b) for a, b in itertools.combinations(row.texts, 2)])


def one_by_one(network: Encoder, rows: Sequence[Row]) -> None:
    for row in rows:
        network.run(row.ids, row.types)


def one_way(spec: ModelSpec) -> PairEncoder:
    """The bundled tokenizer before a network of one direction a pass."""
    tokenizer = Tokenizer.from_file(str(spec.tokenizer))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    cls, sep = tokenizer.encode("", add_special_tokens=True).ids

    def tokenise(text: str) -> Sequence[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    return PairEncoder(tokenise, cls=cls, sep=sep, directions=1, max_tokens=spec.max_tokens)


async def measure(args: argparse.Namespace) -> dict[str, object]:
    rows = verdicts.read(2 if args.quick else None)
    repeats, sampled = (1, min(1, args.large_pairs)) if args.quick else (args.repeats, args.large_pairs)
    model = Counting(verdicts.bundled_model())
    spec = model.model.spec
    worker, tokens, watch = verdicts.uncached(model), one_way(spec), Stopwatch()
    judge = SemanticEntropy(worker)
    passes: list[int] = []
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        small = Encoder(MINILM_L6, Path(first), threads=spec.threads)
        large = Encoder(LARGE, Path(second), threads=spec.threads) if sampled else None
        warm = every_pair(tokens, rows[0])[:1]
        for network in filter(None, (small, large)):
            one_by_one(network, warm)
        await verdicts.verdict(judge, rows[0])
        for repeat, row in itertools.product(range(repeats), rows):
            before = model.pairs
            await streaming(judge, row, watch)
            passes.append((model.pairs - before) * 2 // spec.directions)
            with watch.time("at_once"):
                await verdicts.verdict(judge, row)
            with watch.time("small"):
                one_by_one(small, every_pair(tokens, row))
            pairs = every_pair(tokens, row)
            if large and repeat == 0:
                few = pairs[:: -(-len(pairs) // sampled)][:sampled]
                with watch.time("large", times=len(pairs) / len(few)):
                    one_by_one(large, few)
            with watch.time("shipped_one_pass", times=spec.directions / 2):
                model.model.relations([Pair("", row.answer, row.samples[0])])
            with watch.time("small_one_pass", times=1 / 2):
                one_by_one(small, pairs[:2])
    await worker.aclose()
    compared = ("small", "large") if large else ("small",)
    texts = len(rows[0].texts)
    needed = texts * (texts - 1)
    return {
        "model": spec.name,
        "threads": spec.threads,
        "rows": len(rows),
        "repeats": repeats,
        **watch.figures("streaming", "after_last", "at_once"),
        "passes_per_verdict_mean": round(statistics.mean(passes), 2),
        "passes_per_verdict_p95": percentile(passes, 0.95),
        "directions_per_pass": spec.directions,
        "directed_pairs_of_all": needed,
        "share_of_passes": round(statistics.mean(passes) / needed, 3),
        **watch.figures(*compared),
        "large_passes_timed": sampled,
        **{f"{name}_over_streaming_{clock}": _ratio(times[name], times["streaming"])
           for name in compared for clock, times in (("wall", watch.wall), ("cpu", watch.cpu))},
        **watch.figures("shipped_one_pass", "small_one_pass"),
        "shipped_million_parameters": _millions(_weights(spec.path)),
        "small_million_parameters": _millions(small.parameters),
        "large_million_parameters": _millions(large.parameters) if large else None,
    }  # fmt: skip


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return round(percentile(ours, 0.5) / percentile(theirs, 0.5), 1)


def _weights(path: Path) -> int:
    """Numbers in the matrices and vectors of a model file, its scales and zero points left out."""
    tensors = onnx.load(path).graph.initializer
    return sum(
        int(onnx.numpy_helper.to_array(tensor).size)
        for tensor in tensors
        if not tensor.name.endswith(("_scale", "_zero_point"))
    )


def _millions(count: int) -> float:
    return round(count / 1e6, 1)


def main() -> None:
    parser = command("What one verdict costs, beside asking a network about every pair.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--large-pairs", type=int, default=3, help="passes of the large network a row; 0: without it")
    args = parser.parse_args()
    found = asyncio.run(measure(args))
    show(found, as_json=args.json)


if __name__ == "__main__":
    main()

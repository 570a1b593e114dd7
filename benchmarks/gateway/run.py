"""The figures of the gateway beside those of its peers, in one run, each beside its bar."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import command
from benchmarks.gateway import racers
from benchmarks.gateway.load import LEAVING
from benchmarks.gateway.processes import resident_bytes
from benchmarks.gateway.racers import Racer

MOST_SECONDS = 120.0
"""That one measure may take: a peer may never answer."""

Found = dict[str, dict[str, float]]
"""By figure, then by racer."""


def asked(measure: str, racer: Racer, **flags: object) -> Mapping[str, Any]:
    """What a client process measured. Raises `ChildProcessError`."""
    try:
        done = subprocess.run(
            _command(measure, racer, **flags), check=False, capture_output=True, text=True, timeout=MOST_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise ChildProcessError(f"{measure} of {racer.name} does not end") from error
    if done.returncode:
        raise ChildProcessError(f"{measure} of {racer.name}: {done.stderr[-1000:]}")
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def _command(measure: str, racer: Racer, **flags: object) -> list[str]:
    named = [part for flag, value in flags.items() for part in (f"--{flag}", str(value))]
    return [sys.executable, "-m", "benchmarks.gateway.load", measure, racer.url, racer.model, *named]


def once(racer: Racer, upstream: str, *, quick: bool) -> dict[str, float]:
    """One round of all that is measured again and again."""
    seconds = 1.0 if quick else 4.0
    found = {"first token, 1 stream, ms": 1000 * asked("first", racer, requests=20 if quick else 200)["first"]}
    streams = 16 if quick else 128
    told = asked("crowd", racer, streams=streams, requests=2 if quick else 4)
    found |= {f"first token, {streams} streams, {p}, ms": 1000 * told[p] for p in ("p50", "p99")}
    told = asked("whole", racer, streams=32, seconds=seconds, pid=racer.pid)
    found["whole replies a second, 32 connections"] = told["rate"]
    if racer.pid:
        found["CPU a whole reply, microseconds"] = 1e6 * told["seconds"]
        told = asked("chunk", racer, streams=16 if quick else 64, seconds=2 * seconds, pid=racer.pid)
        found["CPU a paced chunk, microseconds"] = 1e6 * told["seconds"]
        told = asked("leave", racer, upstream=upstream)
        found |= {f"upstream closed, {phase}, ms": 1000 * told[phase] for phase in LEAVING}
    return found


def per_stream(racer: Racer, *, quick: bool) -> float:
    """Kilobytes of memory for each more of idle streams."""
    few, many = (10, 30) if quick else (100, 400)
    with subprocess.Popen(
        _command("idle", racer), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        sizes = []
        for count in (few, many):
            client.stdin.write(f"{count}\n")
            client.stdin.flush()
            client.stdout.readline()
            sizes.append(resident_bytes(racer.pid))
        client.stdin.close()
        client.wait()
    return (sizes[1] - sizes[0]) / (many - few) / 1024


def measure(upstream: str, chosen: list[Racer], *, rounds: int, quick: bool) -> Found:
    """Medians of rounds in which every racer takes its turn."""
    values: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(rounds):
        for racer in chosen:
            try:
                seen = once(racer, upstream, quick=quick)
            except ChildProcessError as error:
                print(error, file=sys.stderr)  # what it told in other rounds stands
                continue
            for figure, value in seen.items():
                values[figure][racer.name].append(value)
    found = {
        figure: {name: statistics.median(seen) for name, seen in by_racer.items()}
        for figure, by_racer in values.items()
    }
    found["memory an idle stream, KB"] = {racer.name: per_stream(racer, quick=quick) for racer in chosen if racer.pid}
    found["start, s"] = {racer.name: racer.started for racer in chosen if racer.pid}
    return found


@contextmanager
def racing(peers: Path | None, only: Collection[str], skipped: dict[str, str]) -> Iterator[tuple[str, list[Racer]]]:
    """The model server and all that can be started before it; `skipped` gets why the others cannot."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(racers.model_server(folder))
        chosen = [Racer("direct", f"{upstream}/v1/chat/completions", "small")]
        chosen += stack.enter_context(racers.bare(folder, upstream))
        chosen += stack.enter_context(racers.streamroute(folder, upstream))
        for name, peer in (("litellm", racers.litellm), ("tensorzero", racers.tensorzero)):
            if only and name not in only:
                continue
            if peers is None:
                skipped[name] = "no --peers"
                continue
            try:
                started = stack.enter_context(peer(folder, upstream, peers))
                asked("first", started[0])
            except (OSError, TimeoutError) as error:
                skipped[name] = str(error)
            else:
                chosen += started
        yield upstream, chosen


# -- bars -------------------------------------------------------------------------------------------------------------


def bars(found: Found) -> list[dict[str, object]]:
    """Each promise: what was reached, what was promised, and whether it was kept."""
    told: list[dict[str, object]] = []

    def bar(says: str, reached: float | None, limit: float | None, *, least: bool = False) -> None:
        if reached is None or limit is None:
            return
        kept = reached >= limit if least else reached <= limit
        told.append({"bar": says, "reached": round(reached, 3), "limit": round(limit, 3), "kept": kept})

    def of(figure: str, racer: str) -> float | None:
        return next((by[racer] for name, by in found.items() if name.startswith(figure) and racer in by), None)

    def ratio(figure: str, racer: str, other: str) -> float | None:
        ours, theirs = of(figure, racer), of(figure, other)
        return None if ours is None or not theirs else ours / theirs

    cpu = "CPU a paced chunk"
    bar("CPU a paced chunk, passed, times bare", ratio(cpu, "passed", "bare"), 1.15)
    bar("CPU a paced chunk, passed, times TensorZero", ratio(cpu, "passed", "tensorzero"), 1.0)
    bar("CPU a paced chunk, decoded, times bare", ratio(cpu, "decoded", "bare"), 1.3)
    first = "first token, 1 stream"
    direct, ours, plain = of(first, "direct"), of(first, "passed"), of(first, "bare")
    if direct is not None and ours is not None and plain is not None:
        bar("added to the first token, ms", ours - direct, 0.6)
        bar("added to the first token, times bare", (ours - direct) / (plain - direct), 1.3)
    crowd = next((name for name in found if name.endswith("p99, ms")), "")
    bar("p99 of many streams, times bare", ratio(crowd, "passed", "bare"), 2.0)
    bar("p99 of many streams, LiteLLM's times ours", ratio(crowd, "litellm", "passed"), 20.0, least=True)
    bar("whole replies a second, times bare", ratio("whole", "passed", "bare"), 0.7, least=True)
    bar("whole replies a second, times LiteLLM", ratio("whole", "passed", "litellm"), 50.0, least=True)
    bar("memory an idle stream, KB", of("memory", "passed"), 60.0)
    bar("start, s", of("start", "passed"), 1.5)
    for racer in ("passed", "decoded"):
        for phase in LEAVING:
            bar(f"upstream closed, {phase}, {racer}, ms", of(f"upstream closed, {phase}", racer), 20.0)
    return told


def show(found: Found, told: list[dict[str, object]], skipped: Mapping[str, str]) -> None:
    names = list(dict.fromkeys(name for by in found.values() for name in by))
    print(f"{'':44}" + "".join(f"{name:>12}" for name in names))
    for figure, by in found.items():
        print(f"{figure:44}" + "".join(f"{by[name]:12.2f}" if name in by else f"{'':12}" for name in names))
    print()
    for one in told:
        print(
            f"{one['bar']!s:52}{one['reached']!s:>10}  bar {one['limit']!s:>6}  {'kept' if one['kept'] else 'MISSED'}"
        )
    for name, reason in skipped.items():
        print(f"{name} is left out: {reason}")


def main() -> None:
    parser = command("The gateway's overhead beside a bare pass-through and its peers.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", type=Path, metavar="VENV", help="a venv with `litellm[proxy]` and `tensorzero`")
    parser.add_argument("--only", nargs="*", metavar="RACER", help="these racers alone, and the model server itself")
    args = parser.parse_args()
    skipped: dict[str, str] = {}
    with racing(args.peers, args.only or (), skipped) as (upstream, started):
        chosen = [racer for racer in started if not args.only or racer.name in ("direct", *args.only)]
        found = measure(upstream, chosen, rounds=1 if args.quick else args.rounds, quick=args.quick)
    told = bars(found)
    if args.json:
        print(json.dumps({"figures": found, "bars": told, "left_out": skipped}))
    else:
        show(found, told, skipped)

"""Scale on paper: what a fleet of routes does that shares its judging cores, in virtual time, on the real core.

    python -m benchmarks.fleet RECORDS [--judged FILE] [--rate R ...] [--requests N] [--cores C] [--json]

RECORDS are routes recorded in full, as `streamroute replay` takes them. They are judged first, and what the judge says
is kept in the file of `--judged`. Legs take the times that their rows have; where a row has none, `--copies` of it are
made of the stated times, each leg with a log-normal spread (`--sigma`) around them. A pair takes one core as long as
pairs of these records took here, in CPU time (or `--pair-ms`); a question costs its route 5 ms beside, on no such core.
`refused` and `withdrawn` are shares of the questions that need a core, and their delay has no end.

For each rate of requests a second: `sized` has the least number of judging cores with which 95 % of the questions that
need one wait at most 100 ms, for their turn and for those that run with them. Then, at the last rate: `bursts`, five
times as dense in a tenth of the time (`--burst-s` at once), on the same cores; `short`, on four fifths of the cores
that would always be busy; `shedding`, on these too, but without probes while the judge is 100 ms behind. With `--cores`
it is that many, and nothing else.

Prices: a generated token of the large model is 10 $ a million, one of the cheap model 1/5, 1/15 or 1/50 of that; a
token of a prompt costs a quarter of a generated one. Probes, hedges and whatever else was for nothing are counted.
Models take as long as their records say, however many streams are open: what is looked at is the judge.
"""

from __future__ import annotations

import argparse
import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from benchmarks import records
from benchmarks.figures import command, milliseconds, show
from streamroute.cli.eval import load_model
from streamroute.errors import StreamrouteError
from streamroute.evaluation.simulation.arrivals import bursty, poisson
from streamroute.evaluation.simulation.fleet import Fleet, Request, Shedding, requests_of
from streamroute.evaluation.simulation.judging import Bench, PairQueue
from streamroute.evaluation.simulation.legs import RecordedRoute
from streamroute.evaluation.simulation.sizing import least
from streamroute.evaluation.simulation.stepping import JudgeOf
from streamroute.evaluation.simulation.systems import SYSTEMS, Settings, run_system, system
from streamroute.evaluation.simulation.tally import EVEN, Tally
from streamroute.evaluation.simulation.timings import JudgePace, Timings
from streamroute.evaluation.simulation.traces import read_routes
from streamroute.nli.jobs import BATCH_PAIRS
from streamroute.nli.manifest import chosen_model

Arrivals = Callable[[float, Random], Iterator[float]]
RATIOS = (5, 15, 50)
LARGE_DOLLARS = 10.0
QUEUED = 256  # pairs a core, as `EntailmentWorker` has it
PATIENCE, SHORT = 0.1, 0.8
TIMED_ROWS = 40
QUICK_ROWS, QUICK_REQUESTS = 12, 1_000


class World(NamedTuple):
    """What all scenarios have in common. `pairs`: seconds that a pair takes a core, each as likely."""

    requests: Sequence[Request]
    judge: JudgeOf
    pairs: Sequence[float]
    verdict: float
    together: int
    apart: bool
    urgent: bool
    seed: int


class Scenario(NamedTuple):
    name: str
    rate: float
    cores: int
    arrivals: Arrivals = poisson
    shedding: Shedding = Shedding()


def served(world: World, scenario: Scenario, requests: int) -> tuple[Fleet, Tally]:
    tally, draw = Tally(), Random(world.seed).choices

    def seconds(pairs: int) -> float:
        return sum(draw(world.pairs, k=pairs))

    count, each = (scenario.cores, 1) if world.apart else (1, scenario.cores)
    benches = [Bench(each, PairQueue(QUEUED * each, together=world.together), seconds) for _ in range(count)]
    fleet = Fleet(
        world.requests,
        benches,
        world.judge,
        verdict=world.verdict,
        shedding=scenario.shedding,
        urgent=world.urgent,
        seed=world.seed,
        heard=tally.add,
    )
    fleet.run(islice(scenario.arrivals(scenario.rate, Random(world.seed + 1)), requests))
    return fleet, tally


def figures(world: World, scenario: Scenario, requests: int) -> dict[str, object]:
    began = time.perf_counter()
    fleet, tally = served(world, scenario, requests)
    took, delays = time.perf_counter() - began, fleet.delays
    found: dict[str, object] = {
        "scenario": scenario.name,
        "rate": scenario.rate,
        "came": round(tally.requests / max(fleet.seconds, 1e-9), 1),
        "requests": tally.requests,
        "streams_peak": fleet.streams.peak,
        "streams_mean": round(fleet.mean_streams, 1),
        "judging_cores": scenario.cores,
        "utilisation": round(fleet.utilisation, 3),
    }
    for share in (50, 95, 99):
        delay = delays.percentile(share / 100)
        found[f"delay_ms_p{share}"] = None if delay is None else round(1000 * delay, 1)
    asked = max(len(delays), 1)
    found |= {"refused": round(fleet.refused / asked, 4), "withdrawn": round(fleet.withdrawn / asked, 4)}
    found |= {name: None if value is None else round(value, 4) for name, value in tally.figures().items()}
    questions = tally.figures()["questions"] or 0.0
    found["cores_beside_judging"] = round(scenario.rate * questions * world.verdict, 2)
    found |= dollars(tally)
    return {**found, "simulated_in_s": round(took, 1)}


def dollars(tally: Tally) -> dict[str, float]:
    """A million requests, of which so much for nothing: a large token is a millionth of its price."""
    return {
        f"{what}_1_to_{ratio}": round(LARGE_DOLLARS * of(ratio))
        for what, of in (("dollars_a_million", tally.cost), ("for_nothing", tally.waste))
        for ratio in RATIOS
    }


def scenarios(world: World, args: argparse.Namespace) -> Iterator[Scenario]:
    """Each is looked for when its turn comes."""
    bursts = partial(bursty, seconds=args.burst_s)
    arrivals: Arrivals = bursts if args.arrivals == "bursty" else poisson
    backlog = None if args.shed_backlog_ms is None else args.shed_backlog_ms / 1000
    shedding = Shedding(streams=args.shed_streams, backlog=backlog)
    if args.cores is not None:
        yield from (Scenario("given", rate, args.cores, arrivals, shedding) for rate in args.rate)
        return
    rate, cores, busy = 0.0, 1, 0.0
    for rate in args.rate:
        busy = offered(world, rate)
        cores = enough(world, rate, arrivals, busy, args.requests)
        yield Scenario("sized", rate, cores, arrivals, shedding)
    few = max(1, math.floor(SHORT * busy))
    yield Scenario("bursts", rate, cores, bursts)
    yield Scenario("short", rate, few)
    yield Scenario("shedding", rate, few, shedding=Shedding(backlog=PATIENCE))


def offered(world: World, rate: float) -> float:
    """Cores that are busy on average where there are so many that no question waits."""
    _, tally = served(world._replace(apart=False), Scenario("ample", rate, 10_000_000), 500)
    pairs = tally.figures()["pairs"]
    assert pairs is not None
    return rate * pairs * statistics.fmean(world.pairs)


def enough(world: World, rate: float, arrivals: Arrivals, busy: float, requests: int) -> int:
    """The least number of cores with which a question seldom waits longer than one has patience."""

    def patient(cores: int) -> bool:
        fleet, _ = served(world, Scenario("", rate, cores, arrivals), requests)
        delay = fleet.delays.percentile(0.95)
        return delay is not None and delay <= PATIENCE

    return least(patient, max(1, math.floor(busy)))


def alone(name: str, routes: Sequence[RecordedRoute], judge: JudgeOf) -> dict[str, object]:
    """What one of the two models comes to by itself."""
    tally = Tally()
    for outcome in run_system(system(name, Settings()), routes, judge, EVEN, JudgePace()):
        tally.add(outcome)
    found = tally.figures()
    kept = {key: found[key] for key in ("quality", "ttfkt_s_p50", "ttfkt_s_p95")}
    return {"scenario": name, **{k: None if v is None else round(v, 4) for k, v in kept.items()}, **dollars(tally)}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    rows, left_out = read_routes(Path(args.records), limit=QUICK_ROWS if args.quick else args.limit)
    routes = [RecordedRoute.of(row, Timings()) for row in rows]
    load = cache(lambda: load_model(chosen_model(None, None)))
    pairs = records.timed(rows[:TIMED_ROWS], args.probes, load()) if args.pair_ms is None else [args.pair_ms / 1000]
    various = records.varied(rows, routes, args.sigma, args.copies, args.seed)
    served_by = system(args.system, Settings(probes=args.probes, threshold=args.threshold, deadline=args.deadline))
    if args.quick:
        args.rate, args.requests = args.rate[:1], min(args.requests, QUICK_REQUESTS)
    with records.judged(routes, load, probes=args.probes, file=args.judged) as judge:
        world = World(
            requests_of(served_by, various),
            judge,
            pairs,
            verdict=Timings().judge.verdict,
            together=args.together,
            apart=args.apart,
            urgent=not args.by_arrival,
            seed=args.seed,
        )
        return {
            "records": len(rows),
            "left_out": left_out,
            "recorded_times": sum(row.cheap.timing is not None for row in rows),
            "system": args.system,
            "pairs_timed": len(pairs) if args.pair_ms is None else 0,
            "pair_ms_mean": round(1000 * statistics.fmean(pairs), 2),
            **milliseconds("pair", pairs),
            "large_dollars_a_million_tokens": LARGE_DOLLARS,
            "alone": [alone(name, various, judge) for name in ("always-cheap", "always-large")],
            "scenarios": [figures(world, scenario, args.requests) for scenario in scenarios(world, args)],
        }


def table(columns: Sequence[Mapping[str, object]]) -> None:
    """A line for each figure, a column for each scenario."""
    for key in dict.fromkeys(key for column in columns for key in column):
        values = ("" if key not in column else "never" if column[key] is None else column[key] for column in columns)
        print(f"{key.replace('_', ' '):28}", *(f"{value!s:>13}" for value in values))


def main() -> None:
    parser = command("What a fleet of routes does that shares its judging cores, in virtual time.")
    parser.add_argument("records", metavar="RECORDS", help="routes recorded in full")
    parser.add_argument("--judged", metavar="FILE", help="what the judge said, read and written")
    parser.add_argument("--limit", type=int, help="only so many of the records")
    parser.add_argument("--requests", type=int, default=50_000, help="in each scenario")
    parser.add_argument("--rate", type=float, nargs="+", default=[10, 100, 1000], help="requests a second")
    parser.add_argument("--cores", type=int, help="judging cores; without it the least number that is enough")
    parser.add_argument("--arrivals", choices=("poisson", "bursty"), default="poisson")
    parser.add_argument("--burst-s", type=float, default=2.0, help="how long a burst is, on average")
    parser.add_argument("--system", choices=SYSTEMS, default="retract")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--probes", type=int, default=5)
    parser.add_argument("--deadline", type=float, default=2.5, help="seconds until a verdict falls by itself")
    parser.add_argument("--sigma", type=float, default=0.3, help="of the logarithm of a stated time")
    parser.add_argument("--copies", type=int, default=4, help="of each record without times of its own")
    parser.add_argument("--pair-ms", type=float, help="what a pair takes a core, instead of what it takes here")
    parser.add_argument("--together", type=int, default=BATCH_PAIRS, help="pairs of several questions in one run")
    parser.add_argument("--apart", action="store_true", help="a queue for each core, as separate processes have")
    parser.add_argument("--by-arrival", action="store_true", help="questions are not told their deadline")
    parser.add_argument("--shed-streams", type=int, help="no probes while so many streams are open")
    parser.add_argument("--shed-backlog-ms", type=float, help="no probes while the judge is so far behind")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    gc.disable()  # routes form no cycles, and ten thousand of them are much to look through in vain
    try:
        found = measure(args)
    except StreamrouteError as error:
        parser.error(str(error))
    if args.json:
        show(found, as_json=True)
        return
    show({key: value for key, value in found.items() if not isinstance(value, list)}, as_json=False)
    print()
    table([*found["scenarios"], *found["alone"]])


if __name__ == "__main__":
    main()

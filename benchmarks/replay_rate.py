"""How many recorded routes a second are simulated under another policy, and where the time goes.

    python -m benchmarks.replay_rate [--rounds 5] [--json]

One process, one thread; all evidence is known beforehand. 200 routes with answers of one to three sentences and five
probes, half of them escalated, in each release mode.
"""

from __future__ import annotations

import statistics
import time

from benchmarks.report import command, show
from streamroute.core.actions import Score
from streamroute.core.cascade import Cascade
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Threshold
from streamroute.core.types import Evidence, Release
from streamroute.evaluation.rows import CheapLeg, LargeLeg, RoutingRow
from streamroute.evaluation.simulation.legs import Asked, RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing
from streamroute.evaluation.simulation.simulate import simulate
from streamroute.evaluation.simulation.timings import Timings

ROUTES = 200
PROBES = 5
SENTENCE = "The capital of Norway is the city of Oslo, in the south-east of the country."


def route(number: int) -> RecordedRoute:
    cheap = CheapLeg(
        answer=" ".join([SENTENCE] * (1 + number % 3)),
        samples=[SENTENCE[: 20 + 7 * (number + i) % 50] for i in range(PROBES)],
    )
    return RecordedRoute.of(RoutingRow(str(number), "Capital of Norway?", cheap, LargeLeg(SENTENCE)), Timings())


def judge(route: RecordedRoute, asked: Asked, action: Score) -> Evidence:
    """Nothing is certain before the last probe, so that every probe counts."""
    samples = len(asked.probes)
    return Evidence(
        samples=samples,
        expected=asked.expected,
        score=0.9 if int(route.id) % 2 else 0.1,
        answer_cluster=0,
        nli_pairs=2 * samples,
    )


def measure(rounds: int) -> dict[str, object]:
    routes, billing = [route(number) for number in range(ROUTES)], Billing.of_ratio(15)
    found: dict[str, object] = {"events_per_route": round(events_per_route(routes, billing), 1)}
    for release in Release:
        plan = Plan(tiers=(ProbeSchedule(count=PROBES), None), policy=Threshold(), release=release)
        rates = []
        for _ in range(rounds + 1):  # the first one asks the judge
            began = time.perf_counter()
            for each in routes:
                simulate(each, plan, judge, billing)
            rates.append(ROUTES / (time.perf_counter() - began))
        found[f"routes_per_second_{release}"] = round(statistics.median(rates[1:]))
    return found


def events_per_route(routes: list[RecordedRoute], billing: Billing) -> float:
    """How often the core is asked for each route that is retracted or kept."""
    calls = 0
    receive = Cascade.receive

    def counted(*args: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        return receive(*args, **named)  # type: ignore[arg-type]

    plan = Plan(tiers=(ProbeSchedule(count=PROBES), None), release=Release.RETRACT)
    Cascade.receive = counted  # type: ignore[method-assign, assignment]
    try:
        for each in routes:
            simulate(each, plan, judge, billing)
    finally:
        Cascade.receive = receive  # type: ignore[method-assign]
    return calls / len(routes)


def main() -> None:
    parser = command("Recorded routes a second that are simulated.")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    show(measure(1 if args.quick else args.rounds), as_json=args.json)


if __name__ == "__main__":
    main()

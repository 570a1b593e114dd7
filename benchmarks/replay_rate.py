"""How many recorded routes a second are simulated under another policy, and where the time goes.

    python -m benchmarks.replay_rate [--rounds 5] [--json]

One process, one thread; all evidence is known beforehand. 200 routes with answers of one to three sentences and five
probes, half of them escalated. Rates are of processor time. `core alone`: the same events fed to the core without the
simulator around it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from unittest import mock

from benchmarks.figures import command, show
from streamroute.core.actions import Action, Score
from streamroute.core.cascade import Cascade
from streamroute.core.events import Event
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Threshold
from streamroute.core.types import Evidence, Release
from streamroute.evaluation.rows import CheapLeg, LargeLeg, RoutingRow
from streamroute.evaluation.simulation.legs import Asked, RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing
from streamroute.evaluation.simulation.simulate import simulate
from streamroute.evaluation.simulation.timings import Timings

T = TypeVar("T")

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
    found: dict[str, object] = {}
    for release in (Release.HOLD, Release.RETRACT, Release.APPEND):
        plan = Plan(tiers=(ProbeSchedule(count=PROBES), None), policy=Threshold(), release=release)
        simulated = partial(simulate, plan=plan, judge=judge, billing=billing)
        found[f"routes_per_second_{release}"] = round(rate(simulated, routes, rounds))
    heard = [events_of(each, plan, billing) for each in routes]
    found["events_per_route"] = round(statistics.mean(map(len, heard)), 1)
    found["routes_per_second_core_alone"] = round(rate(partial(decide, plan), heard, rounds))
    return found


def rate(each: Callable[[T], object], items: Sequence[T], rounds: int) -> float:
    """Median items a second of processor time, so that what else the machine does counts less."""
    rates = []
    for _ in range(rounds + 1):
        began = time.process_time()
        for item in items:
            each(item)
        rates.append(len(items) / (time.process_time() - began))
    return statistics.median(rates[1:])  # the first one asks the judge


def events_of(route: RecordedRoute, plan: Plan, billing: Billing) -> list[tuple[float, Event]]:
    """What the core hears in a simulation."""
    heard: list[tuple[float, Event]] = []
    receive = Cascade.receive

    def listening(self: Cascade, event: Event, *, now: float) -> tuple[Action, ...]:
        heard.append((now, event))
        return receive(self, event, now=now)

    with mock.patch.object(Cascade, "receive", listening):
        simulate(route, plan, judge, billing)
    return heard


def decide(plan: Plan, heard: Sequence[tuple[float, Event]]) -> None:
    """The core's own part of a simulation."""
    cascade = Cascade(plan)
    for now, event in heard:
        cascade.receive(event, now=now)
        if cascade.judged_tier is not None:
            cascade.next_deadline()


def main() -> None:
    parser = command("Recorded routes a second that are simulated.")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    show(measure(1 if args.quick else args.rounds), as_json=args.json)


if __name__ == "__main__":
    main()

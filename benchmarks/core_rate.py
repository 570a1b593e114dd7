"""How many recorded routes a second the core decides anew, and what one event costs.

    python -m benchmarks.core_rate [--rounds 5] [--json]

One process, one thread, no I/O: a route of 20 deltas, 5 probes judged as they come, and an escalation with 20 more.
"""

from __future__ import annotations

import statistics
import time

from benchmarks.figures import command, show
from streamroute.core.events import AnswerFinished, DeltaReceived, Event, EvidenceReceived, ProbeFinished, RouteStarted
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Threshold
from streamroute.core.trace import Trace, replay
from streamroute.core.types import Delta, Evidence, Leg, Sample

ROUTES = 2_000
PROBES = 5


def route() -> Trace:
    events: list[tuple[float, Event]] = [(0.0, RouteStarted())]
    events += [(0.1 + i / 100, DeltaReceived(Leg(0), Delta(" word"))) for i in range(20)]
    events.append((0.4, AnswerFinished(Leg(0))))
    for i in range(PROBES):
        found = Evidence(samples=i + 1, expected=PROBES, score=0.5 + i / 10, answer_cluster=0)
        events += [
            (0.5 + i / 10, ProbeFinished(Leg(0, i), Sample("word"))),
            (0.51 + i / 10, EvidenceReceived(0, found)),
        ]
    events += [(1.0 + i / 100, DeltaReceived(Leg(1), Delta(" word"))) for i in range(20)]
    events.append((1.3, AnswerFinished(Leg(1))))
    return Trace(events)


def measure(rounds: int) -> dict[str, object]:
    trace, plan = route(), Plan(tiers=(ProbeSchedule(count=PROBES), None), policy=Threshold(0.6))
    rates = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(ROUTES):
            replay(trace, plan)
        rates.append(ROUTES / (time.perf_counter() - began))
    rate = statistics.median(rates)
    return {
        "events_per_route": len(trace.events),
        "routes_per_second": round(rate),
        "microseconds_per_event": round(1e6 / rate / len(trace.events), 2),
    }


def main() -> None:
    parser = command("Routes per second that the core decides anew from recorded events.")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    found = measure(1 if args.quick else args.rounds)
    show(found, as_json=args.json)


if __name__ == "__main__":
    main()

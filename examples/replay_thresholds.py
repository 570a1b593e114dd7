"""A researcher's loop: what would other thresholds have done with the routes that were recorded?

    for q in "Why is the sky blue?" "What is 17 times 6?"; do streamroute ask --json "$q"; done > routes.jsonl
    python examples/replay_thresholds.py routes.jsonl

A recorded route was cut short by its own verdict, so record with `--threshold 1` to have every probe judged to the end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import streamroute as sr
from streamroute.core.actions import Score
from streamroute.core.plan import Plan, ProbeSchedule


class Outcome(NamedTuple):
    """At one threshold: the share of routes escalated, and the mean seconds to the verdict."""

    limit: float
    escalated: float
    decided: float


def load_traces(lines: Iterable[str]) -> list[sr.Trace]:
    """The traces in the lines that `streamroute ask --json` prints."""
    return [sr.Trace.loads(json.dumps(json.loads(line)["trace"])) for line in lines if line.strip()]


def sweep(traces: Sequence[sr.Trace], limits: Iterable[float], *, probes: int = 5) -> list[Outcome]:
    """Replay every trace at every limit. Nothing is generated or judged again: the core only decides anew."""
    outcomes = []
    for limit in limits:
        plan = Plan(tiers=(ProbeSchedule(count=probes), None), policy=sr.Threshold(limit), decision_deadline=None)
        replays = [sr.replay(trace, plan) for trace in traces]
        escalated = [replay.cascade.tier > 0 for replay in replays]
        decided = [_decided(replay.actions) for replay in replays]
        outcomes.append(Outcome(limit, sum(escalated) / len(traces), sum(decided) / len(traces)))
    return outcomes


def _decided(actions: Sequence[tuple[float, object]]) -> float:
    """When the last judgement was asked for: the verdict follows from its answer."""
    return max((at for at, action in actions if isinstance(action, Score)), default=0.0)


if __name__ == "__main__":
    recorded = load_traces(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
    print(f"{len(recorded)} routes\n limit  escalated  last judgement")
    for outcome in sweep(recorded, [step / 20 for step in range(1, 20)]):
        print(f"{outcome.limit:6.2f} {outcome.escalated:10.0%} {outcome.decided:12.2f} s")

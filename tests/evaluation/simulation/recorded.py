"""Small recorded routes, and a judge whose scores are written beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from streamroute.core.actions import Score
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Threshold
from streamroute.core.types import Evidence
from streamroute.errors import ScorerError
from streamroute.evaluation.rows import CheapLeg, LargeLeg, RoutingRow, Timing
from streamroute.evaluation.simulation.legs import Asked, RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing
from streamroute.evaluation.simulation.timings import JudgePace, Pace, Timings
from streamroute.testing import ScriptedScorer, run_virtual

# Ten tokens a second, so that moments are round: cheap from .3 s, large from 1 s.
TIMINGS = Timings(
    cheap=Pace(first=0.3, rate=10), large=Pace(first=1.0, rate=10), judge=JudgePace(verdict=0.03, pair=0.01)
)
BILLING = Billing.of_ratio(10, prompt=0)


def row(answer: str = "It is Rome.", large: str | None = "It is Oslo.", **cheap: Any) -> RoutingRow:
    """Two probes that end at .4 and .6 s, unless `samples` and `sample_timings` say else."""
    cheap.setdefault("samples", ["Rome.", "Oslo."])
    cheap.setdefault("sample_timings", [Timing(0.2, 0.4 + 0.2 * i, 3) for i in range(len(cheap["samples"]))])
    cheap.setdefault("correct", False)
    return RoutingRow(
        id="r1",
        question="Capital of Norway?",
        cheap=CheapLeg(answer=answer, **cheap),
        large=None if large is None else LargeLeg(answer=large, correct=True),
    )


def route(answer: str = "It is Rome.", large: str | None = "It is Oslo.", **cheap: Any) -> RecordedRoute:
    return RecordedRoute.of(row(answer, large, **cheap), TIMINGS)


def plan(limit: float = 0.5, *, probes: int = 2, **settings: Any) -> Plan:
    settings.setdefault("decision_deadline", None)
    return Plan(
        tiers=(ProbeSchedule(count=probes, wave=settings.pop("wave", None)), None), policy=Threshold(limit), **settings
    )


@dataclass
class Written:
    """A `JudgeOf` that gives `scores[i]` after i + 1 samples, and has compared `pairs` for each of them. Nothing is
    certified before the last. `asked` are the questions it got; it fails at those that are `broken`."""

    scores: Sequence[float] = (0.9, 0.9)
    pairs: int = 2
    broken: bool = False
    asked: list[Asked] = field(default_factory=list)

    def __call__(self, route: RecordedRoute, asked: Asked, action: Score) -> Evidence:
        self.asked.append(asked)
        if self.broken:
            raise ScorerError("broken")
        samples = len(asked.probes)
        return Evidence(
            samples=samples,
            expected=asked.expected,
            score=self.scores[samples - 1],
            answer_cluster=0 if asked.characters else None,
            nli_pairs=self.pairs * samples,
        )


def scripted(route: RecordedRoute, asked: Asked, action: Score) -> Evidence:
    """What a `ScriptedScorer` says."""

    async def evaluate() -> Evidence:
        return await ScriptedScorer(delay=0).evaluate(
            answer=action.answer,
            answer_finished=action.answer_finished,
            samples=action.samples,
            expected=action.expected,
        )

    return run_virtual(evaluate)


def about(value: Any) -> Any:
    """Equal up to rounding; of no type, so that tuples that hold it can be compared."""
    return pytest.approx(value)

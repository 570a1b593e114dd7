"""The systems of a record set side by side: the real core over recorded legs, in money and in the reader's seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.reporting.settings import Settings
from streamroute.config.settings import Policy as PolicyName
from streamroute.core.plan import AutoRelease
from streamroute.evaluation.judged import with_samples
from streamroute.evaluation.rows import RoutingRow
from streamroute.evaluation.simulation.evidence import BlockingJudge, judge_all
from streamroute.evaluation.simulation.legs import RecordedRoute
from streamroute.evaluation.simulation.outcome import Outcome
from streamroute.evaluation.simulation.summary import summarise
from streamroute.evaluation.simulation.systems import SYSTEMS, System, auto_of, run_system, system
from streamroute.evaluation.simulation.systems import Settings as Common
from streamroute.evaluation.simulation.timings import Timings
from streamroute.nli.batcher import BlockingModel
from streamroute.uncertainty.combine import most_probes

__all__ = ("systems_of",)

STOPPING: tuple[PolicyName, ...] = ("stopping-table", "adaptive-consistency", "esc", "sprt", "cascade-routing")
"""Policies that are shown beside the fixed number of probes, one probe at a time."""
TOLD = (
    "quality",
    "escalated",
    "cost",
    "waste",
    "ttft_p50",
    "ttfkt_p50",
    "ttfkt_p95",
    "ttfkt_kept_p50",
    "ttfkt_escalated_p50",
    "retracted",
    "probes",
    "nli_pairs",
)
QUANTILES = tuple(i / 20 for i in range(21))


def systems_of(rows: Sequence[RoutingRow], model: BlockingModel, settings: Settings) -> list[dict[str, Any]]:
    """Of each system its figures with intervals, costs in those of always-large, and the quantiles of its time to the
    first kept token. `rows` are paired and have samples."""
    timings, billing = Timings(), settings.billing
    probes = min(settings.samples, *(len(row.cheap.samples) for row in rows))
    routes = [RecordedRoute.of(with_samples(row, probes), timings) for row in rows]
    common = Common(threshold=settings.threshold, prices=billing.prices, probes=probes, deadline=settings.deadline)
    one_by_one = replace(common, wave=1)
    with BlockingJudge(lambda: model, most_probes=most_probes(probes)) as judge:
        for each in (common, one_by_one):
            judge_all(routes, each.schedule(), judge, timings.judge)

        def run(made: System) -> list[Outcome]:
            return run_system(made, routes, judge, billing, timings.judge)

        outcomes = {name: run(system(name, common)) for name in SYSTEMS if name != "auto"}
        expected = auto_of(outcomes["retract"], AutoRelease().annoyance)
        outcomes["auto"] = run(system("auto", replace(common, auto=expected)))
        for policy in STOPPING:
            made = system("hold", replace(one_by_one, policy=policy))
            outcomes[f"hold, {policy}"] = run(made)
    reference = summarise(outcomes["always-large"], resamples=1).value("cost")
    assert reference
    return [_told(name, found, reference, settings.resamples) for name, found in outcomes.items()]


def _told(name: str, outcomes: Sequence[Outcome], reference: float, resamples: int) -> dict[str, Any]:
    summary = summarise(outcomes, resamples=resamples)
    figures: dict[str, list[float] | None] = {}
    for figure in TOLD:
        found = summary.figures[figure]
        scale = reference if figure in ("cost", "waste") else 1.0
        figures[figure] = None if found is None else [found.value / scale, found.low / scale, found.high / scale]
    kept = np.array([each.first_kept for each in outcomes if each.first_kept is not None])
    return {"system": name, **figures, "kept_quantiles": [float(q) for q in np.quantile(kept, QUANTILES)]}

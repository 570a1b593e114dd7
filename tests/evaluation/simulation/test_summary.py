from __future__ import annotations

import json
from typing import Any

import pytest

from streamroute.core.types import Release
from streamroute.evaluation.simulation.outcome import Outcome
from streamroute.evaluation.simulation.simulate import simulate
from streamroute.evaluation.simulation.summary import FIGURES, Estimate, summarise
from tests.evaluation.simulation.recorded import BILLING, TIMINGS, Written, plan, route

KEPT = simulate(route(correct=True), plan(release=Release.RETRACT), Written((0.1, 0.1)), BILLING, TIMINGS.judge)
SWITCHED = simulate(route(), plan(release=Release.RETRACT), Written((0.9, 0.9)), BILLING, TIMINGS.judge)


def test_means_are_over_all_routes() -> None:
    found = summarise([KEPT, SWITCHED, SWITCHED, SWITCHED])
    assert found.n == 4
    assert found.value("escalated") == found.value("retracted") == 0.75
    assert found.value("cost") == pytest.approx((KEPT.cost + 3 * SWITCHED.cost) / 4)
    assert found.value("wasted_cheap") == pytest.approx(0.75 * 3)
    assert found.value("probes") == 2


def test_waiting_is_told_apart_by_what_was_kept() -> None:
    found = summarise([KEPT, SWITCHED, SWITCHED, SWITCHED])
    assert (found.value("ttft_p95"), found.value("ttfkt_kept_p95")) == (0.3, 0.3)
    assert found.value("ttfkt_p50") == found.value("ttfkt_escalated_p50") == pytest.approx(1.65)
    assert found.value("after_verdict_p50") == pytest.approx(1.0)
    assert found.figures["ttfkt_kept_p50"] == Estimate(0.3, 0.3, 0.3, 1)


def test_percentiles_are_values_that_occur() -> None:
    outcomes = [KEPT._replace(decided=float(i)) for i in range(1, 21)]
    found = summarise(outcomes)
    assert (found.value("verdict_p50"), found.value("verdict_p95")) == (10.0, 19.0)


def test_what_no_route_has_is_none() -> None:
    found = summarise([KEPT])
    assert found.figures["ttfkt_escalated_p50"] is None
    assert found.figures["hedge_won"] is None
    assert summarise([KEPT._replace(correct=None)]).figures["quality"] is None


@pytest.mark.parametrize(
    ("outcomes", "quality"),
    [
        ([KEPT, SWITCHED], 1.0),
        ([KEPT._replace(correct=False), SWITCHED], 0.5),
        ([KEPT._replace(correct=None), SWITCHED], 1.0),  # nobody said
        ([KEPT._replace(correct=None, failed=True), SWITCHED], 0.5),  # no answer is not right
    ],
)
def test_quality_is_the_share_of_right_answers_among_the_labelled(outcomes: list[Outcome], quality: float) -> None:
    assert summarise(outcomes).value("quality") == quality


def test_hedges_are_counted_and_so_are_those_that_were_worth_it() -> None:
    hedged: dict[str, Any] = {"hedged": True}
    found = summarise([KEPT._replace(**hedged), SWITCHED._replace(**hedged, hedge_won=True), KEPT, KEPT])
    assert (found.value("hedged"), found.value("hedge_won")) == (0.5, 0.5)


def test_intervals_hold_the_value_and_narrow_with_more_routes() -> None:
    few, many = summarise([KEPT, SWITCHED] * 10), summarise([KEPT, SWITCHED] * 200)
    widths = []
    for found in (few, many):
        estimate = found.figures["escalated"]
        assert estimate is not None
        assert estimate.low < estimate.value == 0.5 < estimate.high
        widths.append(estimate.high - estimate.low)
    assert widths[1] < widths[0] / 3
    assert summarise([KEPT, SWITCHED] * 10) == few


def test_as_json_every_figure_stands_beside_its_interval() -> None:
    found = summarise([KEPT, SWITCHED]).as_dict()
    json.dumps(found, allow_nan=False)
    assert found.keys() == {"n", *FIGURES, *(f"{name}_ci" for name in FIGURES)}
    assert (found["hedge_won"], found["hedge_won_ci"]) == (None, None)

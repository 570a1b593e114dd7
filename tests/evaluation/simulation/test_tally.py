from __future__ import annotations

from typing import Any

import pytest

from streamroute.core.types import Release
from streamroute.evaluation.simulation.outcome import Billing, Outcome
from streamroute.evaluation.simulation.simulate import simulate
from streamroute.evaluation.simulation.tally import EVEN, SHED, Tally
from tests.evaluation.simulation.recorded import TIMINGS, Written, plan, route


def outcome(score: float, billing: Billing = EVEN, **settings: Any) -> Outcome:
    asked = plan(release=Release.RETRACT, **settings)
    return simulate(route(prompt_tokens=9), asked, Written((score, score)), billing, TIMINGS.judge)


KEPT, SWITCHED = outcome(0.1), outcome(0.9)


def tally(*outcomes: Outcome) -> Tally:
    found = Tally()
    for each in outcomes:
        found.add(each)
    return found


@pytest.mark.parametrize("ratio", [5, 15, 50])
def test_any_ratio_of_prices_gives_what_that_billing_would(ratio: float) -> None:
    """In tokens of the large model, where a `Billing` counts in those of the cheap one. Hedges that were for nothing
    are waste, and so is a cheap answer that was withdrawn."""
    settings = [(0.1, None), (0.9, None), (0.1, 0.0), (0.9, 0.0)]
    found = tally(*(outcome(score, hedge_after=hedge) for score, hedge in settings))
    dear = [outcome(score, Billing.of_ratio(ratio), hedge_after=hedge) for score, hedge in settings]
    assert found.cost(ratio) == pytest.approx(sum(each.cost for each in dear) / 4 / ratio)
    assert found.waste(ratio) == pytest.approx(sum(each.waste for each in dear) / 4 / ratio)


def test_shares_are_of_all_requests() -> None:
    hedged = SWITCHED._replace(hedged=True, hedge_won=True)
    lost = KEPT._replace(hedged=True, wasted_large=8)
    reasons = [KEPT._replace(reason=reason) for reason in ("deadline", "deadline_partial", "scorer_failed", SHED)]
    found = tally(hedged, lost, *reasons, SWITCHED, KEPT).figures()
    assert (found["escalated"], found["retracted"]) == (0.25, 0.25)
    assert (found["by_deadline"], found["judge_failed"], found["unjudged"]) == (0.25, 0.125, 0.125)
    assert (found["hedged"], found["hedges_won"], found["hedge_wasted_tokens"]) == (0.25, 0.125, 1.0)
    assert (found["probes"], found["questions"], found["pairs"]) == (2, 4, 4)


@pytest.mark.parametrize(
    ("outcomes", "quality"),
    [
        ([KEPT, SWITCHED], 0.5),
        ([KEPT._replace(correct=None), SWITCHED], 1.0),  # nobody said
        ([KEPT._replace(correct=None, failed=True), SWITCHED], 0.5),  # no answer is not right
        ([KEPT._replace(correct=None)], None),
    ],
)
def test_quality_is_the_share_of_right_answers_among_the_labelled(
    outcomes: list[Outcome], quality: float | None
) -> None:
    assert tally(*outcomes).figures()["quality"] == quality


def test_times_are_percentiles_of_those_who_have_one() -> None:
    found = tally(KEPT, SWITCHED, KEPT._replace(decided=None, first_shown=None, first_kept=None)).figures()
    assert found["verdict_s_p50"] == found["verdict_s_p95"] == pytest.approx(0.65, rel=0.003)
    assert found["ttft_s_p95"] == pytest.approx(0.3, rel=0.003)
    assert found["ttfkt_s_p95"] == pytest.approx(1.65, rel=0.003)
    assert found["ttfkt_s_p50"] == pytest.approx(0.3, rel=0.003)


def test_nothing_has_figures_too() -> None:
    found = tally().figures()
    assert (found["escalated"], found["quality"], found["verdict_s_p50"]) == (0, None, None)

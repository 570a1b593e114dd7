"""The increments of one request, and what becomes of them when they are added up."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.types import Decision, Evidence, Leg, Verdict
from streamroute.gateway.ledger.entries import Opened, Outcome, Total
from streamroute.gateway.observe.histograms import HISTOGRAMS, histograms_of, part_of_histogram
from streamroute.gateway.observe.measures import COUNTERS, measures_of
from streamroute.routing.stream import LegRecord, LegState, Route, Timings


def entry(**fields: Any) -> Opened:
    given: dict[str, Any] = {"id": "r", "reply_id": "c", "path": "/v1/chat/completions", "key": None, "route": "auto"}
    return Opened(**{**given, "asked": "auto", "stream": True, "started": 0.0, **fields})


def leg(tier: int, probe: int | None = None, **fields: Any) -> LegRecord:
    name = ("cheap", "large")[tier]
    given: dict[str, Any] = {"tier_name": name, "model": name, "started": 0.0, "state": LegState.FINISHED}
    given |= {"prompt_tokens": 10, "completion_tokens": 5, "counted": True, "cost": 1.0}
    return LegRecord(leg=Leg(tier, probe), **{**given, **fields})


def escalated(**fields: Any) -> Outcome:
    route = Route(
        tier=1,
        tier_name="large",
        verdict=Verdict(Decision.ESCALATE, "samples_disagree"),
        evidence=Evidence(samples=2, expected=2, score=0.75, entropy=0.69, seconds=0.004),
        legs=(
            leg(0, state=LegState.CANCELLED, counted=False),
            leg(0, 0),
            leg(0, 1),
            leg(1, cost=20.0, completion_tokens=7),
        ),
        timings=Timings(first_shown=0.1, first_kept=0.9, decided=0.4, finished=1.4),
        retracted=True,
        nli_seconds=0.004,
    )
    return Outcome(**{"status": 200, "seconds": 1.5, "route": route, **fields})


def sums(*totals: Sequence[Total]) -> dict[str, float]:
    """By the name and the labels but the route, as in `name{label=value}`."""
    found: defaultdict[str, float] = defaultdict(float)
    for total in (total for some in totals for total in some):
        labels = ",".join(f"{label}={value}" for label, value in total.labels if label != "route")
        found[f"{total.name.removeprefix('streamroute_')}{{{labels}}}"] += total.value
    return dict(found)


def test_an_escalated_request_counts_its_decision_legs_tokens_and_money() -> None:
    found = sums(measures_of(entry(), escalated(largest_cost=19.0, shed=("hedge",))))
    expected = {
        "requests_total{status=2xx,stream=true}": 1,
        "decisions_total{decision=escalate,reason=samples_disagree}": 1,
        "judged_total{outcome=escalated}": 1,
        "legs_total{upstream=cheap,kind=answer,state=cancelled}": 1,
        "legs_total{upstream=cheap,kind=probe,state=finished}": 2,
        "legs_total{upstream=large,kind=answer,state=finished}": 1,
        "tokens_total{upstream=cheap,kind=prompt,counted=false}": 10,
        "tokens_total{upstream=cheap,kind=completion,counted=false}": 5,
        "tokens_total{upstream=cheap,kind=prompt,counted=true}": 20,
        "tokens_total{upstream=cheap,kind=completion,counted=true}": 10,
        "tokens_total{upstream=large,kind=prompt,counted=true}": 10,
        "tokens_total{upstream=large,kind=completion,counted=true}": 7,
        "cost_total{upstream=cheap,purpose=lost}": 1,
        "cost_total{upstream=cheap,purpose=probe}": 2,
        "cost_total{upstream=large,purpose=kept}": 20,
        "cost_excess_total{}": 4,
        "retractions_total{}": 1,
        "shed_total{kind=hedge}": 1,
        "request_seconds_bucket{le=2.5}": 1,
        "request_seconds_sum{}": 1.5,
        "first_shown_seconds_bucket{le=0.1}": 1,
        "first_shown_seconds_sum{}": 0.1,
        "first_kept_seconds_bucket{le=1.0}": 1,
        "first_kept_seconds_sum{}": 0.9,
        "verdict_seconds_bucket{le=0.5}": 1,
        "verdict_seconds_sum{}": 0.4,
        "score_bucket{le=0.8}": 1,
        "score_sum{}": 0.75,
        "entropy_bucket{le=0.75}": 1,
        "entropy_sum{}": 0.69,
        "probes_bucket{le=2.0}": 1,
        "probes_sum{}": 2,
        "nli_seconds_bucket{le=0.005}": 1,
        "nli_seconds_sum{}": 0.004,
    }
    assert found == expected


def test_every_increment_belongs_to_its_route_and_is_described() -> None:
    for total in measures_of(entry(route="fast"), escalated(largest_cost=30.0, shed=("probes",), error="x")):
        assert ("route", "fast") in total.labels
        assert total.name in COUNTERS or part_of_histogram(total.name)


def test_what_is_not_judged_has_no_score_and_no_verdict_time() -> None:
    route = Route(tier=1, legs=(leg(1),), verdict=Verdict(Decision.ACCEPT, "unjudged"), timings=Timings(decided=0.1))
    found = sums(measures_of(entry(stream=False), Outcome(status=200, seconds=1, route=route, unjudged="tools")))
    assert found["decisions_total{decision=accept,reason=unjudged}"] == 1
    assert found["requests_total{status=2xx,stream=false}"] == 1
    assert not any(name.startswith(("judged", "score", "entropy", "verdict", "probes", "nli")) for name in found)


def test_a_kept_answer_is_no_escalation_where_the_route_began_above_the_cheapest() -> None:
    evidence = Evidence(samples=1, expected=1, score=0.0)
    route = Route(tier=1, legs=(leg(1), leg(1, 0)), verdict=Verdict(Decision.ACCEPT, "samples_agree"))
    route.evidence = evidence
    assert sums(measures_of(entry(), Outcome(status=200, seconds=1, route=route)))["judged_total{outcome=kept}"] == 1


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("prerouter: code", "prerouter"),
        ("", "none"),
        ("samples_agree", "samples_agree"),
        ("What is the capital of\nAustralia?", "other"),
        ("x" * 65, "other"),
    ],
)
def test_a_reason_is_one_of_few_words(reason: str, label: str) -> None:
    route = Route(verdict=Verdict(Decision.ACCEPT, reason))
    found = sums(measures_of(entry(), Outcome(status=200, seconds=1, route=route)))
    assert found[f"decisions_total{{decision=accept,reason={label}}}"] == 1


@pytest.mark.parametrize(
    ("status", "code", "label"),
    [
        (502, "every_leg_failed", "every_leg_failed"),
        (499, None, "client_closed"),
        (503, None, "status_503"),
        (502, "a\nb", "other"),
    ],
)
def test_errors_are_counted_by_their_code(status: int, code: str | None, label: str) -> None:
    found = sums(measures_of(entry(), Outcome(status=status, seconds=1, route=Route(), error=code)))
    assert found[f"errors_total{{code={label}}}"] == 1
    assert found["decisions_total{decision=none,reason=undecided}"] == 1


def test_saved_money_and_money_spent_beyond_the_largest_tier_are_told_apart() -> None:
    route = Route(tier=0, legs=(leg(0, cost=2.0),))
    saved = sums(measures_of(entry(), Outcome(status=200, seconds=1, route=route, largest_cost=5.0)))
    unknown = sums(measures_of(entry(), Outcome(status=200, seconds=1, route=route)))
    assert saved["cost_saved_total{}"] == 3.0
    assert not any("saved" in name or "excess" in name for name in unknown)


@given(st.lists(st.floats(0, 200), min_size=1, max_size=30))
def test_buckets_are_cumulated_over_whatever_order_they_came_in(seconds: list[float]) -> None:
    totals = [
        total for taken in seconds for total in measures_of(entry(), Outcome(status=200, seconds=taken, route=Route()))
    ]
    random.Random(0).shuffle(totals)
    (found,) = histograms_of(totals)
    assert found.name == "streamroute_request_seconds"
    assert [bound for bound, _ in found.buckets] == [*HISTOGRAMS["streamroute_request_seconds"][1], math.inf]
    assert found.count == len(seconds)
    for bound, count in found.buckets:
        assert count == sum(taken <= bound for taken in seconds)
    assert found.sum == pytest.approx(sum(seconds))


def test_a_bound_of_yesterday_stays_true_today() -> None:
    old = Total("streamroute_score_bucket", (("route", "auto"), ("le", "0.45")), 2.0)
    new = Total("streamroute_score_bucket", (("route", "auto"), ("le", "0.5")), 1.0)
    (found,) = histograms_of([new, old])
    assert dict(found.buckets)[0.45] == 2
    assert dict(found.buckets)[0.5] == 3

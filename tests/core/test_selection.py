"""Cascade routing: the tier that is worth most, of several."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.policy import Snapshot
from streamroute.core.selection import Candidate, CascadeRouting, LinearLink, LogisticLink, choose
from streamroute.core.types import UNDECIDED, Decision, Evidence, Verdict

PROBABILITIES = st.floats(0, 1)
LINEAR = st.tuples(PROBABILITIES, PROBABILITIES).map(lambda pair: LinearLink(max(pair), min(pair)))
LOGISTIC = st.builds(LogisticLink, st.floats(-4, 4), st.floats(0, 8))
CANDIDATES = st.builds(Candidate, cost=st.floats(0, 5), delay=st.floats(0, 3), link=st.one_of(LINEAR, LOGISTIC))
POLICIES = st.builds(
    CascadeRouting,
    tiers=st.lists(CANDIDATES, min_size=2, max_size=5).map(tuple),
    trade=st.floats(0, 2),
    second=st.floats(0, 1),
    annoyance=st.floats(0, 3),
    mix=PROBABILITIES,
)


def at(score: float, *, low: float | None = None, high: float | None = None, **more: Any) -> Snapshot:
    """A snapshot after the last probe, or with bounds before it."""
    early = low is not None
    found = Evidence(
        samples=1,
        expected=1,
        score=score,
        low=score if low is None else low,
        high=score if high is None else high,
        answer_cluster=0,
    )
    settings: dict[str, Any] = {"tier": 0, "last_tier": 2, "settled": not early, "elapsed": 0.0, **more}
    return Snapshot(evidence=found, pending=int(early), answer_finished=not early, **settings)


def three(**settings: Any) -> CascadeRouting:
    """A small step up for little, and a large one for a lot."""
    middle = Candidate(cost=1.0, delay=0.5, link=LinearLink(0.95, 0.4))
    large = Candidate(cost=5.0, delay=1.0, link=LinearLink(0.98, 0.8))
    return CascadeRouting(tiers=(Candidate(cost=0.1), middle, large), **settings)


def test_it_waits_for_evidence() -> None:
    blank = dataclasses.replace(at(0.5), evidence=None)
    assert three()(blank) == UNDECIDED


def test_it_waits_for_the_shown_answer_unless_nothing_more_will_come() -> None:
    last = at(0.9)
    assert last.evidence is not None
    unjudged = dataclasses.replace(last.evidence, answer_cluster=None, low=0.0, high=1.0)
    policy = three(trade=0.05)
    assert policy(dataclasses.replace(last, evidence=unjudged, settled=False)) == UNDECIDED
    assert policy(dataclasses.replace(last, evidence=unjudged)).decision is Decision.ESCALATE


@pytest.mark.parametrize(
    ("wrong", "trade", "verdict"),
    [
        (0.0, 0.05, Verdict(Decision.ACCEPT, "not_worth_its_cost")),
        (0.3, 0.05, Verdict(Decision.ESCALATE, "worth_its_cost", 1)),
        (0.9, 0.05, Verdict(Decision.ESCALATE, "worth_its_cost", 2)),
        (0.9, 9.0, Verdict(Decision.ACCEPT, "not_worth_its_cost")),
    ],
)
def test_the_worse_the_answer_the_larger_the_tier_that_is_worth_it(
    wrong: float, trade: float, verdict: Verdict
) -> None:
    # Kept .7; the middle tier .95*.7+.4*.3 = .785 for 1, the large one .98*.785+.8*.215 = .941 for 5.
    assert three(trade=trade)(at(wrong)) == verdict


def test_from_a_middle_tier_only_larger_ones_are_candidates() -> None:
    assert three(trade=0.01)(at(0.9, tier=1)) == Verdict(Decision.ESCALATE, "worth_its_cost", 2)
    assert three(trade=0.01)(at(0.0, tier=1)).decision is Decision.ACCEPT


@given(POLICIES, PROBABILITIES, st.booleans(), st.none() | st.floats(0, 3), PROBABILITIES)
def test_no_tier_is_worth_more_than_the_chosen_one(
    policy: CascadeRouting, wrong: float, shown: bool, hedged: float | None, dice: float
) -> None:
    seen = 1.0 if shown else None
    verdict = policy(at(wrong, shown=seen, hedged=hedged, dice=dice))

    right, values = 1 - wrong, [1 - wrong]
    for index, tier in enumerate(policy.tiers[1:], 1):
        right = tier.link(1 - right)
        delay = max(0.0, tier.delay - hedged) if index == 1 and hedged is not None else tier.delay
        cost = tier.cost + policy.second * (delay + (policy.annoyance if shown else 0))
        values.append(right - policy.trade * cost)
    assert values[verdict.to or 0] == pytest.approx(max(values), abs=2e-9)


@given(POLICIES, PROBABILITIES, st.floats(0, 2), st.floats(0, 2))
def test_what_is_spent_falls_with_the_trade_off(policy: CascadeRouting, wrong: float, a: float, b: float) -> None:
    last = at(wrong)
    costs = policy.costs(last)
    cheap, dear = (
        costs[dataclasses.replace(policy, trade=trade, mix=0.0)(last).to or 0] for trade in (max(a, b), min(a, b))
    )
    assert cheap <= dear or max(a, b) - min(a, b) < 1e-6 or dear == pytest.approx(cheap, abs=1e-6)


@given(POLICIES, PROBABILITIES)
def test_without_a_price_the_best_wins_and_at_any_price_the_answer_is_kept(
    policy: CascadeRouting, wrong: float
) -> None:
    last = at(wrong)
    free = dataclasses.replace(policy, trade=0.0)(last)
    qualities = policy.qualities(0, wrong)
    assert qualities[free.to or 0] == pytest.approx(max(qualities), abs=2e-9)
    dear = dataclasses.replace(policy, tiers=tuple(dataclasses.replace(t, cost=t.cost + 1) for t in policy.tiers))
    assert dataclasses.replace(dear, trade=1e6)(last).decision is Decision.ACCEPT


@given(POLICIES, PROBABILITIES, PROBABILITIES, PROBABILITIES)
def test_a_certified_verdict_is_the_one_that_all_probes_would_have_given(
    policy: CascadeRouting, a: float, b: float, c: float
) -> None:
    low, score, high = sorted((a, b, c))
    early = policy(at(score, low=low, high=high))
    if early.decided:
        full = policy(at(score))
        values = [
            quality - policy.trade * cost
            for quality, cost in zip(policy.qualities(0, score), policy.costs(at(score)), strict=True)
        ]
        # Where two are worth the same, either may be said.
        assert values[early.to or 0] == pytest.approx(values[full.to or 0], abs=1e-8)


def test_narrow_bounds_decide_early_and_wide_ones_do_not() -> None:
    policy = three(trade=0.05)
    assert policy(at(0.9, low=0.8, high=1.0)) == Verdict(Decision.ESCALATE, "certain_to_be_worth_its_cost", 2)
    assert policy(at(0.01, low=0.0, high=0.02)) == Verdict(Decision.ACCEPT, "certain_not_to_be_worth_its_cost")
    assert policy(at(0.5, low=0.0, high=1.0)) == UNDECIDED


def test_a_winner_at_both_ends_may_lose_between_them() -> None:
    # sigma(4 - 8 p) against 1 - p: above it before p = 1/2, below it after; .4 dearer it wins nowhere near the ends.
    curved = CascadeRouting(tiers=(Candidate(cost=0.0), Candidate(cost=1.0, link=LogisticLink(4, 8))), trade=0.1)
    assert curved(at(0.0)).decision is curved(at(1.0)).decision is Decision.ACCEPT
    assert curved(at(0.3)).decision is Decision.ESCALATE
    assert curved(at(0.3, low=0.0, high=1.0)) == UNDECIDED
    assert curved(at(0.8, low=0.75, high=0.8)).decision is Decision.ACCEPT


def test_waiting_and_withdrawing_are_costs_and_a_running_tier_is_less_of_a_wait() -> None:
    policy = three(trade=0.1, second=1.0, annoyance=0.0)
    assert policy.costs(at(0.5)) == [0.0, 1.5, 6.0]
    assert policy.costs(at(0.5, hedged=0.4)) == pytest.approx([0.0, 1.1, 6.0])
    assert dataclasses.replace(policy, annoyance=2.0).costs(at(0.5, shown=0.1)) == [0.0, 3.5, 8.0]


@pytest.mark.parametrize(("dice", "to"), [(0.2, 1), (0.4, None)])
def test_ties_go_to_the_dearest_for_the_share_of_requests_that_the_mix_says(dice: float, to: int | None) -> None:
    tied = CascadeRouting(tiers=(Candidate(cost=0.0), Candidate(cost=1.0, link=LinearLink(1, 1))), trade=0.5, mix=0.3)
    assert tied(at(0.5, dice=dice)).to == to


def test_of_equally_good_and_dear_choices_the_first_is_taken() -> None:
    assert choose([0.5, 0.5], [1, 1], 1.0) == choose([0.5, 0.5], [1, 1], 1.0, dear=True) == 0


@pytest.mark.parametrize(("wrong", "tier"), [(0.05, 0), (0.4, 1), (1.0, 2)])
def test_a_harder_request_starts_at_a_larger_tier(wrong: float, tier: int) -> None:
    assert three(trade=0.075).start(wrong) == tier


@pytest.mark.parametrize("bad", [{"trade": -1.0}, {"second": float("inf")}, {"tiers": (Candidate(cost=-1.0),)}])
def test_costs_that_make_no_sense_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not negative"):
        dataclasses.replace(three(), **bad)


def test_a_link_never_gets_better_with_the_error_below_it() -> None:
    with pytest.raises(ValueError, match="if_wrong <= if_right"):
        LinearLink(0.5, 0.6)
    with pytest.raises(ValueError, match="slope"):
        LogisticLink(0.0, -1.0)
    assert LogisticLink(0.0, 2.0)(0.0) == 0.5

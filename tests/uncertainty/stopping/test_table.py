"""The stopping table: optimal within its beliefs, and a policy that keeps what policies promise."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.actions import Score, StartProbes
from streamroute.core.cascade import Cascade
from streamroute.core.events import AnswerFinished, DeltaReceived, EvidenceReceived, ProbeFinished, RouteStarted
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.types import UNDECIDED, Decision, Delta, Evidence, Leg, Sample
from streamroute.uncertainty.stopping.chances import chance_of_score, chance_of_state
from streamroute.uncertainty.stopping.costs import Costs
from streamroute.uncertainty.stopping.states import Move, State, following, state_of
from streamroute.uncertainty.stopping.table import StoppingTable
from tests.uncertainty.stopping.seen import evidence, snapshot

MOST = 5
PRICES = st.sampled_from([0.0, 0.001, 0.005, 0.02, 0.1])
LIMITS = st.floats(0.05, 0.95)


def table(probe: float = 0.005, limit: float | None = 0.4, most: int = MOST) -> StoppingTable:
    return StoppingTable(Costs(probe=probe), most=most, limit=limit, by_score=lambda score: score)


def seen_at(state: State) -> Evidence:
    """Evidence of that state whose score says what the counts say."""
    assignment = [0] * (state.own or 0) + [c for c, size in enumerate(state.others, 1) for _ in range(size)]
    return evidence(assignment, own=None if state.own is None else 0, score=chance_of_state(state))


def loss(policy: StoppingTable, stops: Callable[[State], bool], state: State, remaining: int) -> float:
    """Expected, under the beliefs of the table, of stopping where `stops` says, and doing then what costs less."""
    wrong = chance_of_state(state)
    if remaining == 0 or (state.probes and stops(state)):
        return min(wrong, wrong - policy.costs.slope * (wrong - policy.limit))
    return policy.costs.probe + sum(p * loss(policy, stops, after, remaining - 1) for _, after, p in following(state))


@given(PRICES, LIMITS)
def test_no_rule_over_counts_loses_less_than_the_table(probe: float, limit: float) -> None:
    policy = table(probe, limit)

    def decides(state: State) -> bool:
        return policy(snapshot(seen_at(state), pending=MOST - state.probes)).decided

    own = loss(policy, decides, State(), MOST)
    rules: list[Callable[[State], bool]] = [lambda state, k=k: state.probes >= k for k in range(1, MOST + 1)]  # type: ignore[misc]
    rules += [lambda state: len(state.others) >= 2, lambda state: state.own == 3, lambda state: state.own == 0]
    for rule in rules:
        assert own <= loss(policy, rule, State(), MOST) + 1e-9


@given(PRICES, PRICES, LIMITS, st.integers(0, 3), st.lists(st.integers(1, 2), max_size=2))
def test_dearer_probes_never_make_it_wait_longer(a: float, b: float, limit: float, own: int, others: list[int]) -> None:
    state = State(own, tuple(sorted(others, reverse=True)))
    if 0 < state.probes <= MOST:
        seen = snapshot(seen_at(state), pending=MOST - state.probes)
        assert table(max(a, b), limit)(seen).decided or not table(min(a, b), limit)(seen).decided


def test_what_waiting_is_worth_by_hand() -> None:
    # One probe to come, from one that agreed: the better of keeping and escalating at each outcome, and the price.
    policy, state = table(0.01, 0.4, most=2), State(1)
    worth = 0.01
    for _, after, p in following(state):
        wrong = chance_of_state(after)
        worth += p * min(wrong, wrong - policy.costs.slope * (wrong - 0.4))
    assert policy.wait(state, 1, chance_of_state(state)) == pytest.approx(worth, abs=1e-3)
    assert policy.wait(state, 0, 0.3) == math.inf


def test_what_the_score_knows_beyond_the_counts_counts() -> None:
    unanimous = [0, 0, 0]
    assert table()(snapshot(evidence(unanimous, score=0.02), pending=2)).reason == "stop_keep"
    assert table()(snapshot(evidence(unanimous, score=0.98), pending=2)).reason == "stop_escalate"
    assert table(0.0001)(snapshot(evidence(unanimous, score=0.4), pending=2)) == UNDECIDED


def test_a_score_that_cannot_come_to_the_other_side_stops_the_probing() -> None:
    free = table(0.0)
    sure = evidence([0, 1], score=0.5, low=0.41, high=0.9)
    assert free(snapshot(sure, pending=3)).decision is Decision.ESCALATE
    assert free(snapshot(evidence([0, 1], score=0.3, low=0.1, high=0.4), pending=3)).decision is Decision.ACCEPT
    unjudged = evidence([0, 1], own=None, score=0.3, low=0.1, high=0.4)
    assert free(snapshot(unjudged, pending=3)) == UNDECIDED


@given(st.floats(0, 1), LIMITS, st.lists(st.integers(0, 3), min_size=1, max_size=7), st.none() | st.just(0))
def test_settled_evidence_is_always_decided_and_by_the_limit(
    score: float, limit: float, assignment: list[int], own: int | None
) -> None:
    policy, found = table(0.0, limit), evidence(assignment, own=own, score=score)
    verdict = policy(snapshot(found, pending=0, settled=True))
    wrong = score if own == 0 else policy._chance(state_of(found))
    assert verdict.decision is (Decision.ESCALATE if wrong > limit else Decision.ACCEPT)


@given(PRICES, LIMITS, st.lists(st.integers(0, 3), min_size=1, max_size=MOST), st.integers(0, MOST))
def test_an_answer_not_judged_yet_is_never_kept(
    probe: float, limit: float, assignment: list[int], pending: int
) -> None:
    found = evidence(assignment, own=None, score=0.0)
    assert table(probe, limit)(snapshot(found, pending=pending)).decision is not Decision.ACCEPT


def test_before_the_first_probe_nothing_is_decided() -> None:
    assert table(10.0)(snapshot(None, pending=5)) == UNDECIDED
    assert table(10.0)(snapshot(evidence([]), pending=5)) == UNDECIDED
    assert table(10.0)(snapshot(evidence([0], score=0.3), pending=4)).reason == "stop_keep"


def test_probes_that_fail_are_not_waited_for() -> None:
    torn = State(1, (1,))
    found = seen_at(torn)
    close = table(0.0, chance_of_state(torn) + 0.01)
    assert close(snapshot(found, pending=3)) == UNDECIDED
    assert close(snapshot(found, pending=0)).decided


def test_everything_is_solved_when_the_table_is_made() -> None:
    policy = table()
    solved = len(policy._values)
    for own in (0, None):
        for assignment in ([0], [1], [0, 1], [0, 1, 2], [1, 1, 2, 0], [0] * 5):
            for pending in range(MOST - len(assignment) + 1):
                policy(snapshot(evidence(assignment, own=own), pending=pending))
    assert len(policy._values) == solved


def test_observed_moves_outweigh_the_prior_as_they_come_in() -> None:
    def agreeing(seen: int) -> float:
        policy = StoppingTable(most=3, moves={State(1): Counter({Move.NEW: seen})})
        return dict(policy._following(State(1)))[State(2)]

    prior = next(p for move, _, p in following(State(1)) if move is Move.AGREE)
    assert agreeing(0) == pytest.approx(prior)
    assert agreeing(10) == pytest.approx(prior / 2)
    assert agreeing(10_000) < 0.001


def test_the_default_beliefs_escalate_above_the_same_score() -> None:
    policy = StoppingTable(limit=chance_of_score(0.3))
    assert policy(snapshot(evidence([0, 1], score=0.3), pending=0)).decision is Decision.ACCEPT
    assert policy(snapshot(evidence([0, 1], score=0.31), pending=0)).decision is Decision.ESCALATE


def test_escalation_pays_above_the_limit_of_its_costs() -> None:
    costs = Costs(escalation=0.05, right_when_right=0.887, right_when_wrong=0.803)
    assert costs.limit == pytest.approx((0.05 + 0.113) / (0.803 + 0.113))  # METHOD 2.5: .18 on GSM8K
    assert StoppingTable(costs).limit == costs.limit


@pytest.mark.parametrize(
    "bad",
    [
        {"probe": -0.1},
        {"escalation": math.inf},
        {"right_when_right": 1.1},
        {"right_when_right": 1.0, "right_when_wrong": 0.0},
    ],
)
def test_costs_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|cannot be worth"):
        Costs(**bad)


@pytest.mark.parametrize("bad", [{"most": 0}, {"most": 13}, {"limit": -0.1}, {"limit": math.nan}])
def test_tables_that_cannot_be_made_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"a stopping table is for|must not be negative"):
        StoppingTable(**bad)  # type: ignore[arg-type]


def test_a_cascade_launches_a_probe_only_where_it_is_worth_its_price() -> None:
    cheap = ProbeSchedule(count=MOST, wave=1)
    cascade = Cascade(Plan(tiers=(cheap, None), policy=table(0.005, 0.4), decision_deadline=None))
    launched = [a for a in cascade.receive(RouteStarted(), now=0.0) if isinstance(a, StartProbes)]
    cascade.receive(DeltaReceived(Leg(0), Delta("Paris.")), now=0.1)
    cascade.receive(AnswerFinished(Leg(0), "stop"), now=0.2)
    assert len(launched) == 1
    found: list[int] = []
    while cascade.verdict is None:
        out = cascade.receive(ProbeFinished(Leg(0, len(found)), Sample("Paris.")), now=0.3)
        assert any(isinstance(action, Score) for action in out)
        found.append(0)
        judged = seen_at(State(len(found)))
        out = cascade.receive(EvidenceReceived(0, judged), now=0.4)
        launched += [action for action in out if isinstance(action, StartProbes)]
    assert cascade.verdict.reason == "stop_keep"
    assert len(launched) == len(found) < MOST

"""Policies and their three-valued logic."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.policy import Always, Snapshot, Threshold
from streamroute.core.types import UNDECIDED, Decision, Evidence, Verdict
from tests.core.world import evidence

ACCEPT = Verdict(Decision.ACCEPT, "a")
ESCALATE = Verdict(Decision.ESCALATE, "e")
VERDICTS = (ACCEPT, ESCALATE, UNDECIDED)


def snapshot(found: Evidence | None, *, pending: int = 0, settled: bool = False) -> Snapshot:
    return Snapshot(
        tier=0, last_tier=1, evidence=found, pending=pending, settled=settled, elapsed=0.0, answer_finished=settled
    )


@pytest.mark.parametrize(("left", "right"), list(itertools.product(VERDICTS, VERDICTS)))
def test_and_escalates_only_together_and_accepts_alone(left: Verdict, right: Verdict) -> None:
    decision = (Always(left) & Always(right))(snapshot(None)).decision
    if ACCEPT in (left, right):
        assert decision is Decision.ACCEPT
    else:
        assert decision is (Decision.ESCALATE if left == right == ESCALATE else Decision.UNDECIDED)


@pytest.mark.parametrize(("left", "right"), list(itertools.product(VERDICTS, VERDICTS)))
def test_or_escalates_alone_and_accepts_only_together(left: Verdict, right: Verdict) -> None:
    decision = (Always(left) | Always(right))(snapshot(None)).decision
    if ESCALATE in (left, right):
        assert decision is Decision.ESCALATE
    else:
        assert decision is (Decision.ACCEPT if left == right == ACCEPT else Decision.UNDECIDED)


def test_a_threshold_waits_for_evidence() -> None:
    assert Threshold()(snapshot(None)) == UNDECIDED


def test_a_threshold_waits_for_the_shown_answer_unless_nothing_more_will_come() -> None:
    unjudged = evidence(2, 2, score=0.9, judged=False, certified=False)
    assert Threshold(0.5)(snapshot(unjudged)) == UNDECIDED
    assert Threshold(0.5)(snapshot(unjudged, settled=True)).reason == "samples_disagree"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_certified_verdict_is_the_one_that_all_probes_would_have_given(
    a: float, b: float, c: float, limit: float
) -> None:
    low, score, high = sorted((a, b, c))
    partial = Evidence(samples=1, expected=3, score=score, low=low, high=high, answer_cluster=0)
    early = Threshold(limit)(snapshot(partial, pending=2))
    for final in (low, score, high):
        full = Threshold(limit)(snapshot(evidence(3, 3, score=final)))
        assert early == UNDECIDED or early.decision is full.decision


def test_the_limit_itself_is_still_good_enough() -> None:
    assert Threshold(0.5)(snapshot(evidence(1, 1, score=0.5))).decision is Decision.ACCEPT


def test_only_a_policy_that_goes_by_the_score_alone_has_a_limit_to_show() -> None:
    assert Threshold(0.3).score_limit == 0.3
    assert Always(UNDECIDED).score_limit is None
    assert (Threshold(0.3) | Threshold(0.4)).score_limit is None

"""Published stopping rules: their own numbers, and how they act as policies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.policy import Policy
from streamroute.core.types import UNDECIDED, Decision
from streamroute.uncertainty.stopping.rules import ESC, AdaptiveConsistency, FixedCount, Sprt, majority
from tests.uncertainty.stopping.seen import evidence, snapshot

RULES = (FixedCount(), AdaptiveConsistency(), ESC(), Sprt())
ASSIGNMENTS = st.lists(st.integers(0, 3), min_size=1, max_size=10)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)


def probes_used(policy: Policy, assignment: list[int]) -> int:
    """Probes come one by one; how many until the verdict."""
    for seen in range(1, len(assignment)):
        if policy(snapshot(evidence(assignment[:seen]), pending=len(assignment) - seen)).decided:
            return seen
    return len(assignment)


@pytest.mark.parametrize(
    ("first", "second", "chance"), [(3, 0, 0.9375), (4, 0, 0.969), (6, 1, 0.965), (5, 1, 0.9375), (2, 2, 0.5)]
)
def test_the_beta_rule_has_its_closed_form(first: int, second: int, chance: float) -> None:
    assert majority(first, second) == pytest.approx(chance, abs=5e-4)


@given(st.integers(0, 12), st.integers(0, 12))
def test_the_closed_form_is_the_upper_half_of_the_beta_density(first: int, second: int) -> None:
    x = 0.75 + NODES / 4  # Gauss-Legendre on [1/2, 1], exact for polynomials
    log_scale = math.lgamma(first + second + 2) - math.lgamma(first + 1) - math.lgamma(second + 1)
    integral = float((np.exp(log_scale) * x**first * (1 - x) ** second * WEIGHTS / 4).sum())
    assert majority(first, second) == pytest.approx(integral, abs=1e-9)


def test_adaptive_consistency_counts_the_answer_as_a_text() -> None:
    assert probes_used(AdaptiveConsistency(), [0] * 8) == 3  # with the answer, four to none
    assert probes_used(AdaptiveConsistency(confidence=0.93), [0] * 8) == 2
    assert probes_used(AdaptiveConsistency(), [1] * 8) == 6  # six to one
    assert probes_used(AdaptiveConsistency(), [1, 2, 3, 4, 5, 6, 7, 8]) == 8


def test_esc_stops_at_a_unanimous_window_and_windows_do_not_overlap() -> None:
    assert probes_used(ESC(), [0, 0, 0, 0, 0]) == 3
    assert probes_used(ESC(), [1, 1, 1, 0, 0]) == 3  # unanimous against the answer is unanimous
    assert probes_used(ESC(), [1, 0, 0, 0, 0, 0, 0]) == 6
    assert probes_used(ESC(window=2), [1, 0, 0, 1, 1, 1]) == 6


def test_sprt_stops_at_walds_bounds() -> None:
    # log(.85/.35) = .887, log(.15/.65) = -1.466; bounds at +-log 9 = 2.197
    assert probes_used(Sprt(), [0] * 8) == 3
    assert probes_used(Sprt(), [1, 2, 1, 2, 1, 2]) == 2
    assert probes_used(Sprt(), [0, 1, 0, 0, 0, 0, 0, 0]) == 6  # one against takes away what two agreeing gave
    assert probes_used(Sprt(false_keep=0.01, false_escalation=0.01), [0] * 8) == 6
    assert probes_used(Sprt(false_keep=0.01, false_escalation=0.3), [0] * 8) == 5


def test_sprt_makes_about_as_many_errors_as_asked_for() -> None:
    source = np.random.default_rng(5)

    def says_right(agreeing: float) -> bool:
        found: list[int] = []
        while not Sprt().enough(evidence(found)):
            found.append(0 if source.random() < agreeing else 1)
        return list(Sprt()._ratios(evidence(found)))[-1] > 0

    # Wald's bounds hold up to the overshoot: the sum of both error rates is at most the sum asked for.
    false_keep = np.mean([says_right(0.35) for _ in range(2000)])
    false_escalation = np.mean([not says_right(0.85) for _ in range(2000)])
    assert 0.02 < false_keep < 0.1 + 0.02
    assert 0.02 < false_escalation < 0.1 + 0.02


def test_a_fixed_count_stops_there_or_at_the_last_probe() -> None:
    assert probes_used(FixedCount(count=2), [0, 1, 2, 3]) == 2
    assert probes_used(FixedCount(count=7), [0, 1, 2, 3]) == 4


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_waits_for_evidence_and_for_the_answer_unless_nothing_more_will_come(rule: Policy) -> None:
    assert rule(snapshot(None, pending=5)) == UNDECIDED
    unanimous = evidence([1] * 8, own=None, score=0.9)
    assert rule(snapshot(unanimous, pending=2)) == UNDECIDED
    assert rule(snapshot(unanimous, pending=0)) == UNDECIDED
    assert rule(snapshot(unanimous, pending=0, settled=True)).decision is Decision.ESCALATE


@pytest.mark.parametrize("kind", [FixedCount, AdaptiveConsistency, ESC, Sprt])
def test_the_score_at_the_stop_decides(kind: type[FixedCount | AdaptiveConsistency | ESC | Sprt]) -> None:
    def verdict(score: float) -> tuple[Decision, str]:
        found = kind(limit=0.3)(snapshot(evidence([0] * 5, score=score), pending=0))
        return found.decision, found.reason

    assert verdict(0.3) == (Decision.ACCEPT, "stop_keep")
    assert verdict(0.31) == (Decision.ESCALATE, "stop_escalate")
    assert kind(limit=0.3).score_limit == 0.3


@given(ASSIGNMENTS, st.sampled_from([FixedCount(count=3), ESC(), Sprt()]))
def test_probes_that_come_together_stop_where_they_would_one_by_one(
    assignment: list[int], rule: FixedCount | ESC | Sprt
) -> None:
    stops = [rule.enough(evidence(assignment[:seen])) for seen in range(1, len(assignment) + 1)]
    assert stops == sorted(stops)  # once enough, always enough


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixedCount(count=0),
        lambda: AdaptiveConsistency(confidence=1.0),
        lambda: AdaptiveConsistency(confidence=0.4),
        lambda: ESC(window=1),
        lambda: Sprt(agree_if_right=0.3),
        lambda: Sprt(agree_if_wrong=0.0),
        lambda: Sprt(false_keep=0.5),
        lambda: Sprt(false_escalation=0.0),
    ],
)
def test_parameters_that_make_no_rule_are_refused(make: type[Policy]) -> None:
    with pytest.raises(ValueError, match=r"must be|needs"):
        make()

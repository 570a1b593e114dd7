"""What a stopping table learns from labelled answers."""

from __future__ import annotations

import random

import pytest

from streamroute.calibration.stopping import Trail, fit_costs, fit_table
from streamroute.core.types import Evidence
from streamroute.uncertainty.stopping.chances import ChanceOfScore
from streamroute.uncertainty.stopping.states import Move, State
from streamroute.uncertainty.stopping.table import StoppingTable
from tests.uncertainty.stopping.seen import evidence


def trail(assignment: list[int], *, wrong: bool, score: float | None = None) -> Trail:
    found: list[Evidence] = []
    for seen in range(1, len(assignment) + 1):
        agreeing = assignment[:seen].count(0) / seen
        found.append(evidence(assignment[:seen], score=1 - agreeing if score is None else score))
    return Trail(found, wrong)


def drawn(count: int, seed: int = 2) -> list[Trail]:
    """Right answers agree with nine probes in ten, wrong ones with four."""
    source = random.Random(seed)
    trails = []
    for _ in range(count):
        wrong = source.random() < 0.4
        assignment = [0 if source.random() < (0.4 if wrong else 0.9) else source.randint(1, 3) for _ in range(4)]
        trails.append(trail(assignment, wrong=wrong))
    return trails


def test_the_fit_tells_right_from_wrong_by_counts_and_by_score() -> None:
    fit = fit_table(drawn(300))
    assert fit.by_state(State(4)) < 0.25
    assert fit.by_state(State(0, (2, 1, 1))) > 0.7
    assert fit.by_score(0.0) < 0.25
    assert fit.by_score(1.0) > 0.7


def test_moves_are_counted_by_state() -> None:
    fit = fit_table([trail([0, 0, 1, 1], wrong=False), trail([0, 1, 0, 2], wrong=True)])
    assert fit.moves[State(1)] == {Move.AGREE: 1, Move.NEW: 1}
    assert fit.moves[State(2)] == {Move.NEW: 1}
    assert fit.moves[State(2, (1,))] == {Move.JOIN: 1, Move.NEW: 1}


def test_longer_trails_of_the_same_evidence_do_not_count_as_more_answers() -> None:
    short = [Trail([evidence([0], score=0.2)], wrong) for wrong in (False, False, True)]
    short += [Trail([evidence([1], score=0.8)], wrong) for wrong in (True, True, False)]
    long = [Trail([*each.evidences] * 3, each.wrong) for each in short]
    assert fit_table(long).by_score(0.8) == pytest.approx(fit_table(short).by_score(0.8), abs=1e-4)
    assert fit_table(long).by_state(State(1)) == pytest.approx(fit_table(short).by_state(State(1)), abs=1e-4)


def test_evidence_before_the_answer_or_the_first_probe_is_left_out() -> None:
    trails = drawn(40)
    padded = [Trail([evidence([]), evidence([1], own=None, score=0.99), *t.evidences], t.wrong) for t in trails]
    assert fit_table(padded) == fit_table(trails)


def test_a_fit_makes_its_table() -> None:
    fit = fit_table(drawn(50))
    table = fit.table(most=4, limit=0.3)
    assert isinstance(table, StoppingTable)
    assert (table.most, table.limit) == (4, 0.3)
    assert table._by_score == fit.by_score


def test_one_kind_of_label_is_not_enough() -> None:
    with pytest.raises(ValueError, match="only one kind"):
        fit_table([trail([0, 1], wrong=True)])


def test_a_falling_score_is_refused() -> None:
    with pytest.raises(ValueError, match="less probable"):
        ChanceOfScore(0.0, -1.0)


def test_costs_are_smoothed_rates_beside_right_and_wrong_answers() -> None:
    costs = fit_costs([True, True, True, False, False], [True, True, False, True, False], probe=0.01, escalation=0.2)
    assert costs.right_when_right == pytest.approx(3 / 5)
    assert costs.right_when_wrong == pytest.approx(2 / 4)
    assert (costs.probe, costs.escalation) == (0.01, 0.2)
    with pytest.raises(ValueError, match="2 labels"):
        fit_costs([True, False], [True], probe=0.01, escalation=0.2)

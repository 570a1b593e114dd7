"""One route that somebody else winds: when it stops, what is due, and what an answer of the judge may still do."""

from __future__ import annotations

import math
from typing import Any

from streamroute.core.types import Decision
from streamroute.errors import ScorerOverloaded
from streamroute.evaluation.simulation.stepping import Simulation
from tests.evaluation.simulation.recorded import BILLING, Written, about, plan, route

# `route()` asks the judge first at .4, about one probe; the answer ends at .5, the other probe at .6.


def started(**settings: Any) -> Simulation:
    return Simulation(route(), plan(**settings), Written((0.9, 0.9)), BILLING)


def test_it_stops_when_the_judge_is_asked_and_says_about_how_many_pairs() -> None:
    found = started()
    assert (found.advance(), found.now, found.waiting) == (2, 0.4, True)
    found.answer(0.05)
    assert not found.waiting
    assert (found.advance(), found.now) == (0, 0.5)  # the sentence is there: the same probe, nothing new


def test_while_it_waits_it_goes_no_further_than_it_is_told() -> None:
    found = started()
    found.advance()
    assert (found.advance(0.45), found.now, found.due) == (None, 0.4, 0.5)
    assert (found.advance(0.5), found.now, found.due) == (None, 0.5, about(0.6))
    assert (found.advance(0.61), found.now, found.due) == (None, about(0.6), math.inf)
    assert found.waiting
    found.answer(3.0)
    assert (found.advance(), found.now) == (2, about(3.4))


def test_a_deadline_that_falls_meanwhile_ends_the_waiting() -> None:
    found = started(decision_deadline=1.0, on_timeout=Decision.ACCEPT)
    found.advance()
    assert found.deadline == 1.0
    found.advance(0.9)
    assert (found.waiting, found.due) == (True, 1.0)
    assert found.advance(1.0) is None
    assert not found.waiting
    assert found.outcome is not None
    assert (found.outcome.reason, found.outcome.decided) == ("deadline", 1.0)


def test_an_answer_that_comes_after_the_verdict_changes_nothing() -> None:
    found = started(decision_deadline=1.0)
    found.advance()
    found.answer(5.0)
    assert found.advance() is None
    assert found.outcome is not None
    assert (found.outcome.reason, found.outcome.tier) == ("deadline", 0)


def test_a_judge_that_is_overloaded_leaves_the_route_to_its_plan() -> None:
    found = started(on_uncertain=Decision.ESCALATE)
    found.advance()
    found.answer(0.01, ScorerOverloaded("full"))
    assert found.advance() is None
    assert found.outcome is not None
    assert (found.outcome.reason, found.outcome.tier, found.outcome.decided) == ("scorer_failed", 1, about(0.41))


def test_without_a_deadline_nothing_ends_the_waiting() -> None:
    assert started(decision_deadline=None).deadline == math.inf

"""Fits what a stopping table believes to judged and labelled answers (METHOD 3.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from streamroute.calibration.logistic import fit_logistic
from streamroute.core.types import Evidence, Features
from streamroute.uncertainty.stopping.chances import ChanceOfScore, ChanceOfState, features_of, log_odds
from streamroute.uncertainty.stopping.costs import Costs
from streamroute.uncertainty.stopping.states import Move, State, following, state_of
from streamroute.uncertainty.stopping.table import Moves, StoppingTable

__all__ = ("StoppingFit", "Trail", "fit_costs", "fit_table")

BY_COUNTS = ("disagreement", "entropy", "minority")


@dataclass(frozen=True, slots=True)
class Trail:
    """One judged answer: the evidence after one, two, three ... probes, and whether the answer was wrong."""

    evidences: Sequence[Evidence]
    wrong: bool


@dataclass(frozen=True, slots=True)
class StoppingFit:
    """What was fitted."""

    by_state: ChanceOfState
    by_score: ChanceOfScore
    moves: Moves = field(default_factory=dict)

    def table(self, costs: Costs | None = None, *, most: int = 8, limit: float | None = None) -> StoppingTable:
        """The table that believes it; arguments as there."""
        return StoppingTable(
            costs, most=most, limit=limit, by_state=self.by_state, by_score=self.by_score, moves=self.moves
        )


def fit_table(trails: Sequence[Trail], *, most: int = 8) -> StoppingFit:
    """Monotone logistic regressions of `wrong` on the counts and on the score, over all probes of all `trails`, and the
    moves that probes made. Evidence without samples, or before the answer was judged, is left out.

    A trail weighs by its length, but the penalty grows with the mean length: evidences of one answer are not new
    answers. `most` probes scale the entropy. Raises ValueError unless both labels occur.
    """
    judged = [[e for e in trail.evidences if e.samples and e.answer_judged] for trail in trails]
    wrong = [trail.wrong for trail, found in zip(trails, judged, strict=True) for _ in found]
    evidences = [e for found in judged for e in found]
    l2 = len(evidences) / max(1, sum(map(bool, judged)))
    counts = [features_of(state_of(e), most=most) for e in evidences]
    # One column, whatever it is called: `prior` is never anything but a number.
    scores = [Features(disagreement=0, contradiction=0, entropy=0, snne=0, prior=log_odds(e.score)) for e in evidences]
    platt = fit_logistic(scores, wrong, l2=l2, names=("prior",))
    return StoppingFit(
        ChanceOfState(fit_logistic(counts, wrong, l2=l2, names=BY_COUNTS), most),
        ChanceOfScore(platt.intercept, platt.weights.get("prior", 0.0)),
        _moves(judged),
    )


def _moves(trails: Sequence[Sequence[Evidence]]) -> dict[State, Counter[Move]]:
    """What the next probe did, where two evidences are one probe apart and one explains the other."""
    found: dict[State, Counter[Move]] = {}
    for trail in trails:
        for before, after in pairwise(map(state_of, trail)):
            move = next((move for move, state, _ in following(before) if state == after), None)
            if move is not None:
                found.setdefault(before, Counter())[move] += 1
    return found


def fit_costs(cheap: Sequence[bool], large: Sequence[bool], *, probe: float, escalation: float) -> Costs:
    """How often the large model is right beside right and beside wrong answers of the cheap one, each with one success
    and one failure added; `probe` and `escalation` are the prices. Raises ValueError for another number of labels."""
    if len(cheap) != len(large):
        raise ValueError(f"{len(cheap)} labels of cheap answers and {len(large)} of large ones")

    def rate(beside: bool) -> float:
        labels = [right for mine, right in zip(cheap, large, strict=True) if mine is beside]
        return (sum(labels) + 1) / (len(labels) + 2)

    return Costs(
        probe=probe, escalation=escalation, right_when_right=rate(beside=True), right_when_wrong=rate(beside=False)
    )

"""How probable it is that the answer is wrong, by counts and by score: before a fit (METHOD 2.3), and after."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamroute.core.types import Features
from streamroute.uncertainty.combine import DEFAULT_MOST_PROBES, MINORITY_MARGIN, disagreement, no_label_score
from streamroute.uncertainty.fitted import Logistic
from streamroute.uncertainty.stopping.states import State

__all__ = ("ChanceOfScore", "ChanceOfState", "chance_of_score", "chance_of_state", "features_of", "log_odds")


def chance_of_score(score: float) -> float:
    """The probability, not calibrated, that METHOD 2.3 gives a score of the judge."""
    return min(0.98, max(0.02, 0.05 + 0.85 * score))


def chance_of_state(state: State) -> float:
    """The same of a state whose probes contradict the answer, and are unlike it, exactly where they do not agree."""
    return chance_of_score(no_label_score(features_of(state)))


def features_of(state: State, *, most: int = DEFAULT_MOST_PROBES) -> Features:
    """The features of counts, `state.own` known; contradiction and likeness as far as counts tell. `most` probes scale
    the entropy."""
    own = state.own or 0
    share = 1 - own / state.probes if state.probes else 0.0
    return Features(
        disagreement=disagreement(own, state.probes),
        contradiction=share,
        entropy=state.entropy(most),
        snne=share,
        lexical=share,
        minority=bool(state.others) and state.others[0] >= own + 1 + MINORITY_MARGIN,
    )


@dataclass(frozen=True, slots=True)
class ChanceOfState:
    """`chance_of_state`, fitted; `most` as in `features_of`."""

    logistic: Logistic
    most: int = DEFAULT_MOST_PROBES

    def __call__(self, state: State) -> float:
        return self.logistic(features_of(state, most=self.most))


@dataclass(frozen=True, slots=True)
class ChanceOfScore:
    """`chance_of_score`, fitted: sigma(intercept + slope * logit(score)) (Platt 1999; Kull et al. 2017 for the logit).
    Raises ValueError for a negative slope."""

    intercept: float
    slope: float

    def __post_init__(self) -> None:
        if not self.slope >= 0:
            raise ValueError(f"a higher score must not make a wrong answer less probable: the slope is {self.slope}")

    def __call__(self, score: float) -> float:
        return 0.5 * (1 + math.tanh((self.intercept + self.slope * log_odds(score)) / 2))


def log_odds(score: float) -> float:
    """logit(score) of a score pulled in to [0.02, 0.98]: none is worth an infinite one."""
    inside = min(0.98, max(0.02, score))
    return math.log(inside / (1 - inside))

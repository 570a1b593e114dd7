"""A score fitted to labels: the probability that the answer is wrong (METHOD 2.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from streamroute.core.types import Features
from streamroute.uncertainty.combine import no_label_score

__all__ = ("FEATURES", "Logistic", "value_of")

FEATURES = (
    "default",
    "disagreement",
    "contradiction",
    "entropy",
    "snne",
    "lexical",
    "refusal",
    "length",
    "minority",
    "ignorant",
    "doubt",
    "prior",
)
"""What a fit may weigh. `default` is the score without labels: a fit starts from it, and few labels move it little."""


def value_of(x: Features, name: str) -> float | None:
    """One feature as a number; None where it is not known."""
    value = no_label_score(x) if name == "default" else getattr(x, name)
    return None if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Logistic:
    """sigma(intercept + sum of weight times feature). No weight is negative: the score is monotone in every feature, so
    the bounds of the features bound it (METHOD 3.2).

    A feature that is not known counts as the mean that it had in the fit. Raises ValueError for a name that is no
    feature, for a negative weight, for a number that is not finite, and for a weighed feature without a mean.
    """

    intercept: float
    weights: Mapping[str, float]
    means: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if name not in FEATURES:
                raise ValueError(f"there is no feature {name!r}")
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"the weight of {name} is {weight}; weights are finite and not negative")
            if not math.isfinite(self.means.get(name, math.nan)):
                raise ValueError(f"{name} has a weight and no finite mean")
        if not math.isfinite(self.intercept):
            raise ValueError(f"the intercept is {self.intercept}")

    def __call__(self, x: Features) -> float:
        """The probability, in [0, 1]."""
        z = self.intercept
        for name, weight in self.weights.items():
            value = value_of(x, name)
            z += weight * (self.means[name] if value is None else value)
        return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))

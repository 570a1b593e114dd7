"""What probes, escalations and wrong answers cost (METHOD 2.5, 3.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamroute.core.gain import RIGHT_WHERE_RIGHT, RIGHT_WHERE_WRONG

__all__ = ("Costs",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Prices in units of the value of a right answer.

    `probe`: one more probe, its tokens and the wait for it. `escalation`: the large model's answer and the wait for it.
    `right_when_right` and `right_when_wrong`: how often the large model is right where the cheap answer is right, and
    where it is wrong. Raises ValueError unless prices are finite and not negative, the two are probabilities, and
    escalation gains more the likelier the cheap answer is wrong.
    """

    probe: float = 0.002
    escalation: float = 0.05
    right_when_right: float = RIGHT_WHERE_RIGHT
    right_when_wrong: float = RIGHT_WHERE_WRONG

    def __post_init__(self) -> None:
        for name in ("probe", "escalation"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"the price of {name} must be finite and not negative, not {value}")
        for name in ("right_when_right", "right_when_wrong"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}")
        if self.slope <= 0:
            raise ValueError("a large model that is right only where the cheap one is cannot be worth escalating to")

    @property
    def slope(self) -> float:
        """How much more escalation gains per unit of the probability that the cheap answer is wrong."""
        return self.right_when_wrong + 1 - self.right_when_right

    @property
    def limit(self) -> float:
        """The probability of being wrong above which escalation pays: 1 or more where it never does."""
        return (self.escalation + 1 - self.right_when_right) / self.slope

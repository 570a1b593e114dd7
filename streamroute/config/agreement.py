"""How a shadow route tells whether two answers say the same: as the judge does."""

from __future__ import annotations

from streamroute.calibration.labels import differs
from streamroute.config.binding import RULE, THETA
from streamroute.routing.shadow import Differs
from streamroute.uncertainty.base import EntailmentModel
from streamroute.uncertainty.clustering import Comparer
from streamroute.uncertainty.normalize import normalize

__all__ = ("agreement",)


def agreement(model: EntailmentModel | None) -> Differs:
    """By meaning, with `model`; by spelling where a scorer of one's own leaves none."""

    async def by_spelling(question: str, cheap: str, large: str) -> bool | None:
        return normalize(cheap) != normalize(large)

    async def by_meaning(question: str, cheap: str, large: str) -> bool | None:
        assert model is not None
        return await differs(Comparer(model, question, rule=RULE, theta=THETA), question, cheap, large)

    return by_spelling if model is None else by_meaning

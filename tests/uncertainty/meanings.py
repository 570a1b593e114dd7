"""A model that knows what its texts mean: the last word but one. Fixed, so that a test can say who agrees with whom."""

from __future__ import annotations

from collections.abc import Sequence

from streamroute.uncertainty.base import Relation

ENTAILS = Relation(0.9, 0.08, 0.02)
NEUTRAL = Relation(0.05, 0.9, 0.05)
CONTRADICTS = Relation(0.02, 0.08, 0.9)


class Meanings:
    """Entailment is an equivalence: "red fox" and "red hen" mean red. Different meanings contradict each other, but
    those in `neutral` are neutral to all."""

    def __init__(self, neutral: Sequence[str] = ()) -> None:
        self.neutral = frozenset(neutral)
        self.asked: list[tuple[str, str]] = []

    async def relations(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Relation]:
        self.asked += pairs
        return [self._relation(*pair) for pair in pairs]

    def _relation(self, premise: str, hypothesis: str) -> Relation:
        left, right = premise.split()[-2], hypothesis.split()[-2]
        if left == right:
            return ENTAILS
        return NEUTRAL if self.neutral & {left, right} else CONTRADICTS


class Scripted:
    """Gives each directed pair the relation written for it; anything else is neutral."""

    def __init__(self, relations: dict[tuple[str, str], Relation]) -> None:
        self.script = relations
        self.asked: list[tuple[str, str]] = []

    async def relations(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Relation]:
        self.asked += pairs
        return [self.script.get(pair, NEUTRAL) for pair in pairs]

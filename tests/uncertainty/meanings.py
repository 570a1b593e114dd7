"""A model that knows what its texts mean: the last word but one. Fixed, so that a test can say who agrees with whom."""

from __future__ import annotations

from collections.abc import Sequence

from streamroute.uncertainty.base import Pair, Relation, Relations

ENTAILS = Relation(0.9, 0.08, 0.02)
NEUTRAL = Relation(0.05, 0.9, 0.05)
CONTRADICTS = Relation(0.02, 0.08, 0.9)


class Meanings:
    """Entailment is an equivalence: "red fox" and "red hen" mean red. Different meanings contradict each other, but
    those in `neutral` are neutral to all."""

    def __init__(self, neutral: Sequence[str] = ()) -> None:
        self.neutral = frozenset(neutral)
        self.asked: list[Pair] = []

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        self.asked += pairs
        return [Relations(relation, relation) for relation in map(self._relation, pairs)]

    def _relation(self, pair: Pair) -> Relation:
        left, right = pair.a.split()[-2], pair.b.split()[-2]
        if left == right:
            return ENTAILS
        return NEUTRAL if self.neutral & {left, right} else CONTRADICTS


class Scripted:
    """Gives each premise and hypothesis the relation written for them; anything else is neutral."""

    def __init__(self, relations: dict[tuple[str, str], Relation]) -> None:
        self.script = relations
        self.asked: list[Pair] = []

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        self.asked += pairs
        return [Relations(self._directed(a, b), self._directed(b, a)) for _, a, b in pairs]

    def _directed(self, premise: str, hypothesis: str) -> Relation:
        return self.script.get((premise, hypothesis), NEUTRAL)

"""A judge whose every word is written beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamroute.uncertainty.base import Pair, Relation, Relations

ENTAILS = Relation(0.9, 0.08, 0.02)
NEUTRAL = Relation(0.05, 0.9, 0.05)
CONTRADICTS = Relation(0.02, 0.08, 0.9)


class Written:
    """Gives each (premise, hypothesis) the relation written for it; anything else is neutral. `calls` are what it was
    asked, call by call."""

    def __init__(self, relations: Mapping[tuple[str, str], Relation] | None = None) -> None:
        self.script = dict(relations or {})
        self.calls: list[list[Pair]] = []

    def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
        self.calls.append(list(pairs))
        return [
            Relations(self.script.get((pair.a, pair.b), NEUTRAL), self.script.get((pair.b, pair.a), NEUTRAL))
            for pair in pairs
        ]

"""Two answers agree by meaning where there is a model, and by spelling where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from streamroute.config.agreement import agreement
from streamroute.uncertainty.base import Pair, Relations
from tests.evaluation.judges import ENTAILS, Written


class Model:
    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        return Written({("Bern", "It is Berne."): ENTAILS, ("It is Berne.", "Bern"): ENTAILS}).relations(pairs)


async def test_with_a_model_meaning_counts() -> None:
    differs = agreement(Model())
    assert await differs("Which city?", "Bern", "It is Berne.") is False
    assert await differs("Which city?", "Bern", "It is Rome.") is True


async def test_without_one_spelling_does() -> None:
    differs = agreement(None)
    assert await differs("Which city?", "Bern", "bern.") is False
    assert await differs("Which city?", "Bern", "It is Berne.") is True

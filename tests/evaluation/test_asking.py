from __future__ import annotations

from collections.abc import Sequence

import pytest

from streamroute.evaluation.asking import CHUNK, ask
from streamroute.uncertainty.base import Pair, Relations
from tests.evaluation.judges import CONTRADICTS, ENTAILS, NEUTRAL, Written

PAIRS = [Pair("", "x" * (i % 7), str(i)) for i in range(2 * CHUNK + 5)]


def test_answers_come_in_the_order_of_the_pairs() -> None:
    model = Written({(PAIRS[3].a, "3"): ENTAILS, ("130", PAIRS[130].a): CONTRADICTS})
    relations = ask(model, PAIRS).relations
    assert {i: each for i, each in enumerate(relations) if each != Relations(NEUTRAL, NEUTRAL)} == {
        3: Relations(ENTAILS, NEUTRAL),
        130: Relations(NEUTRAL, CONTRADICTS),
    }


def test_pairs_of_similar_length_go_together_the_longest_first() -> None:
    model = Written()
    ask(model, PAIRS)
    assert [len(call) for call in model.calls] == [CHUNK, CHUNK, 5]
    lengths = [sum(map(len, pair)) for call in model.calls for pair in call]
    assert lengths == sorted(lengths, reverse=True)


def test_progress_is_told_after_each_chunk() -> None:
    told: list[int] = []
    ask(Written(), PAIRS, progress=told.append)
    assert told == [CHUNK, 2 * CHUNK, len(PAIRS)]


def test_only_the_model_is_timed() -> None:
    """One second a call of the model, and an hour for whatever hears of the progress."""
    now = 0.0

    class Slow(Written):
        def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
            nonlocal now
            now += 1
            return super().relations(pairs)

    def hour(_: int) -> None:
        nonlocal now
        now += 3600

    answers = ask(Slow(), PAIRS, progress=hour, clock=lambda: now)
    assert answers.seconds == 3
    assert answers.pairs_per_second == len(PAIRS) / 3


def test_a_model_that_leaves_pairs_out_is_not_believed() -> None:
    class Short(Written):
        def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
            return super().relations(pairs[1:])

    with pytest.raises(ValueError, match="zip"):
        ask(Short(), PAIRS)


def test_no_pairs_are_no_calls() -> None:
    model = Written()
    assert ask(model, []).relations == ()
    assert model.calls == []

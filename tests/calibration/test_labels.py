"""Labels by feedback and by agreement."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streamroute.calibration.labels import Feedback, decode_feedback, differs, joined
from streamroute.calibration.records import Record
from streamroute.uncertainty.base import Pair, Relations
from streamroute.uncertainty.clustering import Comparer
from tests.evaluation.judges import CONTRADICTS, ENTAILS, Written

KEPT, ESCALATED = Record(id="a", score=0.2), Record(id="b", score=0.9, escalated=True, wrong=True)


class Model:
    """The written judge, awaited."""

    def __init__(self, said: Written) -> None:
        self._said = said

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        return self._said.relations(pairs)


def test_feedback_is_of_the_answer_that_was_kept_or_of_the_larger_one() -> None:
    kept, escalated = joined([KEPT, ESCALATED], [Feedback("a", False), Feedback("b", True), Feedback("c", True)])
    assert (kept.wrong, kept.large_wrong) == (True, None)
    assert (escalated.wrong, escalated.large_wrong) == (True, False)


def test_the_last_word_counts_and_silence_changes_nothing() -> None:
    assert joined([KEPT], [Feedback("a", False), Feedback("a", True)])[0].wrong is False
    assert joined([KEPT], []) == [KEPT]


def test_feedback_is_read_strictly() -> None:
    assert decode_feedback(b'{"id": "a", "correct": true, "by": "me"}') == Feedback("a", True)
    with pytest.raises(ValueError, match="correct"):
        decode_feedback(b'{"id": "a"}')


def label(cheap: str, large: str) -> bool | None:
    said = Written(
        {
            ("It is Bern.", "The capital is Bern, a city."): ENTAILS,
            ("The capital is Bern, a city.", "It is Bern."): ENTAILS,
            ("It is Rome.", "The capital is Bern, a city."): CONTRADICTS,
        }
    )
    question = "What is the capital of Switzerland?"
    return asyncio.run(differs(Comparer(Model(said), question), question, cheap, large))


def test_what_the_larger_model_says_too_is_taken_for_right() -> None:
    assert label("It is Bern.", "The capital is Bern, a city.") is False
    assert label("It is Rome.", "The capital is Bern, a city.") is True


def test_a_larger_model_that_does_not_know_says_nothing_of_the_answer() -> None:
    assert label("It is Bern.", "I don't know.") is None

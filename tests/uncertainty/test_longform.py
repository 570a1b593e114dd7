"""Long answers against samples, by a model that says of each pair what the test wrote."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.types import Sample
from streamroute.uncertainty.base import Pair, Relation, Relations
from streamroute.uncertainty.judge import SemanticEntropy
from streamroute.uncertainty.longform import (
    LongForm,
    Mode,
    SentenceCheck,
    Support,
    checkable,
    choose_mode,
    directional_support,
)

ENTAILS = Relation(0.9, 0.08, 0.02)
NEUTRAL = Relation(0.02, 0.95, 0.03)
CONTRADICTS = Relation(0.02, 0.08, 0.9)


class Told:
    """Says what is written for a hypothesis; of anything else, nothing."""

    def __init__(self, forward: Mapping[str, Relation]) -> None:
        self.forward = forward
        self.batches: list[Sequence[Pair]] = []

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        self.batches.append(list(pairs))
        return [Relations(self.forward.get(pair.b, NEUTRAL), NEUTRAL) for pair in pairs]


BUILT = "The tower was built in 1889."
TALL = "It is 330 metres tall."
STANDS = "It stands in Paris."
PAINTED = "It was painted green."
ANSWER = f"Sure! {BUILT} {TALL} {STANDS} {PAINTED}"
OTHER = "The tower was built in 1925. It is 200 metres tall. It stands in Rome."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ANSWER, [BUILT, TALL, STANDS, PAINTED]),
        ("Sure! I hope this helps. Is it so? Let me know if Paris is meant.", []),
        ("## The History of Rome\nThe founders:\nRome grew on seven hills.", ["Rome grew on seven hills."]),
        ("```python\nx = 1 is 5\n```\nThat is one.", ["That is one."]),
        ("So be it then.", []),
        ("", []),
    ],
)
def test_what_states_a_fact_is_checkable(text: str, found: list[str]) -> None:
    assert checkable(text) == found


def test_a_sentence_that_is_still_written_or_only_asks_again_is_not_checkable() -> None:
    assert checkable(f"{BUILT} It is 3", finished=False) == [BUILT]
    assert checkable(BUILT, ["tower", "was", "built", "in", "1889"]) == []


async def test_each_sentence_is_held_against_what_is_most_like_it_in_one_call() -> None:
    model = Told({BUILT: CONTRADICTS, TALL: ENTAILS})
    found = await SentenceCheck(model).check(ANSWER, [OTHER, OTHER.replace("Rome", "Lyon")])
    assert found is not None
    assert found.sentences == (BUILT, TALL, STANDS)
    assert found.per_sentence[0] == pytest.approx(0.9 / 0.92)
    assert found.per_sentence[1] == pytest.approx(0.02 / 0.92)
    assert found.per_sentence[2] is None
    assert found.worst == pytest.approx(0.9 / 0.92)
    assert found.mean == pytest.approx((0.9 + 0.02) / 0.92 / 2)
    (batch,) = model.batches
    assert len(batch) <= 3 * 2
    assert all(pair.context == "" for pair in batch)
    assert batch[0].a.startswith("The tower was built in 1925.")
    assert batch[0].b == BUILT


async def test_the_decision_reads_three_sentences_and_the_report_all() -> None:
    model = Told({PAINTED: CONTRADICTS, BUILT: ENTAILS})
    sample = OTHER + " It was painted red."
    report = await SentenceCheck(model).check(ANSWER, [sample], most=None)
    assert report is not None
    assert report.sentences[-1] == PAINTED
    assert report.worst == pytest.approx(0.02 / 0.92)
    assert report.mean == pytest.approx((0.02 + 0.9) / 0.92 / 2)
    assert report.per_sample[0] == pytest.approx(0.02 / 0.92)


async def test_no_information_is_not_agreement() -> None:
    assert await SentenceCheck(Told({})).check(ANSWER, [OTHER]) is None
    assert await SentenceCheck(Told({})).check("Sure!", [OTHER]) is None
    assert await SentenceCheck(Told({})).check(ANSWER, []) is None
    assert await SentenceCheck(Told({})).check(ANSWER, ["Bananas ripen quickly"]) is None


async def test_the_same_words_need_no_model_and_nothing_is_asked_twice() -> None:
    model = Told({BUILT: ENTAILS, TALL: ENTAILS, STANDS: ENTAILS})
    check = SentenceCheck(model)
    same = await check.check(ANSWER, [ANSWER.upper()])
    assert same is not None
    assert (same.worst, check.pairs) == (0.0, 0)
    await check.check(ANSWER, [OTHER])
    first = check.pairs
    await check.check(ANSWER, [OTHER, OTHER])
    assert check.pairs == first
    assert len(model.batches) == 1


@pytest.mark.parametrize(
    ("lengths", "extracted", "mode"),
    [
        ([], False, Mode.CLUSTER),
        ([40, 40, 900], False, Mode.CLUSTER),
        ([10, 41, 900], False, Mode.PAIRWISE),
        ([900], True, Mode.CLUSTER),
    ],
)
def test_long_texts_are_compared_two_by_two(lengths: list[int], extracted: bool, mode: Mode) -> None:
    assert choose_mode(["word " * n for n in lengths], extracted=extracted) is mode


def test_a_long_text_agrees_with_what_it_entails_and_neutral_is_unknown() -> None:
    found = directional_support(
        [
            Relations(ENTAILS, NEUTRAL),
            Relations(NEUTRAL, ENTAILS),
            Relations(ENTAILS, CONTRADICTS),
            Relations(CONTRADICTS, NEUTRAL),
        ]
    )
    assert found == Support(1, 2, 1)
    assert found.agreement == pytest.approx(1 / 3)
    assert directional_support([Relations(NEUTRAL, NEUTRAL)]).agreement is None


SCORE = st.none() | st.floats(0, 1)


@given(st.lists(st.lists(SCORE, min_size=2, max_size=2), min_size=1, max_size=5))
def test_what_is_known_is_bounded_by_its_parts(scores: list[list[float | None]]) -> None:
    found = LongForm(tuple("s" * len(scores)), tuple(map(tuple, scores)))
    known = [value for row in scores for value in row if value is not None]
    assert (found.mean is None) == (not known)
    if found.mean is not None:
        assert min(known) - 1e-9 <= found.mean <= max(known) + 1e-9
    decisive = [value for value in found.per_sample if value is not None]
    if found.worst is not None:
        assert found.worst <= max(decisive) + 1e-9


LONG = (
    f"{BUILT} {TALL} {STANDS} It has three floors, two of which have restaurants, and lifts that carry most of its "
    "visitors up, while others climb the stairs on foot to the second floor, from where only lifts go further up."
)


async def judged(model: Told, answer: str, *samples: str, expected: int = 2) -> tuple[float, float, float, int]:
    session = SemanticEntropy(model).session("")
    found = await session.evaluate(
        answer=answer, answer_finished=True, samples=[Sample(text) for text in samples], expected=expected
    )
    return found.low, found.score, found.high, found.nli_pairs


async def test_the_judge_reads_beyond_the_first_claim_of_long_texts() -> None:
    # The first claims are alike, so clustering asks nothing and finds all the same.
    other = LONG.replace("330", "200")
    agreeing = await judged(Told({TALL: ENTAILS}), LONG, other, other.replace("three", "five"))
    contradicting = await judged(Told({TALL: CONTRADICTS}), LONG, other, other.replace("three", "five"))
    assert contradicting[3] > 0
    assert agreeing[1] < contradicting[1]


async def test_certificates_hold_for_long_texts() -> None:
    model = Told({TALL: CONTRADICTS})
    samples = [LONG.replace("330", "200"), LONG.replace("330", "100")]
    low, score, high, _ = await judged(model, LONG, samples[0])
    _, final, _, _ = await judged(model, LONG, *samples)
    assert low <= score <= high
    assert low <= final <= high


async def test_short_texts_are_not_taken_apart() -> None:
    model = Told({})
    assert (await judged(model, "It is Paris.", "It is Paris.", "it is paris"))[3] == 0

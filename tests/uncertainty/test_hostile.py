"""Whatever a model writes, each pure function gives a defined result, for work that grows no faster than the text.

Patterns that try a long run in many ways take minutes on these texts where others take milliseconds, so no clock is
needed to notice one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamroute.uncertainty.base import Pair, Relation, Relations
from streamroute.uncertainty.extract import extract, is_arithmetic, is_polar, number_of, numbers
from streamroute.uncertainty.gist import MAX_CHARS, MAX_CLAIM_CHARS, gist, gist_of_growing
from streamroute.uncertainty.guards import same
from streamroute.uncertainty.longform import SentenceCheck, checkable, choose_mode
from streamroute.uncertainty.normalize import normalize, split_sentences, tokens
from streamroute.uncertainty.refusals import stance
from streamroute.uncertainty.structure import structural, structured

PURE: list[Callable[[str], object]] = [
    normalize, tokens, split_sentences, numbers, number_of, extract, is_arithmetic, is_polar, stance, structured,
    checkable, gist, gist_of_growing,
]  # fmt: skip

NINES = "9" * 10_000
ODD = [
    "", " ", "\n\n", "?!...", "\0\x01\x1b[31m", "\ud800", "\udfff\ud800", "Πаris 東京 \u202eabc", "🙂👩\u200d👧",
    "e\u0301\u0301", "İ", "½²ﬁ", "٣/٤ and ٣٤", "٣٤ May ١٩٩٩", "1e999", "1/0",
    NINES, f"-{NINES}.{NINES}", f"#### {NINES}", f"\\boxed{{{NINES}}}", f"The answer is {NINES}", f"{NINES}/{NINES}",
    '{"a": 1e999}', '{"a": NaN, "b": [Infinity, -Infinity]}', '{"a": 1e999999999999999999999}', f'{{"a": {NINES}}}',
    '{"\\ud800": "\\udfff"}', '{"a": 1, "a": 2}', "[" * 10_000, "{" * 10_000, "[" * 60 + "]" * 60,
    "[" * 500 + "]" * 500, '{"a":' * 900 + "1" + "}" * 900,
    "```", "``````", "```python\n", "```python\n\0\n```", "```json\n[NaN]\n```", "x = 0x" + "f" * 6_000 + "\nprint(x)",
]  # fmt: skip

RUNS = [
    " ", "\n", ".", "a. ", "1. ", "(", "[", "{", "[a](", '"', "`", "``` ", "/*", "#", "#### ", "answer: ", "the ",
    "yes ", "$", "$1", "1,", "1/", "9", "-", "*", "\\boxed{", "🙂", "\ud800", "\0", "我", "two ", "a hundred ",
    "i can't ", "½", "sorry ", "x=1\n", "[[", '{"a":', "no ", "!a", "5 may ", "cannot ",
]  # fmt: skip


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_odd_texts_have_a_defined_result(text: str) -> None:
    for function in PURE:
        assert function(text) == function(text)
    assert same(gist(text), gist(text)) in (True, False)
    found = structural(text, text)
    assert found is None or (found.equivalent, found.agreement) == (True, 1.0)
    gist("Paris.", text)


def calls_made(function: Callable[[str], object], text: str) -> int:
    """How many calls of Python code `function` makes: work that can be counted exactly."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    function(text)  # what is compiled once is no work on this text
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function(text)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("run", RUNS)
def test_work_grows_with_the_text_and_no_faster(run: str) -> None:
    for text in (run, "a " + run):
        short, long = (text + run * (n // len(run)) + " .x" for n in (2_500, 10_000))  # longer than what is remembered
        for function in (gist, gist_of_growing, checkable, structured):
            assert calls_made(function, long) <= 8 * calls_made(function, short) + 1_000


@pytest.mark.parametrize(
    "run", [" ", "\n", ".", "a. ", "[", '"', "/*", "answer: ", "#", "(", "\\boxed{", "9", "```", "yes "]
)
def test_long_runs_are_not_tried_in_many_ways(run: str) -> None:
    text = "a" + run * (MAX_CHARS // len(run)) + "x"
    for function in (split_sentences, extract, is_polar, stance, structured):
        function(text)


def test_a_megabyte_is_read_up_to_a_limit() -> None:
    for text in ("word " * 200_000, "9" * 10**6, "[" * 10**6, "It is 5. " * 110_000):
        found = gist(text)
        assert found == gist(text[: MAX_CHARS + 1])
        assert len(found.claim) <= MAX_CLAIM_CHARS
        gist_of_growing(text)
        assert structured(text) is None
        assert len(checkable(text)) <= 100
        choose_mode([text])


class Indifferent:
    def __init__(self) -> None:
        self.batches: list[int] = []

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        self.batches.append(len(pairs))
        relation = Relation(0.4, 0.2, 0.4)
        return [Relations(relation, relation)] * len(pairs)


async def test_two_hundred_samples_are_one_call_of_at_most_three_pairs_each() -> None:
    model = Indifferent()
    answer = "It is 5 metres tall. It was built in 1889. It stands in Paris. It has 3 floors."
    samples = [f"It is {i} metres tall. It was built in {i}. It stands in Town {i}." for i in range(200)]
    found = await SentenceCheck(model).check(answer, samples)
    assert found is not None
    assert len(found.per_sample) == 200
    assert len(model.batches) == 1
    assert model.batches[0] <= 3 * 200


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(), max_size=60) | st.text("`{}[]\\\"'#$1/.,:\n a=()", max_size=60))
def test_any_text_at_all(text: str) -> None:
    for function in PURE:
        function(text)
    found = structural(text, text)
    assert found is None or (found.equivalent, found.agreement) == (True, 1.0)

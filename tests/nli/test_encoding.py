import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.nli.encoding import BATCH_TOKENS, PairEncoder, Row, batches
from streamroute.uncertainty.base import Pair

CLS, SEP = 1, 2


class Numbers:
    """A tokenizer of numbers: "7 8" is [7, 8]. Remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self, text: str) -> list[int]:
        self.given.append(text)
        return [int(word) for word in text.split() if word.isdigit()]


def encoder(directions: int, max_tokens: int = 128, tokenise: Numbers | None = None) -> PairEncoder:
    return PairEncoder(tokenise or Numbers(), cls=CLS, sep=SEP, directions=directions, max_tokens=max_tokens)


def numbers(first: int, count: int) -> str:
    return " ".join(str(first + i) for i in range(count))


def test_two_directions_share_one_row_with_the_context_as_its_own_segment() -> None:
    assert encoder(2).rows([Pair("30 31", "40", "50 51")]) == [
        Row([CLS, 30, 31, SEP, 40, SEP, 50, 51, SEP], [0, 2, 2, 2, 0, 0, 1, 1, 1])
    ]


def test_an_empty_context_leaves_no_trace() -> None:
    assert encoder(2).rows([Pair("", "40", "50")]) == [Row([CLS, 40, SEP, 50, SEP], [0, 0, 0, 1, 1])]
    assert encoder(2).rows([Pair("?", "40", "50")]) == encoder(2).rows([Pair("", "40", "50")])


def test_one_direction_takes_two_rows_with_the_context_before_both_texts() -> None:
    assert encoder(1).rows([Pair("30", "40", "50 51"), Pair("", "41", "")]) == [
        Row([CLS, 30, 40, SEP, 30, 50, 51, SEP], [0, 0, 0, 0, 1, 1, 1, 1]),
        Row([CLS, 30, 50, 51, SEP, 30, 40, SEP], [0, 0, 0, 0, 0, 1, 1, 1]),
        Row([CLS, 41, SEP, SEP], [0, 0, 0, 1]),
        Row([CLS, SEP, 41, SEP], [0, 0, 1, 1]),
    ]


def test_no_text_is_tokenised_twice() -> None:
    tokenise = Numbers()
    encoder(1, tokenise=tokenise).rows([Pair("30", "40", text) for text in ("50", "51", "40")])
    assert sorted(tokenise.given) == ["30", "40", "50", "51"]


def test_a_long_context_loses_its_beginning_before_a_text_loses_anything() -> None:
    a, b = range(300, 306), range(500, 507)
    pair = Pair(numbers(100, 50), numbers(300, 6), numbers(500, 7))
    assert encoder(2, 20).rows([pair])[0].ids == [CLS, 147, 148, 149, SEP, *a, SEP, *b, SEP]
    assert encoder(1, 20).rows([pair])[0].ids == [CLS, 148, 149, *a, SEP, 148, 149, *b, SEP]
    assert 2 not in encoder(2, 17).rows([pair])[0].types


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(
    ("a", "b", "left_of_a", "left_of_b"),
    [(60, 4, 13, 4), (4, 60, 4, 13), (60, 60, 8, 9), (9, 60, 8, 9), (10, 9, 8, 9), (10, 7, 10, 7)],
)
def test_the_longer_text_loses_its_end_down_to_half_of_the_room(
    directions: int, a: int, b: int, left_of_a: int, left_of_b: int
) -> None:
    row = encoder(directions, 20).rows([Pair("30 31", numbers(300, a), numbers(500, b))])[0]
    assert row.ids == [CLS, *range(300, 300 + left_of_a), SEP, *range(500, 500 + left_of_b), SEP]


TEXT = st.lists(st.integers(10, 99), max_size=40).map(lambda ids: " ".join(map(str, ids)))


@given(st.sampled_from([1, 2]), st.integers(8, 64), TEXT, TEXT, TEXT)
def test_every_row_fits_and_begins_and_ends_as_it_must(
    directions: int, most: int, context: str, a: str, b: str
) -> None:
    rows = encoder(directions, most).rows([Pair(context, a, b)])
    assert len(rows) == 2 // directions
    for row in rows:
        assert len(row.ids) == len(row.types) <= most
        assert (row.ids[0], row.ids[-1], row.types[-1]) == (CLS, SEP, 1)
        assert row.ids.count(SEP) == 2 + (2 in row.types)
        for text, segment in ((a, 0), (b, 1)) if row is rows[0] else ((b, 0), (a, 1)):
            own = [i for i, t in zip(row.ids[1:], row.types[1:], strict=True) if t == segment and i != SEP]
            assert len(own) >= min(len(text.split()), (most - 3) // 4)


def test_texts_are_cut_before_they_are_tokenised() -> None:
    tokenise = Numbers()
    encoder(2, tokenise=tokenise).rows([Pair("x" * 1_000_000 + " 30", "40 " + "x" * 1_000_000, "50")])
    assert max(map(len, tokenise.given)) <= 4_000
    assert {text.split()[-1] for text in tokenise.given} >= {"30", "50"}
    assert any(text.startswith("40 ") for text in tokenise.given)


def test_the_tokenizer_is_given_valid_unicode_only() -> None:
    tokenise = Numbers()
    encoder(2, tokenise=tokenise).rows([Pair("", "40 \ud800", "50 \ud83d\ude00 \U0001f600")])
    assert set(tokenise.given) == {"", "40 \ufffd", "50 \U0001f600 \U0001f600"}


@given(st.lists(st.integers(1, 600), max_size=80), st.integers(1, 2_000))
def test_every_row_runs_once_within_the_tokens_of_a_batch(lengths: list[int], most: int) -> None:
    found = list(batches(lengths, most=most))
    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    for batch in found:
        longest = max(lengths[i] for i in batch)
        assert len(batch) == 1 or len(batch) * longest <= most


def test_rows_of_unlike_length_run_apart() -> None:
    assert list(batches([10, 100, 12, 500])) == [[0, 2], [1], [3]]
    assert max(map(len, batches([32] * 100))) == BATCH_TOKENS // 32

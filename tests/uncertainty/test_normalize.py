import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.normalize import normalize, split_sentences, token_f1, tokens


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("**Canberra**", "canberra"),
        ("The Eiffel Tower.", "Eiffel tower"),
        ("Twenty-one", "21"),
        ("1,234 km", "1234 kilometres"),
        ("$5", "five dollars"),
        ("50%", "fifty percent"),
        ("May 27, 1937", "27th of May 1937"),
        ("Sept. 3, 2001", "2001-09-03"),
        ("It isn't so", "it is not so"),
        ("can't", "cannot"),
        ("\ufb01ve", "5"),
        ("[Paris](link)", "Paris"),
        ("William Shakespeare\u2019s", "william shakespeare"),
        ("two and a half", "2.5"),
        ("2\u00bd cups", "2 1/2 cups"),
        ("1.5k people", "1500 people"),
        ("a dozen", "12"),
        ("June 5th, 1999", "5 June 1999"),
        ("25/12/1999", "December 25, 1999"),
        ("1999/06/05", "1999-06-05"),
        ("10 km", "10kilometers"),
        ("$5 million", "5,000,000 dollars"),
        ("US$5bn", "5 billion dollars"),
        ("$5m", "5 million dollars"),
        ("\u20ac5.00", "5 euros"),
        ("100 km/h", "100 kilometres per hour"),
        ("20\u00b0C", "20 degrees Celsius"),
    ],
)
def test_different_writings_of_the_same_are_equal(one: str, other: str) -> None:
    assert normalize(one) == normalize(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.5", "35"),
        ("-3", "3"),
        ("Paris", "Paris, Texas"),
        ("is", "is not"),
        ("10 m", "10 km"),
        ("1937", "1938"),
        ("A", "B"),
        ("6/5/1999", "5 June 1999"),
        ("6/5/1999", "6 May 1999"),
        ("1990s", "1990"),
        ("5m", "5 million"),
        ("3/4", "3 4"),
        ("version 1.10", "version 1.1"),
        ("half", "0.5"),
    ],
)
def test_what_means_something_survives(one: str, other: str) -> None:
    assert normalize(one) != normalize(other)


def test_a_range_is_two_numbers_not_a_negative_one() -> None:
    assert tokens("12-13") == ["12", "13"]


@given(st.text())
def test_every_text_has_a_canonical_spelling_of_plain_words(text: str) -> None:
    assert normalize(text) == " ".join(normalize(text).split())


@given(st.text("abAB12 .,%-", max_size=20))
def test_case_and_markup_never_matter(text: str) -> None:
    assert normalize(f" **{text.upper()}** ") == normalize(text.lower())


WORDS = st.lists(st.sampled_from("abcd"), max_size=6)


@given(WORDS, WORDS)
def test_token_f1_is_a_symmetric_share(a: list[str], b: list[str]) -> None:
    value = token_f1(a, b)
    assert value == token_f1(b, a)
    assert 0 <= value <= 1
    assert (value == 1) == (sorted(a) == sorted(b))


def test_token_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    # 2 shared words: precision 2/2, recall 2/4.
    assert token_f1(["a", "b"], ["a", "b", "c", "d"]) == pytest.approx(2 * 1 * 0.5 / 1.5)


@pytest.mark.parametrize(
    ("text", "finished", "rest"),
    [
        ("Hello. I am Dr. Smith. And", ["Hello.", "I am Dr. Smith."], "And"),
        ("J. K. Rowling wrote it.", ["J. K. Rowling wrote it."], ""),
        ("1. One. 2. Two. etc. and", ["1. One.", "2. Two."], "etc. and"),
        ("It is 3.5 km. Yes", ["It is 3.5 km."], "Yes"),
        ("It is 3.", [], "It is 3."),
        ('He said "no." Then', ['He said "no."'], "Then"),
        ("1. Paris\n2. Rome\n", ["1. Paris", "2. Rome"], ""),
        ("Really?! Yes!", ["Really?!", "Yes!"], ""),
        ("", [], ""),
    ],
)
def test_sentences_end_where_they_end(text: str, finished: list[str], rest: str) -> None:
    assert split_sentences(text) == (finished, rest)


@given(st.text(alphabet="aB1 .!?\n\"'", max_size=60))
def test_splitting_loses_only_white_space(text: str) -> None:
    finished, rest = split_sentences(text)
    assert "".join("".join([*finished, rest]).split()) == "".join(text.split())

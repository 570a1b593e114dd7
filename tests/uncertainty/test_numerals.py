from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.numerals import digits, spelt_fraction

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety"


def spelt(n: int) -> str:
    """English words for n, written independently of the parser."""
    for size, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if n >= size:
            rest = n % size
            return f"{spelt(n // size)} {name}" + (f" {spelt(rest)}" if rest else "")
    if n < 20:
        return ONES.split()[n]
    return TENS.split()[n // 10] + (f" {ONES.split()[n % 10]}" if n % 10 else "")


@given(st.integers(0, 10**12 - 1))
def test_every_spelt_number_reads_back(n: int) -> None:
    assert digits(["about", *spelt(n).split(), "people"]) == ["about", str(n), "people"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("two hundred and five", "205"),
        ("2.5 million", "2500000"),
        ("3 thousand", "3000"),
        ("two three", "2 3"),
        ("two and three", "2 and 3"),
        ("five two thousand", "5 2000"),
        ("one of them", "one of them"),
        ("no one", "no one"),
        ("the third man", "the 3rd man"),
        ("hundred", "hundred"),
        ("a hundred and five", "105"),
        ("a million", "1000000"),
        ("two and a half", "2.5"),
        ("2 and a half million", "2500000"),
        ("half a dozen eggs", "6 eggs"),
        ("two dozen", "24"),
        ("dozens", "dozens"),
        ("half of them", "half of them"),
        ("1937 was", "1937 was"),
    ],
)
def test_reads_as_a_person_would(written: str, read: str) -> None:
    assert " ".join(digits(written.split())) == read


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("half", Fraction(1, 2)),
        ("a third", Fraction(1, 3)),
        ("Three quarters.", Fraction(3, 4)),
        ("two-thirds", Fraction(2, 3)),
        ("third", None),
        ("half-time", None),
        ("half of 3", None),
        ("", None),
    ],
)
def test_a_fraction_in_words_is_read_where_it_is_all_there_is(written: str, value: Fraction | None) -> None:
    assert spelt_fraction(written) == value

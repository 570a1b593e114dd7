from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.extract import numbers
from streamroute.uncertainty.gist import gist
from streamroute.uncertainty.guards import same
from streamroute.uncertainty.normalize import tokens


def settled(a: str, b: str, question: str = "") -> bool | None:
    left, right = gist(a, question), gist(b, question)
    asked, given_numbers = frozenset(tokens(question)), frozenset(numbers(question))
    verdict = same(left, right, asked=asked, given=given_numbers)
    assert verdict is same(right, left, asked=asked, given=given_numbers)
    return verdict


@pytest.mark.parametrize(
    ("a", "b", "question"),
    [
        ("Canberra.", "**canberra**", ""),
        ("Canberra", "The capital of Australia is Canberra.", "What is the capital of Australia?"),
        ("#### 7", "The answer is seven.", ""),
        ("The answer is 0.3333333333", "The answer is 1/3", ""),
        ("B) it is", "The answer is B", "A) x B) y"),
        ("Yes, since it rains.", "Yes. I think so.", "Does it?"),
        ("I don't know.", "I'm not sure.", ""),
        ("It was May 27, 1937", "It was 27 May 1937.", ""),
        ("The answer is 3/4", "The answer is three quarters.", ""),
        ("The answer is 3/4", "The answer is 0.75", ""),
        ('{"t": ["x", "y"], "n": 1}', '{"n": 1.0, "t": ["y", "x"]}', ""),
        ("```python\ndef f(a): return a\n```", "Sure:\n```py\ndef f(b):\n    return b  # it\n```", ""),
        ('[{"name": "f", "arguments": "{}"}]', '[{"name": "f", "arguments": {}}]', ""),
        ("It is eighteen.", "So 30 - 12 leaves 18.", "A class of 30 has 12 boys. How many girls?"),
    ],
)
def test_the_same_without_a_model(a: str, b: str, question: str) -> None:
    assert settled(a, b, question) is True


@pytest.mark.parametrize(
    ("a", "b", "question"),
    [
        ("It opened in 1937.", "It was opened in 1936.", ""),
        ("#### 7", "#### 8", ""),
        ("A", "B", "A) x B) y"),
        ("Yes, it does.", "No.", "Does it?"),
        ("I don't know.", "It is Paris.", ""),
        ("I don't know.", "I can't help with that.", ""),
        ('{"a": 1}', '{"a": 2}', ""),
        ('{"a": "x"}', '{"b": "x"}', ""),
        ("```python\ndef f(a): return a\n```", "```python\ndef f(a): return -a\n```", ""),
        ('[{"name": "f", "arguments": {}}]', '[{"name": "g", "arguments": {}}]', ""),
        ('{"a": 1}', '[{"name": "g", "arguments": {}}]', ""),
        ('{"at": [1, 2]}', '{"at": [2, 1]}', ""),
        ("The answer is 50%", "The answer is 0.4", ""),
        ("", "Paris", ""),
        ("To solve it, multiply.", "To solve this, multiply both.", "What is 23 multiplied by 7?"),
        ("To solve it, multiply both.", "It is 161.", "What is 23 multiplied by 7?"),
        ("Multiply both. Begin.", "Multiply both. Or do not.", "What is 23 multiplied by 7?"),
    ],
)
def test_different_without_a_model(a: str, b: str, question: str) -> None:
    assert settled(a, b, question) is False


@pytest.mark.parametrize(
    ("a", "b", "question"),
    [
        ("It is Paris.", "The city on the Seine.", ""),
        ("Australia", "The capital of Australia is Canberra.", "What is the capital of Australia?"),
        ("Paris", "It is not Paris.", ""),
        ("Paris", "Paris or Rome.", ""),
        ("Paris", "Paris has 2 million inhabitants.", ""),
        ("In 1937 by John", "In 1937 by Mary", ""),
        ("The 2 of them", "All the 5 of them", "Did the 2 or the 5 win, who?"),
        ('{"a": "Paris"}', '{"a": "city of Paris"}', ""),
        ("The answer is Paris", "The answer is Lutetia", ""),
        ("The answer is 50%", "The answer is 0.5", ""),
        ("It was 3/4 of them.", "It was 0.75 of all.", ""),
        ("In the 1990s.", "It was 1995.", ""),
        ('{"a": 1}', "It is a one.", ""),
    ],
)
def test_a_model_must_be_asked(a: str, b: str, question: str) -> None:
    assert settled(a, b, question) is None


SAYINGS = st.sampled_from(
    ["Paris", "It is Paris", "not Paris", "5", "6", "The answer is 5", "I don't know", "", "Yes", "No"]
)


@given(SAYINGS, SAYINGS, st.sampled_from(["", "Is it Paris?", "What is 2 + 3?"]))
def test_the_order_of_the_two_does_not_matter(a: str, b: str, question: str) -> None:
    verdict = settled(a, b, question)
    assert verdict is True or a != b


def test_numbers_of_the_question_say_nothing() -> None:
    a, b = gist("5 of them left"), gist("6 of them left")
    assert same(a, b) is False
    assert same(a, b, given={Fraction(5)}) is None


def test_a_year_in_passing_does_not_settle_who_it_was() -> None:
    asked = tokens("Who wrote the song?")
    a = gist("The song was written by Billy Hill in the year 1936.")
    b = gist("It was Billy Hill who wrote the song, recorded by Benny Goodman in 1951.")
    assert same(a, b, asked=asked) is None
    assert same(a, b, asked=tokens("When was the song written?")) is False
    assert same(gist("1936"), b, asked=asked) is False

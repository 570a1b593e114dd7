from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.cli.grading import Kind, is_right, last_number, normalise

WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("The capital is Paris.", "Paris", True),
        ("It is PARIS!", "paris", True),
        ("**Paris**, of course", "Paris", True),
        ("Parisian cafés", "Paris", False),
        ("Gabriel García Marquez", "García Márquez", True),
        ("the Polish złoty", "zloty", True),
        ("K", "K", True),
        ("Kalium", "K", False),
        ("H₂O", "H2O", True),
        ("It has three lines of symmetry.", "3", True),
        ("Seventy-six trombones", "76", True),
        ("Sixty minutes", "60", True),
        ("It has 12 of them", "twelve", True),
        ("It has thirty-three", "3", False),
        ("One of them has", "1", False),
        ("", "Paris", False),
    ],
)
def test_a_free_answer_is_right_when_an_alias_stands_in_it_as_whole_words(answer: str, gold: str, right: bool) -> None:
    assert is_right(answer, [gold], "free") is right


def test_any_alias_will_do() -> None:
    assert is_right("It was da Vinci.", ["Leonardo", "da Vinci"], "free")


def test_an_alias_of_nothing_but_punctuation_makes_no_answer_right() -> None:
    assert not is_right("anything", ["?!"], "free")


@given(
    before=st.lists(WORDS, max_size=4), gold=st.lists(WORDS, min_size=1, max_size=3), after=st.lists(WORDS, max_size=4)
)
def test_words_around_an_alias_never_hide_it(before: list[str], gold: list[str], after: list[str]) -> None:
    answer = ", ".join([*before, " ".join(gold), *after])
    assert is_right(answer.upper(), [" ".join(gold)], "free")


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_number_is_read_by_value_however_it_is_written(value: int) -> None:
    for written in (f"{value}", f"{value:,}", f"{value}.", f"${value}", f"{value}.0", f"({value})", f"= {value} km"):
        assert last_number(f"The answer is {written}") == value


@given(st.integers(min_value=1, max_value=10**6), st.integers(min_value=1, max_value=10**6))
def test_the_last_number_counts(first: int, last: int) -> None:
    assert last_number(f"from {first} to {last}") == last


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("eight legs", 8),
        ("Twenty-one", 21),
        ("ninety nine balloons", 99),
        ("fourteen", 14),
        ("someone often", None),
        ("no number", None),
        ("-5 degrees", -5),
        ("−5 degrees", -5),
        ("about .5", Decimal("0.5")),
        ("3 apples, one of them red", 3),
        ("H2O", None),
        ("1,000,000", 1_000_000),
    ],
)
def test_numbers_are_found_in_words_and_signs(text: str, value: Decimal | int | None) -> None:
    assert last_number(text) == value


def test_numbers_of_the_question_count_only_when_there_are_no_others() -> None:
    question = "What is the square root of 196?"
    assert is_right("14 is the square root of 196.", ["14"], "number", question=question)
    assert is_right("196.", ["196"], "number", question=question)
    assert not is_right("The square root of 196 is 196.", ["14"], "number", question=question)


@pytest.mark.parametrize(
    ("answer", "question", "value"),
    [
        ("So, 6 - 1 = 5 more kids", "5 kids on Tuesday, 6 on Monday. How many more on Monday?", 5),
        ("6 pages - 1 page = 5", "5 and 6 pages?", 5),
        ("They used 37 * 7", "37 were sold, 7 are on each shelf. How many shelves?", None),
        ("There are 7 on each shelf, so 37 * 7", "37 were sold, 7 are on each shelf. How many shelves?", None),
        ("14, since 14 × 14 = 196", "What is the square root of 196?", 14),
        ("4 = 2 + 2", "What is 2 + 2?", 4),
        ("6 - 8 = 2 emails", "6 emails and 8 emails?", 2),
        ("5 + 2 = 7, less 2. The answer is: 5. Of 7.", "5 pages and 2 pages?", 7),
        ("5 + 2 = 7\n#### 5", "5 pages and 2 pages?", 5),
        ("5 + 2 = 7. The answer is: 10 - 8 = 2", "5 pages and 2 pages?", 2),
        ("#### 5\nThe answer is: five, and the answer is", "", 5),
        ("The answer is 9. No: the answer is 5.", "5 pages and 2 pages?", 5),
        ("-5", "", -5),
        ("2 well-known ones of 3", "", 3),
    ],
)
def test_a_number_is_what_a_text_comes_to_not_what_it_works_with(answer: str, question: str, value: int | None) -> None:
    assert last_number(answer, ignoring=question) == value


@pytest.mark.parametrize(
    ("answer", "question", "gold", "right"),
    [
        ("The language spoken in Ghana is English.", "what language do they speak in ghana?", "English Language", True),
        ("She had cervical problems", "what type of cancer did she have?", "Cervical cancer", True),
        ("Sark, of course", "Which island's parliament is it?", "Sark Island", True),
        ("The Ashanti", "Who lives in Ghana?", "Ashanti Language", False),
        ("The gulf war was in the Persian desert", "where was the first gulf war?", "Persian Gulf", False),
        ("All the tongues", "Which language is spoken?", "The Language", False),
        ("French people speak Esperanto", "What language do French people speak?", "French Language", False),
    ],
)
def test_the_noun_that_a_question_asks_for_may_be_left_out(answer: str, question: str, gold: str, right: bool) -> None:
    assert is_right(answer, [gold], "free", question=question) is right


@pytest.mark.parametrize(
    ("answer", "question", "gold", "right"),
    [
        ("The first album by Van Halen came out in 1990.", "what was van halen's first album?", "Van Halen", False),
        ("Their first album was Van Halen.", "what was van halen's first album?", "Van Halen", True),
        ("Van Halen", "what was van halen's first album?", "Van Halen", True),
        ("It was written by Anne Frank", "Who wrote the diary of Anne Frank?", "Anne Frank", True),
        ('The longest on a typewriter is "AZB".', "The longest word on a typewriter?", "Typewriter", False),
        ('The longest on a typewriter is "typewriter".', "The longest word on a typewriter?", "Typewriter", True),
        ("London has more people than Paris.", "Which is larger, Paris or London?", "London", True),
    ],
)
def test_an_alias_out_of_the_question_counts_where_it_is_given_as_the_answer(
    answer: str, question: str, gold: str, right: bool
) -> None:
    assert is_right(answer, [gold], "free", question=question) is right


@pytest.mark.parametrize(
    ("kind", "answer", "gold", "right"),
    [
        ("yesno", "Yes, it is.", "yes", True),
        ("yesno", "No.", "yes", False),
        ("yesno", "nothing said", "no", False),
        ("yesno", "It is not known", "no", False),
        ("choice", "A) 3/4 is larger", "A", True),
        ("choice", "The answer is B.", "B", True),
        ("choice", "(B)", "A", False),
        ("choice", "A", "A", True),
        ("choice", "A larger number is hard to name", "A", False),
        ("choice", "I do not know", "A", False),
        ("number", "none at all", "3", False),
    ],
)
def test_closed_answers(kind: Kind, answer: str, gold: str, right: bool) -> None:
    assert is_right(answer, [gold], kind) is right

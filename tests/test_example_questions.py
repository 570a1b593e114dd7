"""The example questions: each file loads, its gold answers are graded right, and a repeated question is not."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streamroute.cli.grading import is_right, normalise
from streamroute.cli.questions import Question, load_questions

QUESTIONS = Path(__file__).parent.parent / "examples" / "questions"
FACTUAL, ARITHMETIC = load_questions(QUESTIONS / "factual.jsonl"), load_questions(QUESTIONS / "arithmetic.jsonl")
OTHERS = (*load_questions(), *load_questions(QUESTIONS / "heldout.jsonl"))


@pytest.mark.parametrize(
    ("name", "questions", "kind", "count"),
    [("factual", FACTUAL, "free", 200), ("arithmetic", ARITHMETIC, "number", 160)],
)
def test_the_questions_are_numbered_and_of_one_kind(
    name: str, questions: tuple[Question, ...], kind: str, count: int
) -> None:
    assert [question.id for question in questions] == [f"{name}-{number:03}" for number in range(1, count + 1)]
    assert {question.kind for question in questions} == {kind}


def test_no_question_is_asked_twice() -> None:
    texts = [normalise(question.question) for question in (*FACTUAL, *ARITHMETIC, *OTHERS)]
    assert len(set(texts)) == len(texts)


def test_every_gold_answer_is_graded_right_and_the_question_s_own_words_are_not() -> None:
    for question in (*FACTUAL, *ARITHMETIC):
        for alias in question.gold:
            assert question.is_answered_by(alias), question.id
            assert question.is_answered_by(f"The answer is {alias}."), question.id
        assert not question.is_answered_by(question.question), question.id
        assert not question.is_answered_by("I do not know."), question.id


def test_no_fact_is_given_away_by_its_own_question() -> None:
    assert [each.id for each in FACTUAL if is_right(each.question, each.gold, "free")] == []


def test_the_arithmetic_is_what_its_script_prints() -> None:
    script = subprocess.run([sys.executable, str(QUESTIONS / "make_arithmetic.py")], capture_output=True, check=True)
    assert script.stdout == (QUESTIONS / "arithmetic.jsonl").read_bytes()


def test_the_arithmetic_is_right() -> None:
    """Every answer, computed from the words alone: by exactly one of the rules."""
    for question in ARITHMETIC:
        assert [str(value) for value in _computed(question.question)] == list(question.gold), question.question
        (gold,) = question.gold
        assert gold not in re.findall(r"\d+", question.question), question.id


def _computed(text: str) -> list[int]:
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    return [compute(*numbers) for pattern, compute in _RULES if re.search(pattern, text)]


def _whole(a: int, b: int) -> int:
    assert a % b == 0
    return a // b


# Each computes from all the numbers of a question, in their order.
_RULES: tuple[tuple[str, Callable[..., int]], ...] = (
    (r"has \d+ \w+ and finds \d+ more", lambda a, b: a + b),
    (r"bought \d+ more and gave \d+ to", lambda a, b, c: a + b - c),
    (r"took out \d+ of them", lambda a, b: a - b),
    (r"in each of them, and \d+ loose", lambda a, b, c: a * b + c),
    (r"puts \d+ \w+ into each of them", lambda a, b: a * b),
    (r"\d+ seats are taken", lambda a, b, c: a * b - c),
    (r"equally among \d+ friends", _whole),
    (r"gives \d+ \w+ of (his|her) share", lambda a, b, c: _whole(b, a) - c),
    (r"How many more \w+ did", lambda a, b: a - b),
    (r"\d+ \w+ more than .* together", lambda a, b: 2 * a + b),
    (r"years old", lambda _, a, b: a + b),
    (r"packs the rest evenly into", lambda a, b, c: _whole(a - b, c)),
    (r"pages a day in a book", lambda a, _, b: a * b),
    (r"notebooks for \d+ euros each", lambda a, b, c: a - b * c),
    (r"tulips in \d+ equal rows", lambda a, b, _: _whole(a, b)),
    (r"On Monday .* on Tuesday .* on Wednesday", lambda a, b, c: a + b + c),
    (r"wants to collect", lambda a, b: a - b),
    (r"apples an hour .* eats \d+ of them", lambda a, b, c: a * b - c),
    (r"times as many", lambda a, b: a * b),
    (r"get off and \d+ others get on", lambda a, b, c: a - b + c),
)

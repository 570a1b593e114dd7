import math
import re
from pathlib import Path

import pytest

from streamroute.cli.questions import Question, load_questions
from streamroute.errors import ConfigError

HELD_OUT = Path(__file__).parents[2] / "examples" / "questions" / "heldout.jsonl"


def test_the_held_out_questions_are_others_and_grade_themselves() -> None:
    own, held_out = load_questions(), load_questions(HELD_OUT)
    assert not {question.question for question in own} & {question.question for question in held_out}
    assert len({question.question for question in held_out}) == len(held_out)
    assert all(question.is_answered_by(alias) for question in held_out for alias in question.gold)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"id": "a", "question": "?", "gold": ["x"], "kind": "free"}\n{"id": 3}', "line 2: .*id"),
        ("", "no questions"),
        ('{"id": "a", "question": "?", "gold": ["x"], "kind": "guess"}', "line 1: .*guess"),
    ],
)
def test_a_file_that_holds_no_questions_is_refused_by_line(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint):
        load_questions(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.jsonl"):
        load_questions(tmp_path / "none.jsonl")


def test_there_are_enough_questions_and_half_of_them_are_hard() -> None:
    questions = load_questions()
    assert len(questions) >= 48
    assert [question.difficulty for question in questions[:4]] == ["easy", "hard", "easy", "hard"]
    assert sum(question.difficulty == "hard" for question in questions) == len(questions) // 2


def test_no_question_stands_there_twice() -> None:
    questions = load_questions()
    assert len({question.id for question in questions}) == len(questions)
    assert len({question.question for question in questions}) == len(questions)


def test_every_gold_answer_grades_itself_right_and_another_question_s_wrong() -> None:
    for question in load_questions():
        for alias in question.gold:
            assert question.is_answered_by(alias), question.id
            assert question.is_answered_by(f"The answer is {alias}."), question.id
        assert not question.is_answered_by("I do not know."), question.id


def test_numeric_questions_have_numeric_gold() -> None:
    for question in load_questions():
        if question.kind == "number":
            assert all(re.fullmatch(r"-?\d+(\.\d+)?", alias) for alias in question.gold), question.id


def _by_text() -> dict[str, Question]:
    return {question.question: question for question in load_questions()}


def test_the_arithmetic_is_right() -> None:
    """Every question whose answer can be computed from its own words, computed."""
    computed = 0
    for text, question in _by_text().items():
        for pattern, compute in _RULES:
            if match := re.search(pattern, text):
                value = compute(*map(int, match.groups()))
                assert question.gold == (str(value),), text
                computed += 1
    assert computed >= 10


_RULES = (
    (r"What is (\d+) \+ (\d+)\?", lambda a, b: a + b),
    (r"What is (\d+) - (\d+)\?", lambda a, b: a - b),
    (r"(\d+) multiplied by (\d+)", lambda a, b: a * b),
    (r"(\d+) divided by (\d+)", lambda a, b: a // b),
    (r"(\d+) squared", lambda a: a**2),
    (r"square root of (\d+)", math.isqrt),
    (r"x \+ (\d+) = (\d+)", lambda a, b: b - a),
    (r"(\d+) boxes with (\d+) apples in each box. He eats (\d+)", lambda a, b, c: a * b - c),
    (r"(\d+) cm wide and (\d+) cm long", lambda a, b: a * b),
    (r"book costs (\d+) dollars and a pen costs (\d+) .* (\d+) books and (\d+) pens", lambda b, p, m, n: b * m + p * n),
    (r"class of (\d+) pupils has (\d+) boys", lambda a, b: a - b),
)

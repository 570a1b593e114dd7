import math
import re

from streamroute.cli.questions import Question, load_questions


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

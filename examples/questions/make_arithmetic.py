"""Arithmetic word problems with their answers, the same ones on every run:

    python examples/questions/make_arithmetic.py > examples/questions/arithmetic.jsonl

Every number is at least 2, so each noun needs one form only. No answer is a number that its question gives: whoever
only repeats the question is never right.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")
Range = tuple[int, int]

SEED = 20261124
ROUNDS = 8
UNUSED: Range = (2, 2)

PEOPLE = (
    *(("Mira", "she", "her"), ("Jonas", "he", "his"), ("Aiko", "she", "her"), ("Kofi", "he", "his")),
    *(("Leila", "she", "her"), ("Pedro", "he", "his"), ("Ingrid", "she", "her"), ("Ravi", "he", "his")),
    *(("Zofia", "she", "her"), ("Tariq", "he", "his"), ("Nora", "she", "her"), ("Emil", "he", "his")),
)
THINGS = ("stickers", "shells", "buttons", "beads", "postcards", "chestnuts", "pebbles", "stamps", "plums", "crayons")
HOLDERS = (("box", "boxes"), ("bag", "bags"), ("basket", "baskets"), ("jar", "jars"), ("tin", "tins"))


class Template(NamedTuple):
    """`text` may use the numbers a, b and c, and ab and abc for a*b and a*b + c, whose parts the answer gives back."""

    text: str
    ranges: tuple[Range, Range, Range]
    answer: Callable[[int, int, int], int]


# One step and two steps take turns, so that the first N problems are as mixed as all.
TEMPLATES = (
    Template(
        "{name} has {a} {things} and finds {b} more. How many {things} does {he} have now?",
        ((12, 60), (5, 39), UNUSED),
        lambda a, b, _: a + b,
    ),
    Template(
        "{name} had {a} {things} in the morning. During the day {he} bought {b} more and gave {c} to {other}. "
        "How many {things} did {name} have in the evening?",
        ((15, 60), (6, 30), (3, 14)),
        lambda a, b, c: a + b - c,
    ),
    Template(
        "There were {a} {things} in a {box}. {name} took out {b} of them. How many {things} are still in the {box}?",
        ((35, 99), (6, 33), UNUSED),
        lambda a, b, _: a - b,
    ),
    Template(
        "{name} has {a} {boxes} with {b} {things} in each of them, and {c} loose {things}. "
        "How many {things} does {he} have altogether?",
        ((3, 9), (4, 12), (2, 15)),
        lambda a, b, c: a * b + c,
    ),
    Template(
        "{name} fills {a} {boxes} and puts {b} {things} into each of them. How many {things} are in the {boxes}?",
        ((3, 9), (4, 12), UNUSED),
        lambda a, b, _: a * b,
    ),
    Template(
        "A hall has {a} rows of {b} seats. In the evening {c} seats are taken. How many seats are free?",
        ((5, 12), (6, 12), (7, 25)),
        lambda a, b, c: a * b - c,
    ),
    Template(
        "{name} shares {ab} {things} equally among {a} friends. How many {things} does each friend get?",
        ((3, 9), (4, 15), UNUSED),
        lambda a, b, _: b,
    ),
    Template(
        "A group of {a} children shares {ab} {things} equally. {name} is one of them and gives {c} {things} of {his} "
        "share to {other}. How many {things} does {name} have left?",
        ((3, 8), (9, 15), (2, 7)),
        lambda a, b, c: b - c,
    ),
    Template(
        "{name} collected {a} {things} and {other} collected {b}. "
        "How many more {things} did {name} collect than {other}?",
        ((45, 99), (8, 43), UNUSED),
        lambda a, b, _: a - b,
    ),
    Template(
        "{name} has {a} {things}. {other} has {b} {things} more than {name}. "
        "How many {things} do the two have together?",
        ((8, 40), (3, 20), UNUSED),
        lambda a, b, _: a + a + b,
    ),
    Template(
        "{name} is {c} years old and owns {a} {things}. Today {he} gets {b} more. How many {things} does {he} own now?",
        ((20, 60), (5, 35), (7, 16)),
        lambda a, b, _: a + b,
    ),
    Template(
        "Of {abc} {things}, {name} keeps {c} and packs the rest evenly into {a} {boxes}. "
        "How many {things} go into each {box}?",
        ((3, 9), (4, 12), (2, 13)),
        lambda a, b, _: b,
    ),
    Template(
        "{name} reads {a} pages a day in a book that has {c} pages. How many pages does {he} read in {b} days?",
        ((6, 15), (3, 9), (150, 420)),
        lambda a, b, _: a * b,
    ),
    Template(
        "{name} has {c} euros and buys {a} notebooks for {b} euros each. How many euros does {he} have left?",
        ((2, 7), (2, 8), (60, 100)),
        lambda a, b, c: c - a * b,
    ),
    Template(
        "{name} plants {ab} tulips in {a} equal rows and needs {c} minutes for that. How many tulips are in each row?",
        ((3, 9), (5, 15), (20, 55)),
        lambda a, b, _: b,
    ),
    Template(
        "On Monday {name} found {a} {things}, on Tuesday {b} and on Wednesday {c}. "
        "How many {things} did {he} find on the three days together?",
        ((5, 40), (5, 35), (5, 25)),
        lambda a, b, c: a + b + c,
    ),
    Template(
        "{name} wants to collect {a} {things} and already has {b}. How many more does {he} need?",
        ((50, 100), (9, 48), UNUSED),
        lambda a, b, _: a - b,
    ),
    Template(
        "{name} picks {a} apples an hour for {b} hours. On the way home {he} eats {c} of them. "
        "How many apples does {he} bring home?",
        ((10, 25), (2, 6), (3, 12)),
        lambda a, b, c: a * b - c,
    ),
    Template(
        "{name} has {a} {things}. {other} has {b} times as many. How many {things} does {other} have?",
        ((4, 25), (3, 6), UNUSED),
        lambda a, b, _: a * b,
    ),
    Template(
        "A bus leaves with {a} passengers. At the first stop {b} of them get off and {c} others get on. "
        "How many passengers are on the bus now?",
        ((25, 60), (4, 22), (3, 24)),
        lambda a, b, c: a - b + c,
    ),
)


class Draw:
    """Draws by `random()` alone: of all methods, it is the one whose sequence Python keeps over its versions."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def number(self, low: int, high: int) -> int:
        return low + int(self._random.random() * (high - low + 1))

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self.number(0, len(choices) - 1)]


def problem(template: Template, draw: Draw) -> tuple[str, int]:
    """A question and its answer."""
    while True:
        a, b, c = (draw.number(*bounds) for bounds in template.ranges)
        name, he, his = draw.one_of(PEOPLE)
        other = draw.one_of([other for other, _, _ in PEOPLE if other != name])
        box, boxes = draw.one_of(HOLDERS)
        words = {"name": name, "he": he, "his": his, "other": other, "box": box, "boxes": boxes}
        numbers = {"a": a, "b": b, "c": c, "ab": a * b, "abc": a * b + c}
        question = template.text.format(**words, **numbers, things=draw.one_of(THINGS))
        answer = template.answer(a, b, c)
        if answer > 1 and str(answer) not in re.findall(r"\d+", question):
            return question, answer


def problems() -> Iterator[tuple[str, int]]:
    draw, seen = Draw(SEED), set[str]()
    for _ in range(ROUNDS):
        for template in TEMPLATES:
            question, answer = problem(template, draw)
            while question in seen:
                question, answer = problem(template, draw)
            seen.add(question)
            yield question, answer


if __name__ == "__main__":
    for number, (question, answer) in enumerate(problems(), start=1):
        line = {"id": f"arithmetic-{number:03}", "question": question, "gold": [str(answer)], "kind": "number"}
        print(json.dumps(line))

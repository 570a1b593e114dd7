"""Answers that look alike and differ where it counts: numbers, names and dates swapped for others of their kind."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

_NUMBER = re.compile(r"\b\d[\d,]*(?:\.\d+)?\b")
_NAME = re.compile(r"\b[A-Z][\w'’.-]*(?:\s+(?:of\s+|the\s+|de\s+|von\s+)?[A-Z][\w'’.-]*)*")
_FRAMES = (
    "{}",
    "{}",
    "{}.",
    "It is {}.",
    "The answer is {}.",
    "That would be {}.",
    "I believe it is {}.",
    "It was {}.",
)


def swapped(question: str, a: str, b: str, donor: str, rng: random.Random) -> str | None:
    """`b` with the number or name that `a` and `b` share, and that the question does not name, changed: a number to one
    near it, a name to one of `donor`. None where nothing is shared."""
    shared = [m for m in _NUMBER.finditer(b) if _has(a, m[0]) and not _has(question, m[0])]
    if shared:
        found = rng.choice(shared)
        return b[: found.start()] + _near(found[0], rng) + b[found.end() :]
    names = [m for m in _NAME.finditer(b) if _has(a, m[0]) and not _has(question, m[0].split()[-1])]
    others = [m[0] for m in _NAME.finditer(donor) if m.start() > 0 and not _has(a + " " + question, m[0].split()[-1])]
    if not names or not others:
        return None
    found = max(names, key=lambda m: len(m[0]))
    return b[: found.start()] + rng.choice(others) + b[found.end() :]


def _has(text: str, part: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(part.casefold())}(?!\w)", text.casefold()) is not None


def _near(number: str, rng: random.Random) -> str:
    """Another number of the same form: one digit changed, not the first one of a year."""
    places = [i for i, character in enumerate(number) if character.isdigit()]
    at = rng.choice(places[1:] if len(places) > 2 else places)
    return number[:at] + rng.choice([d for d in "123456789" if d != number[at]]) + number[at + 1 :]


def gold_pairs(
    questions: Sequence[dict[str, Any]], count: int, rng: random.Random
) -> Iterator[tuple[tuple[str, str, str], int]]:
    """At most `count` times ((question, a, b), 1 or 0): two names of the right answer, or the right one and one of like
    form to another question, bare or in a short sentence."""
    # Elsewhere several golds are several answers ("name a moon of Jupiter"); there they are names of one.
    with_aliases = [row for row in questions if row["dataset"] == "triviaqa" and len(row["gold"]) > 1]
    by_form: dict[tuple[str, bool], list[str]] = {}
    for row in questions:
        by_form.setdefault(_form(row), []).extend(row["gold"])
    for i in range(count):
        row = rng.choice(with_aliases if i % 2 else questions)
        a = rng.choice(row["gold"])
        if i % 2:
            b = rng.choice(row["gold"])
            if "(" in a + b:
                continue  # "(disambiguation)", "(film)"
        else:
            b = rng.choice(by_form[_form(row)])
            if b.casefold() in {g.casefold() for g in row["gold"]}:
                continue
        said = tuple(rng.choice(_FRAMES).format(text) for text in (a, b))
        yield (row["question"], said[0], said[1]), i % 2


def _form(row: dict[str, Any]) -> tuple[str, bool]:
    """What the question asks for, by its first word, and whether the answer has a digit."""
    return row["question"].split()[0].casefold(), any(c.isdigit() for c in row["gold"][0])

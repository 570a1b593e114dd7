"""The demo's own questions with their gold answers."""

from __future__ import annotations

from importlib import resources
from typing import Literal

import msgspec

from streamroute.cli.grading import Kind, is_right

__all__ = ("Question", "load_questions")


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`gold` are aliases of the one right answer; `difficulty` is what we expect of a 135-million-parameter model."""

    id: str
    question: str
    gold: tuple[str, ...]
    kind: Kind
    difficulty: Literal["easy", "hard"]

    def is_answered_by(self, answer: str) -> bool:
        return is_right(answer, self.gold, self.kind, question=self.question)


def load_questions() -> tuple[Question, ...]:
    """Easy and hard ones take turns, so that the first N of them are as mixed as all."""
    text = (resources.files("streamroute.cli") / "questions.jsonl").read_text(encoding="utf-8")
    return tuple(msgspec.json.decode(line, type=Question) for line in text.splitlines())

"""Questions with their gold answers: the demo's own, or a file of the same form."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec

from streamroute.cli.grading import Kind, is_right
from streamroute.errors import ConfigError

__all__ = ("Question", "load_questions")


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`gold` are aliases of the one right answer; `difficulty` is what we expect of a 135-million-parameter model."""

    id: str
    question: str
    gold: tuple[str, ...]
    kind: Kind
    difficulty: Literal["easy", "hard"] | None = None

    def is_answered_by(self, answer: str) -> bool:
        return is_right(answer, self.gold, self.kind, question=self.question)


def load_questions(path: Path | None = None) -> tuple[Question, ...]:
    """The questions of `path`, or the demo's own, where easy and hard ones take turns, so that the first N are as
    mixed as all. Raises `ConfigError` naming file and line of what is not a question."""
    if path is None:
        source, text = "questions.jsonl", _own()
    else:
        try:
            source, text = str(path), path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read ({error})") from error
    questions = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                questions.append(msgspec.json.decode(line, type=Question))
            except msgspec.DecodeError as error:
                raise ConfigError(f"{source}: line {number}: {error}") from error
    if not questions:
        raise ConfigError(f"{source}: no questions")
    return tuple(questions)


def _own() -> str:
    return (resources.files("streamroute.cli") / "questions.jsonl").read_text(encoding="utf-8")

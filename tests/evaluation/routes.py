"""Small routing rows for tests."""

from __future__ import annotations

from streamroute.evaluation.rows import CheapLeg, LargeLeg, RoutingRow

__all__ = ("ROWS", "row")


def row(
    question: str, answer: str, *samples: str, correct: bool | None = True, large: bool | None = None
) -> RoutingRow:
    asked = None if large is None else LargeLeg("Ann", correct=large)
    return RoutingRow("", question, CheapLeg(answer, list(samples), correct=correct), asked)


ROWS = [
    row("Who?", "Ann", "Ann", "Ann", "Ann", large=True),
    row("Where?", "Rome", "Rome", "rome", "Oslo", large=True),
    row("When?", "on a Monday", "on a Friday", "on a Sunday", "never", correct=False, large=True),
    row("Why?", "I do not know the answer.", "because", "I do not know.", "for love", correct=False, large=False),
    row("How?", "by train", "by train", "by train", "by boat", correct=False, large=True),
    row("Which?", "the red one", "the blue one", "red", "the red one"),
]
"""Six labelled rows, the last without a large answer; the wrong ones are those whose samples differ most."""

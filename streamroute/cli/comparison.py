"""The demo's table: four ways to answer the same questions, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from streamroute.cli.questions import Question

__all__ = ("Answered", "Line", "Routed", "Row", "compare", "random_spread")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One model's answer by itself. `first` is seconds to its first token, `tokens` those it generated."""

    text: str
    first: float
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """A routed answer. Times in seconds; tokens are of all legs, cancelled ones and probes included."""

    text: str
    escalated: bool
    verdict: str
    reason: str
    entropy: float | None
    clusters: tuple[int, ...]
    first_shown: float | None
    first_kept: float | None
    small_tokens: int
    large_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    question: Question
    routed: Routed
    small: Answered
    large: Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One way to answer all questions: share right, mean seconds to the first kept token, tokens of either model."""

    name: str
    accuracy: float
    first_kept: float
    small_tokens: float
    large_tokens: float


def compare(rows: Sequence[Row]) -> tuple[Line, Line, Line, Line]:
    """Always small, always large, random at the routed escalation rate, routed.

    Random is not drawn but computed: at rate r its expectation is (1 - r) of always-small plus r of always-large.
    """
    rate = fmean(row.routed.escalated for row in rows)
    small = _alone("always small", [(row.question, row.small) for row in rows], large=False)
    large = _alone("always large", [(row.question, row.large) for row in rows], large=True)

    def mixed(a: float, b: float) -> float:
        return (1 - rate) * a + rate * b

    random = Line(
        name=f"random, {rate:.0%} large",
        accuracy=mixed(small.accuracy, large.accuracy),
        first_kept=mixed(small.first_kept, large.first_kept),
        small_tokens=mixed(small.small_tokens, large.small_tokens),
        large_tokens=mixed(small.large_tokens, large.large_tokens),
    )
    kept = [row.routed.first_kept for row in rows if row.routed.first_kept is not None]
    routed = Line(
        name=f"routed, {rate:.0%} large",
        accuracy=fmean(row.question.is_answered_by(row.routed.text) for row in rows),
        first_kept=fmean(kept) if kept else math.nan,
        small_tokens=sum(row.routed.small_tokens for row in rows),
        large_tokens=sum(row.routed.large_tokens for row in rows),
    )
    return small, large, random, routed


def random_spread(rows: Sequence[Row]) -> float:
    """Standard deviation of the accuracy of sending a random subset of the routed size to the large model.

    Sampling m of n without replacement: the sum of the chosen differences d has variance m (1 - m/n) s², with s² the
    sample variance of d (Cochran, Sampling Techniques, 3rd ed., eq. 2.8).
    """
    n, m = len(rows), sum(row.routed.escalated for row in rows)
    if n < 2:
        return 0.0
    gains = [
        int(row.question.is_answered_by(row.large.text)) - int(row.question.is_answered_by(row.small.text))
        for row in rows
    ]
    mean = fmean(gains)
    variance = sum((gain - mean) ** 2 for gain in gains) / (n - 1)
    return math.sqrt(m * (1 - m / n) * variance) / n


def _alone(name: str, answers: Sequence[tuple[Question, Answered]], *, large: bool) -> Line:
    tokens = sum(answer.tokens for _, answer in answers)
    return Line(
        name=name,
        accuracy=fmean(question.is_answered_by(answer.text) for question, answer in answers),
        first_kept=fmean(answer.first for _, answer in answers),
        small_tokens=0 if large else tokens,
        large_tokens=tokens if large else 0,
    )

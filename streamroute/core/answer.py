"""One tier's answer as the core keeps it: what it said, how it ended, and how much of it the reader sees."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from streamroute.core.types import Confidence, Delta, TokenLogprob


class Status(enum.Enum):
    RUNNING = enum.auto()
    FINISHED = enum.auto()
    FAILED = enum.auto()
    CANCELLED = enum.auto()


@dataclass(slots=True)
class Answer:
    """`deltas` are kept until they are out for good: they may have to be shown, or shown again.

    `prefix` is the text on the reader's screen that this answer continues. `said_at` is when its first content came,
    `shown_at` when the first that still stands was shown; times are on the clock of the events.
    """

    prefix: str = ""
    status: Status = Status.RUNNING
    deltas: list[Delta] = field(default_factory=list)
    emitted: int = 0
    has_content: bool = False
    only_text: bool = True
    finish_reason: str = ""
    said_at: float | None = None
    shown_at: float | None = None
    shown_characters: int = 0
    confidence: Confidence | None = None
    _first: TokenLogprob | None = None
    _total: float = 0.0
    _least: float = 0.0
    _tokens: int = 0

    def add(self, delta: Delta, now: float) -> bool:
        """Take what was said; True when it is the first content."""
        self.deltas.append(delta)
        if delta.logprobs:
            self._weigh(delta.logprobs)
        if not (delta.text or delta.has_content):
            return False
        if delta.index or delta.tool_calls or delta.refusal:
            self.only_text = False
        if self.has_content:
            return False
        self.has_content = True
        self.said_at = now
        return True

    def show(self, now: float) -> list[Delta]:
        """What the reader has not seen yet; it counts as seen from here on."""
        unseen = self.deltas[self.emitted :] if self.emitted else self.deltas
        if self.shown_at is None:
            self.shown_at = now
            self.shown_characters = len(self.prefix)
        for delta in unseen:
            self.shown_characters += len(delta.text)
        self.emitted = len(self.deltas)
        return unseen

    def withdraw(self) -> None:
        """Nothing of it is on the screen any more; shown again, it begins with what it once continued."""
        if self.prefix:
            self.deltas.insert(0, Delta(self.prefix))
            self.prefix = ""
        self.emitted = 0
        self.shown_at = None
        self.shown_characters = 0

    @property
    def text(self) -> str:
        return self.prefix + "".join([delta.text for delta in self.deltas])

    @property
    def continuable(self) -> str:
        """The shown text that a larger model could go on from: "" where the answer is at its end already, or holds
        anything but text."""
        if self.status is Status.FINISHED or not self.only_text:
            return ""
        text = self.prefix + "".join([delta.text for delta in self.deltas[: self.emitted]])
        return text if text.strip() else ""

    def _weigh(self, logprobs: tuple[TokenLogprob, ...]) -> None:
        for token in logprobs:
            if self._first is None and token.token.strip():
                self._first = token
            self._total += token.logprob
            self._least = token.logprob if self._tokens == 0 else min(self._least, token.logprob)
            self._tokens += 1
        if self._first is not None:
            self.confidence = Confidence(self._first, self._total / self._tokens, self._least, self._tokens)

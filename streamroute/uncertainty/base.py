"""The ports of the judge: what compares two texts, and what turns samples into evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from streamroute.core.types import Confidence, Evidence, Sample


class Relation(NamedTuple):
    """Probabilities that a premise entails, is neutral to, or contradicts a hypothesis. They sum to 1."""

    entailment: float
    neutral: float
    contradiction: float


class Pair(NamedTuple):
    """Two texts to be compared, and the question that both answer ("" where they stand alone)."""

    context: str
    a: str
    b: str

    def swapped(self) -> Pair:
        return Pair(self.context, self.b, self.a)


class Relations(NamedTuple):
    """Both directions of one pair: `a` as premise of `b`, and `b` as premise of `a`."""

    forward: Relation
    backward: Relation

    def swapped(self) -> Relations:
        """Those of the swapped pair."""
        return Relations(self.backward, self.forward)


class EntailmentModel(Protocol):
    """Natural-language inference, both directions at once: a model that reads two texts can say both in one pass."""

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        """The relations of each pair, in order. Never blocks the event loop. After `deadline`, in seconds of the
        running loop's `time()`, nobody waits for them: a model that serves several callers serves the most urgent
        first, and need not begin what is late. Raises `ScorerError`."""
        ...


class ScoringSession(Protocol):
    """The judge of one route. Keeps what it has compared, so each call costs only what is new.

    Calls never overlap; the samples of one call are a prefix-preserving extension of those of the call before.
    """

    async def evaluate(
        self,
        *,
        answer: str,
        answer_finished: bool,
        samples: Sequence[Sample],
        expected: int,
        confidence: Confidence | None = None,
    ) -> Evidence: ...


class Scorer(Protocol):
    """Makes a session for each judged tier of each route. `question` is the text that the answers answer; after
    `deadline`, in seconds of the running loop's `time()`, the route is decided without further evidence."""

    def session(self, question: str, *, deadline: float | None = None) -> ScoringSession: ...

"""Published rules for when to stop sampling. They say when; what is done then follows from the score."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streamroute.core.policy import Policy, Snapshot
from streamroute.core.types import UNDECIDED, Decision, Evidence, Verdict

__all__ = ("ESC", "AdaptiveConsistency", "FixedCount", "Sprt")


@dataclass(frozen=True, slots=True)
class _Rule(Policy):
    """Escalates when the score is above `limit` at the stop, which is at the last probe at the latest. Waits for the
    answer to be judged unless nothing more will come."""

    limit: float = 0.5

    @property
    def score_limit(self) -> float:
        return self.limit

    @abc.abstractmethod
    def enough(self, evidence: Evidence) -> bool:
        """Whether to stop here. Called with the answer judged."""

    def __call__(self, snapshot: Snapshot) -> Verdict:
        evidence = snapshot.evidence
        if evidence is None:
            return UNDECIDED
        if not (snapshot.settled or (evidence.answer_judged and (snapshot.pending == 0 or self.enough(evidence)))):
            return UNDECIDED
        if evidence.score > self.limit:
            return Verdict(Decision.ESCALATE, "stop_escalate")
        return Verdict(Decision.ACCEPT, "stop_keep")


@dataclass(frozen=True, slots=True)
class FixedCount(_Rule):
    """Stops after `count` probes. Raises ValueError for fewer than one."""

    count: int = 5

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, not {self.count}")

    def enough(self, evidence: Evidence) -> bool:
        return evidence.samples >= self.count


@dataclass(frozen=True, slots=True)
class AdaptiveConsistency(_Rule):
    """Stops when the most frequent meaning is the more frequent of the two most frequent ones with probability
    `confidence` or more, given a uniform prior: the Beta rule of Aggarwal et al. 2023, "Let's Sample Step by Step".

    With a and b texts for the two, the answer counted as one, P(p > 1/2) under Beta(a + 1, b + 1) is
    P(X <= a), X ~ Binomial(a + b + 1, 1/2). Raises ValueError for a `confidence` outside [1/2, 1).
    """

    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"confidence must be between 0.5 and 1, not {self.confidence}")

    def enough(self, evidence: Evidence) -> bool:
        return self.sure(evidence.sizes)

    def sure(self, sizes: Sequence[int]) -> bool:
        """Whether these numbers of texts, one for each meaning, suffice."""
        first, second, *_ = *sorted(sizes, reverse=True), 0, 0
        return majority(first, second) >= self.confidence


def majority(first: int, second: int) -> float:
    """The probability that the share of `first` in `first + second` tosses comes from a coin that prefers it, with a
    uniform prior over coins."""
    tosses = first + second + 1
    return math.ldexp(sum(math.comb(tosses, heads) for heads in range(first + 1)), -tosses)


@dataclass(frozen=True, slots=True)
class ESC(_Rule):
    """Stops when a whole window of `window` probes means one thing: Li et al. 2024, "Escape Sky-high Cost:
    Early-stopping Self-Consistency". Windows follow each other and do not overlap. Raises ValueError for one of fewer
    than two probes, which would always be unanimous."""

    window: int = 3

    def __post_init__(self) -> None:
        if self.window < 2:
            raise ValueError(f"window must be at least 2, not {self.window}")

    def enough(self, evidence: Evidence) -> bool:
        found = evidence.assignment
        starts = range(0, len(found) - self.window + 1, self.window)
        return any(len(set(found[start : start + self.window])) == 1 for start in starts)


@dataclass(frozen=True, slots=True)
class Sprt(_Rule):
    """The sequential probability ratio test (Wald 1945) of "right: a probe agrees with the answer with probability
    `agree_if_right`" against "wrong: with `agree_if_wrong`".

    `false_keep` and `false_escalation` are the error rates aimed at: of taking a wrong answer for right, a right one
    for wrong. Raises ValueError unless 0 < agree_if_wrong < agree_if_right < 1 and both rates are in (0, 1/2).
    """

    agree_if_right: float = 0.85
    agree_if_wrong: float = 0.35
    false_keep: float = 0.1
    false_escalation: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.agree_if_wrong < self.agree_if_right < 1:
            raise ValueError("a test needs 0 < agree_if_wrong < agree_if_right < 1")
        if not (0 < self.false_keep < 0.5 and 0 < self.false_escalation < 0.5):
            raise ValueError("false_keep and false_escalation must be between 0 and 1/2")

    def enough(self, evidence: Evidence) -> bool:
        """Whether a bound was reached at any probe up to here: judged one by one, the test would have ended there."""
        upper = math.log((1 - self.false_escalation) / self.false_keep)
        lower = math.log(self.false_escalation / (1 - self.false_keep))
        return any(not lower < ratio < upper for ratio in self._ratios(evidence))

    def _ratios(self, evidence: Evidence) -> Iterator[float]:
        """The log-likelihood ratio of right to wrong after each probe."""
        agreed = math.log(self.agree_if_right / self.agree_if_wrong)
        differed = math.log((1 - self.agree_if_right) / (1 - self.agree_if_wrong))
        ratio = 0.0
        for found in evidence.assignment:
            ratio += agreed if found == evidence.answer_cluster else differed
            yield ratio

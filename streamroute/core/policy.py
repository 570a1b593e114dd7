"""Policies: small callables from one snapshot to a verdict, composed with `&` and `|` in three-valued logic."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar

from streamroute.core.types import UNDECIDED, Confidence, Decision, Evidence, Verdict
from streamroute.core.values import value


@value
class Snapshot:
    """All that a policy may know. `elapsed` is in seconds since the judged tier was started.

    `pending` counts the probes that the evidence does not cover yet and that may still come; `settled` is True when the
    evidence is the last there will be. `confidence` is what the log-probabilities say of the answer so far. `shown` and
    `hedged` are the seconds since the reader sees content of this tier, and since a larger tier runs unseen beside it;
    None where that is not so. `shown_characters` is how much of the answer is out. `dice` is a number in [0, 1) that
    belongs to the request: equal requests are decided equally where a policy randomises.
    """

    tier: int
    last_tier: int
    evidence: Evidence | None
    pending: int
    settled: bool
    elapsed: float
    answer_finished: bool
    confidence: Confidence | None = None
    shown: float | None = None
    shown_characters: int = 0
    hedged: float | None = None
    dice: float = 0.5


class Policy(abc.ABC):
    """Maps a snapshot to a verdict. Must be pure: the same snapshot gives the same verdict.

    `by_evidence`: all that it reads of a snapshot is `evidence`, `pending`, `settled`, `dice` and the tiers. It is then
    asked only when one of them may have changed, others whenever anything happened.
    """

    by_evidence: ClassVar[bool] = False

    @property
    def score_limit(self) -> float | None:
        """The score above which it escalates, None where it goes by something else too: to be shown, not decided by."""
        return None

    @abc.abstractmethod
    def __call__(self, snapshot: Snapshot) -> Verdict: ...

    def __and__(self, other: Policy) -> Policy:
        """Escalates only when both do; accepts as soon as either accepts."""
        return _Both(self, other)

    def __or__(self, other: Policy) -> Policy:
        """Escalates as soon as either does; accepts only when both accept."""
        return _Either(self, other)


@dataclass(frozen=True, slots=True)
class _Both(Policy):
    left: Policy
    right: Policy

    def __call__(self, snapshot: Snapshot) -> Verdict:
        return _combine(self.left(snapshot), self.right(snapshot), dominant=Decision.ACCEPT)


@dataclass(frozen=True, slots=True)
class _Either(Policy):
    left: Policy
    right: Policy

    def __call__(self, snapshot: Snapshot) -> Verdict:
        return _combine(self.left(snapshot), self.right(snapshot), dominant=Decision.ESCALATE)


def _combine(left: Verdict, right: Verdict, *, dominant: Decision) -> Verdict:
    """Kleene's strong connective: the dominant value wins, otherwise both must agree."""
    if left.decision is dominant:
        return left
    if right.decision is dominant:
        return right
    if left.decided and right.decided:
        return left
    return UNDECIDED


@dataclass(frozen=True, slots=True)
class Threshold(Policy):
    """Escalate when the uncertainty score ends above `limit`.

    Decides before the last probe when the bounds of the evidence certify the outcome: the verdict is then the same
    that all probes would have given (METHOD 3.2).
    """

    limit: float = 0.5
    by_evidence: ClassVar[bool] = True

    @property
    def score_limit(self) -> float:
        return self.limit

    def __call__(self, snapshot: Snapshot) -> Verdict:
        evidence = snapshot.evidence
        if evidence is None:
            return UNDECIDED
        if snapshot.pending == 0 and (evidence.answer_judged or snapshot.settled):
            if evidence.score > self.limit:
                return Verdict(Decision.ESCALATE, "samples_disagree")
            return Verdict(Decision.ACCEPT, "samples_agree")
        if evidence.low > self.limit:
            return Verdict(Decision.ESCALATE, "certain_to_disagree")
        if evidence.high <= self.limit:
            return Verdict(Decision.ACCEPT, "certain_to_agree")
        return UNDECIDED


@dataclass(frozen=True, slots=True)
class Always(Policy):
    """Decides at once, without evidence: the baselines always-cheap and always-large."""

    verdict: Verdict

    def __call__(self, snapshot: Snapshot) -> Verdict:
        return self.verdict

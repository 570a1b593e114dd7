"""A policy that escalates on gain, over a bar that rises while the reader reads (METHOD 2.5, 5.4)."""

from __future__ import annotations

from dataclasses import dataclass

from streamroute.core.policy import Policy, Snapshot
from streamroute.core.types import UNDECIDED, Decision, Verdict
from streamroute.errors import ConfigError

RIGHT_WHERE_RIGHT, RIGHT_WHERE_WRONG = 0.92, 0.6
"""How often a larger model is right where a smaller one is, and where it is not, before anything is known of the two
(METHOD 2.5: from the released responses of RouteLLM's pair of models)."""
CHARACTERS_PER_SECOND = 20.0
"""Reading speed: five tokens a second, of four characters each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain(Policy):
    """Escalate where the larger model is expected to be right by so much more often that it pays.

    The evidence's score is taken as the probability that the answer is wrong. `keeps` is how often the larger model is
    right where this one is (q1), `rescues` how often where it is not (q0). All prices are in values of one right
    answer: `cost` of a larger answer, `saving` of what is left unsaid by this one when it is cut off before its end,
    `second` of a reader's time. `large_first` is the larger model's time to first token, `annoyance` the seconds that
    taking back a shown answer is as bad as, to which `reading` adds for each second of reading. An answer that was read
    for more than `append_after` seconds is not taken back any more: the larger one is appended.

    Before the last probe it decides only what every value that the score can still reach, and every bar that there can
    be until `horizon` seconds into the tier, would decide alike: let `horizon` be no less than the plan's deadline.
    """

    keeps: float = RIGHT_WHERE_RIGHT
    rescues: float = RIGHT_WHERE_WRONG
    cost: float = 0.05
    saving: float = 0.0
    second: float = 0.01
    large_first: float = 0.9
    annoyance: float = 2.0
    reading: float = 0.5
    append_after: float = 6.0
    horizon: float = 2.5

    def __post_init__(self) -> None:
        for name in ("keeps", "rescues"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"gain: {name} must be between 0 and 1, not {getattr(self, name)}")
        names = ("cost", "saving", "second", "large_first", "annoyance", "reading", "append_after", "horizon")
        for name in names:
            if not getattr(self, name) >= 0:
                raise ConfigError(f"gain: {name} must not be negative, not {getattr(self, name)}")

    def gain(self, wrong: float) -> float:
        """By how much more often the larger model is right, where this one is wrong with probability `wrong`."""
        return wrong * (self.rescues + 1 - self.keeps) - (1 - self.keeps)

    def bar(self, snapshot: Snapshot) -> float:
        """What a switch costs now."""
        wait = self.large_first if snapshot.hedged is None else max(0.0, self.large_first - snapshot.hedged)
        return self._bar(wait, self._bother(snapshot), cut=not snapshot.answer_finished)

    def __call__(self, snapshot: Snapshot) -> Verdict:
        evidence = snapshot.evidence
        if evidence is None:
            return UNDECIDED
        if snapshot.pending == 0 and (evidence.answer_judged or snapshot.settled):
            if self.gain(evidence.score) > self.bar(snapshot):
                return self._escalate("gain_pays", snapshot)
            return Verdict(Decision.ACCEPT, "gain_does_not_pay")
        left = max(0.0, self.horizon - snapshot.elapsed)
        now = self._bother(snapshot)
        most = self._bar(self.large_first, max(now, self.annoyance) + self.reading * left, cut=False)
        if self.gain(evidence.low) > most:
            return self._escalate("gain_certain_to_pay", snapshot)
        if self.gain(evidence.high) <= self._bar(0.0, now, cut=not snapshot.answer_finished):
            return Verdict(Decision.ACCEPT, "gain_certain_not_to_pay")
        return UNDECIDED

    def _bar(self, wait: float, bother: float, *, cut: bool) -> float:
        return self.cost - (self.saving if cut else 0.0) + self.second * (wait + bother)

    def _bother(self, snapshot: Snapshot) -> float:
        """Seconds that losing what is on the screen is as bad as."""
        return 0.0 if snapshot.shown is None else self.annoyance + self.reading * _read(snapshot)

    def _escalate(self, reason: str, snapshot: Snapshot) -> Verdict:
        return Verdict(Decision.ESCALATE, reason, append=_read(snapshot) > self.append_after)


def _read(snapshot: Snapshot) -> float:
    """Seconds of reading that the reader has had for it: no longer than what is shown gives to read."""
    return min(snapshot.shown or 0.0, snapshot.shown_characters / CHARACTERS_PER_SECOND)

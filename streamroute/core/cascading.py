"""Cascade routing over any number of tiers: which tier is worth its price now, given what is known (METHOD 6.3).

After Dekoninck, Baader and Vechev 2024 ("A Unified Approach to Routing and Cascading for LLMs"): optimal routing takes
the model with the greatest estimated quality minus lambda times cost, and a cascade asks again after each model, with
what was spent already paid. An earlier answer is never shown once a later tier has spoken, so the quality of a path is
that of its last model, and going straight to a tier is never worse than going there by another: tiers are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamroute.core.policy import Policy, Snapshot
from streamroute.core.types import UNDECIDED, Decision, Verdict
from streamroute.errors import ConfigError

__all__ = ("CascadeRouting", "TierValue")


@dataclass(frozen=True, slots=True, kw_only=True)
class TierValue:
    """One tier as a target: the probability that it is right where the judged answer is right (`keeps`) and where it is
    wrong (`mends`), the money that asking it costs, and the seconds to its first token."""

    keeps: float = 0.92
    mends: float = 0.6
    cost: float = 0.0
    delay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("keeps", "mends"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"quality: {name} must be a probability, not {getattr(self, name)}")
        for name in ("cost", "delay"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"quality: {name} must not be negative, not {getattr(self, name)}")

    def quality(self, wrong: float) -> float:
        """The probability that this tier is right when the judged answer is wrong with probability `wrong`."""
        return self.keeps * (1 - wrong) + self.mends * wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeRouting(Policy):
    """Goes to the tier with the most quality minus `price` times cost, or keeps the judged answer if that has more.

    `tiers[i]` values tier i; the first is never a target. The score of the evidence is taken for the probability that
    the judged answer is wrong: it should be a fitted one. `price` is lambda, in right answers for one unit of money;
    `second` the money that a second of waiting costs the reader, `annoyance` the seconds that a withdrawal of shown
    text counts as. A request whose dice is below `mix` is decided at `mixed_price` instead: between two neighbouring
    prices that meet a budget from both sides, that share meets it exactly.

    Decides before the last probe where the same tier wins at both certified bounds of the score: values are linear in
    it, so that tier wins between them too.
    """

    tiers: tuple[TierValue, ...]
    price: float = 1.0
    second: float = 0.0
    annoyance: float = 2.0
    mixed_price: float = 1.0
    mix: float = 0.0

    def __call__(self, snapshot: Snapshot) -> Verdict:
        evidence = snapshot.evidence
        if evidence is None:
            return UNDECIDED
        price = self.mixed_price if snapshot.dice < self.mix else self.price
        if snapshot.pending == 0 and (evidence.answer_judged or snapshot.settled):
            return _verdict(self._best(evidence.score, price, snapshot), "worth_its_price", "not_worth_it")
        low, high = (self._best(score, price, snapshot) for score in (evidence.low, evidence.high))
        if low != high:
            return UNDECIDED
        return _verdict(low, "certain_to_be_worth_it", "certain_not_to_be")

    def target(self, wrong: float, tier: int = 0, *, price: float | None = None, shown: bool = False) -> int:
        """The tier that is worth most when the answer of `tier` is wrong with probability `wrong`; `tier` is to keep
        it. Of equals the cheapest."""
        price = self.price if price is None else price
        best, most = tier, 1 - wrong
        for i in range(tier + 1, len(self.tiers)):
            value = self.tiers[i]
            wait = value.delay + self.annoyance * shown
            gained = value.quality(wrong) - price * (value.cost + self.second * wait)
            if gained > most:
                best, most = i, gained
        return best

    def _best(self, wrong: float, price: float, snapshot: Snapshot) -> int | None:
        best = self.target(wrong, snapshot.tier, price=price, shown=snapshot.shown is not None)
        return None if best == snapshot.tier else best


def _verdict(target: int | None, escalated: str, kept: str) -> Verdict:
    if target is None:
        return Verdict(Decision.ACCEPT, kept)
    return Verdict(Decision.ESCALATE, escalated, target)

"""Which of several tiers is worth its cost: cascade routing over what is known of the judged answer (METHOD 6.3).

The rule is that of J. Dekoninck, M. Baader and M. Vechev, "A unified approach to routing and cascading for LLMs"
(2024): of all tiers, the one with the largest `quality - trade * cost`. An answer that was left is not shown again, so
the quality of a set of tiers is that of its last one, and a step may skip tiers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from streamroute.core.gain import RIGHT_WHERE_RIGHT, RIGHT_WHERE_WRONG
from streamroute.core.policy import Policy, Snapshot
from streamroute.core.types import UNDECIDED, Decision, Verdict

__all__ = ("Candidate", "CascadeRouting", "LinearLink", "Link", "LogisticLink", "choose")

TIE = 1e-9
"""Values closer than this are equal: the trade-off that meets a budget is where tiers tie, up to rounding."""
PIECES = 64


class Link(Protocol):
    """The probability that a tier is right, as a function of the probability that the tier below it is wrong. Must
    not increase with it."""

    @property
    def linear(self) -> bool: ...

    def __call__(self, wrong: float) -> float: ...


@dataclass(frozen=True, slots=True)
class LinearLink:
    """`if_right (1 - p) + if_wrong p`: how often a tier is right where the one below is, and where it is not.

    Raises ValueError unless `0 <= if_wrong <= if_right <= 1`.
    """

    if_right: float = RIGHT_WHERE_RIGHT
    if_wrong: float = RIGHT_WHERE_WRONG

    def __post_init__(self) -> None:
        if not 0 <= self.if_wrong <= self.if_right <= 1:
            raise ValueError(f"0 <= if_wrong <= if_right <= 1, not {self.if_wrong} and {self.if_right}")

    @property
    def linear(self) -> bool:
        return True

    def __call__(self, wrong: float) -> float:
        return self.if_right * (1 - wrong) + self.if_wrong * wrong


@dataclass(frozen=True, slots=True)
class LogisticLink:
    """`sigma(intercept - slope p)`, for a fit to records. Raises ValueError for a negative slope."""

    intercept: float
    slope: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.intercept) and math.isfinite(self.slope) and self.slope >= 0):
            raise ValueError(f"a link needs a finite intercept and slope, the slope not negative, not {self}")

    @property
    def linear(self) -> bool:
        return False

    def __call__(self, wrong: float) -> float:
        return 0.5 * (1 + math.tanh((self.intercept - self.slope * wrong) / 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A tier that may be chosen: the expected money for one answer, the seconds until it speaks, and what is expected
    of it given the tier below (`link` of the first tier is not used)."""

    cost: float
    delay: float = 0.0
    link: Link = LinearLink()


def choose(qualities: Sequence[float], costs: Sequence[float], trade: float, *, dear: bool = False) -> int:
    """The index of the largest `quality - trade * cost`; of those that tie the cheapest, or with `dear` the dearest,
    and of equally dear ones the first."""
    values = [quality - trade * cost for quality, cost in zip(qualities, costs, strict=True)]
    bar = max(values) - TIE
    tied = [i for i, value in enumerate(values) if value >= bar]
    return max(tied, key=lambda i: (costs[i], -i)) if dear else min(tied, key=lambda i: (costs[i], i))


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeRouting(Policy):
    """Keeps the judged answer, or escalates to whichever larger tier is worth most.

    The evidence's score is taken for the probability p that the judged answer is wrong. Keeping is worth `1 - p`;
    a larger tier its expected quality, by the chain of links from the judged tier on, less `trade` times (its cost +
    `second` times (its delay, + `annoyance` if content would be withdrawn from a reader)). `trade` is quality per unit
    of money, `second` the money that a second of waiting costs, `annoyance` is in seconds. Where tiers tie, the dearest
    wins for requests whose dice are below `mix`. A tier that runs unseen has its time so far off its delay.

    Decides early where the same tier wins for every p between the bounds of the evidence. Raises ValueError for a
    negative or not finite number.
    """

    tiers: tuple[Candidate, ...]
    trade: float = 0.05
    second: float = 0.0
    annoyance: float = 2.0
    mix: float = 0.0

    def __post_init__(self) -> None:
        numbers = [self.trade, self.second, self.annoyance, self.mix]
        numbers += [value for tier in self.tiers for value in (tier.cost, tier.delay)]
        if not all(math.isfinite(value) and value >= 0 for value in numbers):
            raise ValueError(f"costs, delays and what they are weighed by are finite and not negative, not {numbers}")

    def __call__(self, snapshot: Snapshot) -> Verdict:
        evidence = snapshot.evidence
        if evidence is None:
            return UNDECIDED
        if snapshot.pending == 0 and (evidence.answer_judged or snapshot.settled):
            return _verdict(snapshot.tier, self._best(snapshot, evidence.score), "worth_its_cost", "not_worth_its_cost")
        best = self._certain(snapshot, evidence.low, evidence.high)
        if best is None:
            return UNDECIDED
        return _verdict(snapshot.tier, best, "certain_to_be_worth_its_cost", "certain_not_to_be_worth_its_cost")

    def start(self, wrong: float, *, dice: float = 0.5) -> int:
        """The tier to start with, where the first is expected to be wrong with this probability (ex ante)."""
        costs = [tier.cost + self.second * tier.delay for tier in self.tiers]
        return choose(self.qualities(0, wrong), costs, self.trade, dear=dice < self.mix)

    def qualities(self, tier: int, wrong: float) -> list[float]:
        """The expected quality of `tier`, wrong with this probability, and of each larger one."""
        chain = [1 - wrong]
        for candidate in self.tiers[tier + 1 :]:
            chain.append(candidate.link(1 - chain[-1]))
        return chain

    def costs(self, snapshot: Snapshot) -> list[float]:
        """The expected cost of keeping, which is none, and of each larger tier."""
        seen = self.annoyance if snapshot.shown is not None else 0.0
        costs = [0.0]
        for ahead, candidate in enumerate(self.tiers[snapshot.tier + 1 :]):
            run = snapshot.hedged if ahead == 0 and snapshot.hedged is not None else 0.0
            costs.append(candidate.cost + self.second * (max(0.0, candidate.delay - run) + seen))
        return costs

    def _best(self, snapshot: Snapshot, wrong: float) -> int:
        dear = snapshot.dice < self.mix
        return choose(self.qualities(snapshot.tier, wrong), self.costs(snapshot), self.trade, dear=dear)

    def _certain(self, snapshot: Snapshot, low: float, high: float) -> int | None:
        """Who wins for every p in [low, high]; None where that is not certain.

        Linear values: who wins at both ends wins between them. Others: no quality increases with p, so on each small
        piece they are between those at its ends.
        """
        best = self._best(snapshot, low)
        if self._best(snapshot, high) != best:
            return None
        if all(tier.link.linear for tier in self.tiers[snapshot.tier + 1 :]):
            return best
        costs = self.costs(snapshot)
        ends = [self.qualities(snapshot.tier, low + (high - low) * i / PIECES) for i in range(PIECES + 1)]
        for upper, lower in itertools.pairwise(ends):
            worth = lower[best] - self.trade * costs[best]
            if any(i != best and upper[i] - self.trade * costs[i] > worth + TIE for i in range(len(costs))):
                return None
        return best


def _verdict(tier: int, ahead: int, escalated: str, kept: str) -> Verdict:
    return Verdict(Decision.ESCALATE, escalated, tier + ahead) if ahead else Verdict(Decision.ACCEPT, kept)

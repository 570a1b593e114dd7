"""When a larger tier is worth starting before it is known to be needed (METHOD 5.2)."""

from __future__ import annotations

from dataclasses import dataclass

from streamroute.core.policy import Snapshot
from streamroute.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeRule:
    """Start the next tier, unseen, where the seconds that it may save are worth the money that it may waste.

    `waste` is the cost of a larger answer that is not needed, `second` what one second of a reader's time is worth in
    the same money. `large_first` is the time to first token of the larger tier, `decision` the mean time to a verdict,
    both in seconds from the start of their tier. `prior` is the probability of an escalation before there is evidence.

    A start at time t saves S = min(large_first, decision - t), so it pays where p > waste / (waste + second * S). The
    bar rises with t, towards one: hedge early or not at all.
    """

    waste: float
    second: float
    large_first: float
    decision: float
    prior: float = 0.25

    def __post_init__(self) -> None:
        for name in ("waste", "second", "large_first", "decision"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"hedge: {name} must not be negative, not {getattr(self, name)}")
        if not 0 <= self.prior <= 1:
            raise ConfigError(f"hedge: prior must be between 0 and 1, not {self.prior}")

    def bar(self, elapsed: float) -> float:
        """The probability of an escalation above which a start pays, `elapsed` seconds into the judged tier."""
        saved = self.second * max(0.0, min(self.large_first, self.decision - elapsed))
        return self.waste / (self.waste + saved) if saved else 1.0

    def __call__(self, snapshot: Snapshot) -> bool:
        evidence = snapshot.evidence
        doubt = self.prior if evidence is None else evidence.score
        return doubt > self.bar(snapshot.elapsed)

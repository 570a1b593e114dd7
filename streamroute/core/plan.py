"""What a route may do: its tiers, who is judged and how, what the reader may see, and the deadlines."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Literal

from streamroute.core.hedge import HedgeRule
from streamroute.core.policy import Policy, Threshold
from streamroute.core.types import Decision, Release
from streamroute.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSchedule:
    """How many samples of a tier are judged, how many are in flight at once (`wave`, None for all), and when they may
    start: with the answer, or at its first content, so that they find its prompt computed and do not delay it.

    With `skip_confident` they wait for the first content too, and where its log-probability says that it was at least
    that probable, none are started and the answer is kept. Without log-probabilities they are started as ever.
    """

    count: int = 5
    wave: int | None = None
    after: Literal["start", "first_token"] = "start"
    skip_confident: float | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(f"probes: count must be at least 1, not {self.count}")
        if self.wave is not None and self.wave < 1:
            raise ConfigError(f"probes: wave must be at least 1, not {self.wave}")
        if self.skip_confident is not None and not 0 < self.skip_confident <= 1:
            raise ConfigError(f"probes: skip_confident must be above 0 and at most 1, not {self.skip_confident}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoRelease:
    """How `Release.AUTO` chooses: hold where p * annoyance > E[first content to verdict] (METHOD 5.3).

    `annoyance` is how many seconds of waiting a retraction is as bad as, `decision_gap` the expected time in seconds,
    `prior` the probability of an escalation before there is evidence. What happens to a shown answer on escalation is
    `on_escalation`: retract, append or continue.
    METHOD's 2 s for `annoyance` withdrew 15 % of 214 recorded answers, 9 s withdraws 1 % (`replay --compare`).
    """

    annoyance: float = 9.0
    decision_gap: float = 0.8
    prior: float = 0.25
    on_escalation: Release = Release.RETRACT

    def __post_init__(self) -> None:
        for name in ("annoyance", "decision_gap"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"auto release: {name} must not be negative, not {getattr(self, name)}")
        if not 0 <= self.prior <= 1:
            raise ConfigError(f"auto release: prior must be between 0 and 1, not {self.prior}")
        if self.on_escalation in (Release.HOLD, Release.AUTO):
            raise ConfigError(f"on_escalation must be retract, append or continue, not {self.on_escalation}")

    def holds(self, escalation: float | None, waited: float) -> bool:
        """Whether an answer that will be escalated with this probability (None: not known) is better not shown yet,
        `waited` seconds after its first content: the verdict is then so much nearer."""
        p = self.prior if escalation is None else escalation
        return p * self.annoyance > self.decision_gap - waited


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a route may do. `tiers[i]` is the probe schedule of tier i, None where it is trusted unjudged; the last tier
    is never judged. Times are in seconds. `dice` is a number in [0, 1) that belongs to the request, for policies that
    randomise. `unjudged` is the reason that the verdict on an answer which is not judged gives.

    When `decision_deadline` has passed, the policy is asked once more, as if the evidence so far were all there will
    be; where there is none, or it stays undecided, the verdict is `on_timeout`. A deadline of 0 decides at once.
    `on_uncertain` is the verdict when the judge fails, when every probe does, or when the policy stays undecided about
    complete evidence.

    `auto` says how `Release.AUTO` chooses, `prefill` which tiers can go on from a text that another one began. A larger
    tier is started early, unseen, after `hedge_after` seconds or when `hedge` says so: it is asked at the start of a
    judged tier, at its first content and at the first evidence, and never later. With `insurance` a smaller leg that
    loses is cancelled only when the larger one speaks: should that fail first, the smaller answer is kept after all.
    With `on_break` "continue" a kept answer that breaks off is gone on with by the next larger tier of `prefill` that
    was not asked yet, where all that was shown is plain text; otherwise the route fails.
    """

    tiers: tuple[ProbeSchedule | None, ...]
    policy: Policy = field(default_factory=Threshold)
    release: Release = Release.HOLD
    auto: AutoRelease = AutoRelease()
    prefill: frozenset[int] = frozenset()
    start_tier: int = 0
    judge: bool = True
    decision_deadline: float | None = 2.5
    on_timeout: Decision = Decision.ACCEPT
    on_uncertain: Decision = Decision.ACCEPT
    hedge_after: float | None = None
    hedge: HedgeRule | None = None
    insurance: bool = False
    on_break: Literal["fail", "continue"] = "fail"
    dice: float = 0.5
    unjudged: str = "unjudged"

    def __post_init__(self) -> None:
        if not self.tiers:
            raise ConfigError("a route needs at least one tier")
        if not 0 <= self.start_tier < len(self.tiers):
            raise ConfigError(f"start_tier must be between 0 and {len(self.tiers) - 1}, not {self.start_tier}")
        for name in ("on_timeout", "on_uncertain"):
            if getattr(self, name) is Decision.UNDECIDED:
                raise ConfigError(f"{name} must be 'accept' or 'escalate'")
        for name in ("decision_deadline", "hedge_after"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ConfigError(f"{name} must not be negative, not {value}")

    @property
    def on_escalation(self) -> Release:
        """What becomes of a shown answer."""
        return self.auto.on_escalation if self.release is Release.AUTO else self.release

    def successor(self, tier: int, asked: Container[int]) -> int | None:
        """Who goes on with a kept answer of `tier` that broke off: a larger tier that is not among the `asked`."""
        larger = range(tier + 1, len(self.tiers)) if self.on_break == "continue" else ()
        return next((index for index in larger if index in self.prefill and index not in asked), None)

    def schedule(self, tier: int) -> ProbeSchedule | None:
        """The probe schedule of `tier`, None when it is not to be judged."""
        return self.tiers[tier] if self.judge and tier < len(self.tiers) - 1 else None

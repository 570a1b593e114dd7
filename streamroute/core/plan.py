"""What a route may do: its tiers, who is judged and how, what the reader may see, and the deadlines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from streamroute.core.policy import Policy, Threshold
from streamroute.core.types import Decision, Release
from streamroute.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSchedule:
    """How many samples of a tier are judged, how many are in flight at once (`wave`, None for all), and when they may
    start: with the answer, or at its first content, so that they find its prompt computed and do not delay it."""

    count: int = 5
    wave: int | None = None
    after: Literal["start", "first_token"] = "start"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(f"probes: count must be at least 1, not {self.count}")
        if self.wave is not None and self.wave < 1:
            raise ConfigError(f"probes: wave must be at least 1, not {self.wave}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a route may do. `tiers[i]` is the probe schedule of tier i, None where it is trusted unjudged; the last tier
    is never judged. Times are in seconds. `on_timeout` is the verdict when `decision_deadline` has passed without one,
    `on_uncertain` when there is no evidence to be had. `dice` is a number in [0, 1) that belongs to the request, for
    policies that randomise. `unjudged` is the reason that the verdict on an answer which is not judged gives."""

    tiers: tuple[ProbeSchedule | None, ...]
    policy: Policy = field(default_factory=Threshold)
    release: Release = Release.HOLD
    start_tier: int = 0
    judge: bool = True
    decision_deadline: float | None = 2.5
    on_timeout: Decision = Decision.ACCEPT
    on_uncertain: Decision = Decision.ACCEPT
    hedge_after: float | None = None
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

    def schedule(self, tier: int) -> ProbeSchedule | None:
        """The probe schedule of `tier`, None when it is not to be judged."""
        return self.tiers[tier] if self.judge and tier < len(self.tiers) - 1 else None

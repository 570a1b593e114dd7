"""What users hold of a route: the events of its stream, and the record of what it did and cost."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from streamroute.core.actions import Action
from streamroute.core.events import Event
from streamroute.core.types import Delta, Evidence, Leg, Verdict
from streamroute.routing.billing import Billing
from streamroute.routing.prerouter import Prior

Observer = Callable[[float, Event, tuple[Action, ...]], None]
"""Called synchronously for every event of the core with the seconds since the route started and what was decided,
before anything of that is done."""

LegHeaders = Callable[[Leg], Mapping[str, str]]
"""The headers that tell an upstream whose request it serves. Of a request that serves several probes the first asks."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The shown answer grew."""

    tier: int
    delta: Delta

    @property
    def text(self) -> str:
        return self.delta.text


@dataclass(frozen=True, slots=True)
class Retracted:
    """Everything shown so far is withdrawn; the answer starts anew."""

    tier: int
    reason: str


@dataclass(frozen=True, slots=True)
class Appended:
    """What was shown stays, but is superseded by what follows, which is tier `to`'s."""

    tier: int
    to: int
    reason: str


@dataclass(frozen=True, slots=True)
class Continued:
    """What was shown stays, and what follows is tier `to`'s continuation of it, from the `at`-th character on."""

    tier: int
    to: int
    at: int
    reason: str


@dataclass(frozen=True, slots=True)
class Committed:
    """From here on nothing but the end can happen to the answer, which is `tier`'s (its name is `name`)."""

    tier: int
    name: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Noted:
    """What an observer put at this place of the stream with `RoutedStream.note`; nothing else ever comes so."""

    fields: Mapping[str, Any]


StreamEvent = TextDelta | Retracted | Appended | Continued | Committed | Noted


class LegState(enum.StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class LegRecord:
    """One leg in the ledger. Times are seconds since the route started, `cost` is in the currency of the tier's price.

    `counted` is False while the tokens are our estimate, because the upstream did not say (a cancelled leg never says).
    `billing` says how a leg that was cut off is charged for (see `CancelBilling`), `failure` names the kind of `error`
    without quoting it.
    `attempts` is how often its upstream was asked: more than once where it failed before its first content.
    """

    leg: Leg
    tier_name: str
    model: str
    started: float
    state: LegState = LegState.RUNNING
    prompt_tokens: int = 0
    completion_tokens: int = 0
    counted: bool = False
    attempts: int = 1
    first_token: float | None = None
    ended: float | None = None
    cost: float = 0.0
    error: str | None = None
    reason: str | None = None
    text: str = ""
    billing: Billing | None = None
    failure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "leg": "answer" if self.leg.probe is None else "probe",
            "tier": self.leg.tier,
            "probe": self.leg.probe,
            "tier_name": self.tier_name,
            "model": self.model,
            "state": str(self.state),
            "reason": self.reason,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "counted": self.counted,
            "attempts": self.attempts,
            "started": _seconds(self.started),
            "first_token": _seconds(self.first_token),
            "ended": _seconds(self.ended),
            "cost": self.cost,
            "billing": self.billing,
            "error": self.error,
        }


@dataclass(slots=True)
class Timings:
    """Seconds since the route started: the first content shown, the first that was kept, the verdict, when shown text
    was last taken back or superseded, when the answer was committed to, the end."""

    first_shown: float | None = None
    first_kept: float | None = None
    decided: float | None = None
    finished: float | None = None
    retracted: float | None = None
    committed: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        return {
            "first_shown": _seconds(self.first_shown),
            "first_kept": _seconds(self.first_kept),
            "decided": _seconds(self.decided),
            "finished": _seconds(self.finished),
        }


@dataclass(slots=True)
class Route:
    """What a route did so far; complete once its stream has ended.

    `answer` is the text that stands: what was retracted or superseded is not in it. `verdict` is the last one, which on
    escalation says why. `tier` is the tier that is being shown, or was committed to.
    `continued` are the tiers, in order, whose text that one went on from: the answer begins with theirs.
    `prior` is what the pre-router said of the prompt, None where it was not asked. `nli_pairs` texts were compared by
    the judge of all tiers together, which took `nli_seconds`.
    """

    answer: str = ""
    finish_reason: str | None = None
    tier: int | None = None
    tier_name: str | None = None
    verdict: Verdict | None = None
    evidence: Evidence | None = None
    legs: tuple[LegRecord, ...] = ()
    timings: Timings = field(default_factory=Timings)
    retracted: bool = False
    continued: tuple[int, ...] = ()
    prior: Prior | None = None
    nli_pairs: int = 0
    nli_seconds: float = 0.0

    def leg(self, leg: Leg) -> LegRecord | None:
        return next((record for record in self.legs if record.leg == leg), None)

    @property
    def cost(self) -> float:
        """Of all legs: probes, losers and cancelled ones too."""
        return sum(record.cost for record in self.legs)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer and how it came about."""

    text: str
    route: Route


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 6)

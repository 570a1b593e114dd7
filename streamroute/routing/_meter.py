"""The meter of a route: turns what the driver sees into the `Route` record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from streamroute.core.actions import Append, Commit, Continue, Emit, Finish, ReaderAction, Retract
from streamroute.core.types import CHARACTERS_PER_TOKEN, Delta, Evidence, Leg, Sample, Usage
from streamroute.errors import UpstreamStatusError
from streamroute.routing.stream import LegRecord, LegState, Route
from streamroute.routing.tiers import Tier, characters_of
from streamroute.upstreams.base import Message


@dataclass(slots=True)
class Meter:
    """Owned by one driver. Every method takes the time in seconds since the route started."""

    tiers: Sequence[Tier]
    messages: Sequence[Message]
    route: Route = field(default_factory=Route)
    _prompt_characters: int = field(init=False)
    _legs: dict[Leg, LegRecord] = field(default_factory=dict)
    _texts: dict[Leg, list[str]] = field(default_factory=dict)
    _logprobs: dict[Leg, tuple[float, int]] = field(default_factory=dict)
    _judged: dict[int, Evidence] = field(default_factory=dict)
    _answer: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._prompt_characters = characters_of(self.messages)

    def leg_started(self, leg: Leg, now: float) -> None:
        tier = self.tiers[leg.tier]
        record = LegRecord(leg=leg, tier_name=tier.label, model=tier.upstream.model, started=now)
        record.prompt_tokens = tier.estimated_prompt(self._prompt_characters)
        self._legs[leg] = record
        self._texts[leg] = []
        self.route.legs = tuple(self._legs.values())

    def continues(self, leg: Leg, prefix: str) -> None:
        """The answer was told to go on from `prefix`, which is part of its prompt."""
        self._legs[leg].prompt_tokens += len(prefix) // CHARACTERS_PER_TOKEN

    def leg_retried(self, legs: Sequence[Leg]) -> None:
        """The request that serves these legs failed and is made again."""
        for leg in legs:
            self._legs[leg].attempts += 1

    def delta_received(self, leg: Leg, delta: Delta, now: float) -> None:
        record = self._legs[leg]
        if delta.has_content:
            if record.first_token is None:
                record.first_token = now
            record.completion_tokens += 1  # until the upstream says better, a delta is taken for a token
            self._texts[leg].append(delta.text)
        if delta.logprobs:
            total, count = self._logprobs.get(leg, (0.0, 0))
            added = sum(token.logprob for token in delta.logprobs)
            self._logprobs[leg] = (total + added, count + len(delta.logprobs))

    def usage_received(self, legs: Sequence[Leg], usage: Usage) -> None:
        """Usage of one request that served these legs. A prompt that was computed once is charged once; the completion
        tokens are shared out by what each leg received."""
        received = [self._legs[leg].completion_tokens for leg in legs]
        shares = received if any(received) else [1] * len(legs)
        for i, leg in enumerate(legs):
            record = self._legs[leg]
            record.prompt_tokens = usage.prompt_tokens if i == 0 else 0
            record.completion_tokens = round(usage.completion_tokens * shares[i] / sum(shares))
            record.counted = usage.counted
            self._charge(record)

    def leg_ended(self, leg: Leg, state: LegState, now: float, error: Exception | None = None) -> None:
        record = self._legs[leg]
        if record.state is not LegState.RUNNING:
            return
        record.state = state
        record.ended = now
        if error is not None:
            record.error, record.failure = str(error), _kind(error)
        record.text = self.text(leg)
        if state is LegState.FINISHED:
            self.tiers[leg.tier].cancelled.ended(record.completion_tokens, probe=leg.probe is not None)
        elif state is LegState.CANCELLED:
            record.billing = self.tiers[leg.tier].cancelled.by
        self._charge(record)

    def leg_cancelled(self, leg: Leg, reason: str, now: float) -> None:
        record = self._legs[leg]
        if record.state is LegState.RUNNING:
            record.reason = reason
            self.leg_ended(leg, LegState.CANCELLED, now)

    def judged(self, tier: int, evidence: Evidence) -> None:
        """What the evidence cost is its sum over the judging of one tier so far."""
        route = self.route
        route.evidence = self._judged[tier] = evidence
        route.nli_pairs = sum(one.nli_pairs for one in self._judged.values())
        route.nli_seconds = sum(one.seconds for one in self._judged.values())

    def text(self, leg: Leg) -> str:
        """What it has said so far."""
        return "".join(self._texts[leg])

    def sample(self, leg: Leg, finish_reason: str) -> Sample:
        total, count = self._logprobs.get(leg, (0.0, 0))
        return Sample(self.text(leg), finish_reason, total / count if count else None)

    @property
    def shown(self) -> bool:
        return bool(self._answer)

    def reader_told(self, action: ReaderAction, now: float) -> None:
        route, timings = self.route, self.route.timings
        match action:
            case Emit(tier, delta):
                if delta.has_content:
                    timings.first_shown = now if timings.first_shown is None else timings.first_shown
                    timings.first_kept = now if timings.first_kept is None else timings.first_kept
                self._show(tier)
                if delta.index == 0:
                    self._answer.append(delta.text)
            case Retract() | Append():
                self._answer.clear()
                timings.first_kept, timings.retracted = None, now
                route.retracted = route.retracted or isinstance(action, Retract)
                route.continued = ()
            case Continue(tier):
                route.continued = (*route.continued, tier)
            case Commit(tier, verdict):
                self._show(tier)
                route.verdict = verdict
                timings.committed = now
            case Finish(tier, finish_reason):
                self._show(tier)
                route.finish_reason = finish_reason
            case _:
                pass

    def settle(self, now: float) -> None:
        """The route is over, however it ended."""
        for leg in self._legs:
            self.leg_cancelled(leg, "route over", now)
        self.route.answer = "".join(self._answer)
        if self.route.timings.finished is None:
            self.route.timings.finished = now

    def _charge(self, record: LegRecord) -> None:
        tier, completion = self.tiers[record.leg.tier], record.completion_tokens
        if record.billing is not None and not record.counted:
            completion = tier.cancelled.tokens(completion, probe=record.leg.probe is not None)
        record.cost = tier.price.of(record.prompt_tokens, completion)

    def _show(self, tier: int) -> None:
        self.route.tier = tier
        self.route.tier_name = self.tiers[tier].label


def _kind(error: Exception) -> str:
    """What kind of failure it was, without its words, which may be the upstream's."""
    return f"{type(error).__name__} {error.status}" if isinstance(error, UpstreamStatusError) else type(error).__name__

"""The evidence-gathering on one tier: which probes wait, run and are done, and what the judge makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamroute.core.answer import Answer
from streamroute.core.plan import ProbeSchedule
from streamroute.core.types import Evidence, Leg, Sample


@dataclass(slots=True)
class Judgement:
    """`since` and `decide_by` are on the clock of the events. Probes are known by their numbers: `running` are under
    way, those from `next_probe` on wait, and `expected` is how many have not failed. `hedge_asked` is the state of
    knowledge, (content, evidence), that the hedge rule was last asked in."""

    tier: int
    since: float
    decide_by: float | None
    schedule: ProbeSchedule
    expected: int
    next_probe: int = 0
    running: set[int] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)
    scoring: bool = False
    stale: bool = False  # something happened that the evidence does not cover
    changed: bool = True  # something that a policy by evidence reads may have, since the policy was asked
    broken: bool = False  # the scorer failed
    evidence: Evidence | None = None
    hedge_asked: tuple[bool, bool] | None = None

    def is_late(self, now: float) -> bool:
        """Whether the time to decide has come."""
        return self.decide_by is not None and now >= self.decide_by

    @property
    def waiting(self) -> int:
        """Probes that were not started yet."""
        return self.schedule.count - self.next_probe

    @property
    def quiet(self) -> bool:
        """No more evidence is on its way."""
        return not (self.stale or self.scoring or self.running or self.waiting)

    def has_news(self, answer: Answer) -> bool:
        """Whether the answer has begun, or evidence has come, since this was last asked: also True the first time."""
        known = (answer.has_content, self.evidence is not None)
        before, self.hedge_asked = self.hedge_asked, known
        return known != before

    def take(self, evidence: Evidence) -> None:
        """The answer to what was asked last."""
        self.evidence = evidence
        self.scoring = False
        self.changed = True

    def fail(self, probe: int) -> None:
        """One sample less to come, so that the bounds have moved."""
        self.running.discard(probe)
        self.expected -= 1
        self.stale = self.changed = True

    def next_wave(self) -> tuple[Leg, ...]:
        """The probes to start now; they count as running from here on."""
        wave = range(self.next_probe, self.next_probe + min(self.schedule.wave or self.waiting, self.waiting))
        self.next_probe = wave.stop
        self.running.update(wave)
        return tuple([Leg(self.tier, probe) for probe in wave])

    def running_legs(self) -> list[Leg]:
        """In the order of their numbers."""
        return [Leg(self.tier, probe) for probe in sorted(self.running)]

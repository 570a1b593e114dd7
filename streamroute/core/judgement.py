"""The evidence-gathering on one tier: which probes wait, run and are done, and what the judge makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamroute.core.answer import Answer
from streamroute.core.plan import ProbeSchedule
from streamroute.core.types import Evidence, Leg, Sample


@dataclass(slots=True)
class Judgement:
    """`since` and `decide_by` are on the clock of the events. `hedge_asked` is the state of knowledge, (content,
    evidence), that the hedge rule was last asked in."""

    since: float
    decide_by: float | None
    schedule: ProbeSchedule
    waiting: list[Leg]
    running: set[Leg] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)
    scoring: bool = False
    stale: bool = False  # something happened that the evidence does not cover
    broken: bool = False  # the scorer failed
    evidence: Evidence | None = None
    hedge_asked: tuple[bool, bool] | None = None

    @property
    def expected(self) -> int:
        return len(self.samples) + len(self.running) + len(self.waiting)

    @property
    def pending(self) -> int:
        """Probes that the evidence does not cover and that may still come."""
        return self.expected - (self.evidence.samples if self.evidence is not None else 0)

    @property
    def quiet(self) -> bool:
        """No more evidence is on its way."""
        return not (self.running or self.waiting or self.scoring or self.stale)

    def has_news(self, answer: Answer) -> bool:
        """Whether the answer has begun, or evidence has come, since this was last asked: also True the first time."""
        known = (answer.has_content, self.evidence is not None)
        before, self.hedge_asked = self.hedge_asked, known
        return known != before

    def next_wave(self) -> tuple[Leg, ...]:
        """The probes to start now; they count as running from here on."""
        size = self.schedule.wave or len(self.waiting)
        wave, self.waiting = self.waiting[:size], self.waiting[size:]
        self.running.update(wave)
        return tuple(wave)

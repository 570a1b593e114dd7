"""One route in virtual time: the core decides, recorded legs answer.

A discrete-event simulation. What `routing._driver` does with tasks, this does with a heap: legs and the judge put
their next event there with its time, the core hears the earliest, and its actions start and cancel legs. Nothing
waits and nothing is generated, so thousands of routes are simulated in a second.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import assert_never

from streamroute.core.actions import (
    Action,
    Append,
    CancelLeg,
    Commit,
    Emit,
    Fail,
    Finish,
    Retract,
    Score,
    StartAnswer,
    StartProbes,
)
from streamroute.core.cascade import Cascade
from streamroute.core.events import Event, EvidenceReceived, ProbeFinished, RouteStarted, ScorerFailed, TimerFired
from streamroute.core.plan import Plan
from streamroute.core.states import Phase
from streamroute.core.types import Evidence, Leg
from streamroute.errors import LocalProtocolError, ScorerError
from streamroute.evaluation.simulation.legs import Asked, RecordedLeg, RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing, Outcome
from streamroute.evaluation.simulation.timings import JudgePace

__all__ = ("JudgeOf", "simulate")

JudgeOf = Callable[[RecordedRoute, Asked, Score], Evidence]
"""The evidence for one question to the judge. Asked once for each: routes remember it. May raise `ScorerError`, which
the core then hears of."""

_STARTED = RouteStarted()
_TIMER = TimerFired()


class _Running:
    """A leg, or an answer of the judge, that is under way. `alive` is False once it is cancelled or has ended."""

    __slots__ = ("alive", "cancelled", "events", "record", "started")

    def __init__(self, record: RecordedLeg, started: float) -> None:
        self.record = record
        self.events = record.events
        self.started = started
        self.alive = True
        self.cancelled: float | None = None

    def tokens_by(self, now: float) -> int:
        until = now if self.cancelled is None else self.cancelled
        return self.record.tokens_by(until - self.started)


def simulate(
    route: RecordedRoute, plan: Plan, judge: JudgeOf, billing: Billing, pace: JudgePace | None = None
) -> Outcome:
    """What `plan` makes of a recorded route. `pace` is how long the judge takes. Raises `LocalProtocolError` should the
    core wait for what nothing can bring."""
    return _Simulation(route, plan, judge, billing, pace or JudgePace()).run()


class _Simulation:
    def __init__(self, route: RecordedRoute, plan: Plan, judge: JudgeOf, billing: Billing, pace: JudgePace) -> None:
        self._route = route
        self._judge = judge
        self._billing = billing
        self._pace = pace
        self._cascade = Cascade(plan)
        self._heap: list[tuple[float, int, _Running, int]] = []
        self._order = 0  # of what was put on the heap: what is due together is heard in this order
        self._started: dict[tuple[int, int | None], _Running] = {}
        self._heard: list[int] = []  # probes of the judged tier that have ended, in order
        self._pairs: dict[int, int] = {}  # that the judge has compared, by tier
        self._sharing: set[tuple[int, int | None]] = set()  # probes whose prompt another of their request pays
        self._first_shown: float | None = None
        self._first_kept: float | None = None
        self._retracted = False
        self._withdrawn = 0
        self._verdicts = 0
        self._hedge: int | None = None

    def run(self) -> Outcome:
        cascade, heap = self._cascade, self._heap
        receive, next_deadline = cascade.receive, cascade.next_deadline
        now, decided = 0.0, None
        event: Event = _STARTED
        judged: int | None = None
        while True:
            for action in receive(event, now=now):
                if type(action) is Emit:
                    if self._first_kept is None and action.delta.has_content:
                        self._first_kept = now
                        if self._first_shown is None:
                            self._first_shown = now
                else:
                    self._act(action, now)
            if judged is not None and cascade.judged_tier != judged:
                decided = now
                self._heard.clear()
            judged = cascade.judged_tier
            if cascade.over:
                break
            due = next_deadline() if judged is not None else None
            while heap and not heap[0][2].alive:
                heappop(heap)
            if heap and (due is None or heap[0][0] < due):
                now, _, running, at = heappop(heap)
                event = running.events[at][1]
                at += 1
                if at < len(running.events):
                    self._order += 1
                    heappush(heap, (running.started + running.events[at][0], self._order, running, at))
                else:
                    running.alive = False
                if type(event) is ProbeFinished and event.leg.probe is not None:
                    self._heard.append(event.leg.probe)
            elif due is not None:
                now, event = max(now, due), _TIMER
            else:
                raise LocalProtocolError(f"route {self._route.id}: nothing runs and no deadline is set")
        return self._outcome(now, decided)

    def _act(self, action: Action, now: float) -> None:
        match action:
            case StartAnswer(leg):
                if leg.tier > self._cascade.tier:
                    self._hedge = leg.tier
                self._start(leg, now)
            case StartProbes(legs):
                for leg in legs:
                    self._start(leg, now)
                if self._billing.together:
                    self._sharing.update((leg.tier, leg.probe) for leg in legs[1:])
            case CancelLeg(leg):
                running = self._started[leg.tier, leg.probe]
                running.alive = False
                running.cancelled = now
            case Score():
                self._ask(action, now)
            case Retract(tier):
                self._retracted = True
                self._withdraw(tier, now)
            case Append(tier):
                self._withdraw(tier, now)
            case Emit() | Commit() | Finish() | Fail():
                pass
            case _:
                assert_never(action)

    def _start(self, leg: Leg, now: float) -> None:
        self._started[leg.tier, leg.probe] = self._run(self._route.leg(leg), now)

    def _run(self, record: RecordedLeg, now: float) -> _Running:
        running = _Running(record, now)
        self._order += 1
        heappush(self._heap, (now + record.events[0][0], self._order, running, 0))
        return running

    def _ask(self, action: Score, now: float) -> None:
        """The evidence comes after the time that the judge takes for the pairs that are new to it."""
        tier = action.tier
        probes = tuple(self._heard[: len(action.samples)])
        asked = Asked(tier, len(action.answer), action.answer_finished, probes, action.expected)
        self._verdicts += 1
        seconds = self._pace.verdict
        event: Event
        try:
            found = self._route.evidence.get(asked)
            if found is None:
                found = self._route.evidence[asked] = self._judge(self._route, asked, action)
        except ScorerError as error:
            event = ScorerFailed(tier, error)
        else:
            known = self._pairs.get(tier, 0)
            new = max(found.nli_pairs - known, 0)
            self._pairs[tier] = known + new
            seconds += self._pace.pair * new
            event = EvidenceReceived(tier, found)
        self._run(RecordedLeg(((seconds, event),)), now)

    def _withdraw(self, tier: int, now: float) -> None:
        self._withdrawn += self._started[tier, None].tokens_by(now)
        self._first_kept = None

    # -- the account --------------------------------------------------------------------------------------------------

    def _outcome(self, now: float, decided: float | None) -> Outcome:
        cascade, billing = self._cascade, self._billing
        failed, kept = cascade.phase is not Phase.FINISHED, cascade.tier
        cost = waste = 0.0
        wasted_cheap = wasted_large = wasted_probe = probe_tokens = heard = probes = 0
        for (tier, probe), running in self._started.items():
            record, cancelled = running.record, running.cancelled
            whole = cancelled is None or billing.cancelled == "full"
            tokens = record.tokens if whole else running.tokens_by(now)
            prompt = 0 if (tier, probe) in self._sharing else record.prompt_tokens
            price = billing.prices[tier].of(prompt, tokens)
            cost += price
            if probe is None:
                if failed or tier != kept:
                    waste += price
                    if tier < kept or tier == 0:
                        wasted_cheap += tokens
                    else:
                        wasted_large += tokens
                continue
            probes += 1
            probe_tokens += tokens
            if cancelled is None:
                heard += 1
            else:
                waste += price
                wasted_probe += tokens
        verdict = cascade.verdict
        return Outcome(
            self._route.id,
            kept,
            failed,
            "" if verdict is None else verdict.reason,
            None if failed else self._route.tiers[kept].correct,
            cost,
            waste,
            self._first_shown,
            self._first_kept,
            decided,
            now,
            self._retracted,
            self._withdrawn,
            wasted_cheap,
            wasted_probe,
            wasted_large,
            probe_tokens,
            heard,
            probes,
            self._verdicts,
            sum(self._pairs.values()),
            self._hedge is not None,
            self._hedge is not None and self._hedge == kept and not failed,
        )

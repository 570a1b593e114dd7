"""One route in virtual time: the core decides, recorded legs answer.

A discrete-event simulation. What `routing._driver` does with tasks, this does with a heap: legs and the judge put
their next event there with its time, the core hears the earliest, and its actions start and cancel legs. Nothing
waits and nothing is generated, so thousands of routes are simulated in a second. An answer that is told to go on from a
prefix is taken to come as the record has it, from its beginning: no record can know what it would have said.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import assert_never

from streamroute.core.actions import (
    Action,
    Append,
    CancelLeg,
    Commit,
    Continue,
    Emit,
    Fail,
    Finish,
    Retract,
    Score,
    StartAnswer,
    StartProbes,
)
from streamroute.core.cascade import Cascade
from streamroute.core.events import (
    AnswerFinished,
    Event,
    EvidenceReceived,
    ProbeFinished,
    RouteStarted,
    ScorerFailed,
    TimerFired,
)
from streamroute.core.plan import Plan
from streamroute.core.types import Evidence, Leg
from streamroute.errors import LocalProtocolError, ScorerError
from streamroute.evaluation.simulation.legs import Asked, RecordedLeg, RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing, Outcome
from streamroute.evaluation.simulation.timings import JudgePace, estimated_tokens

__all__ = ("JudgeOf", "simulate")

JudgeOf = Callable[[RecordedRoute, Asked, Score], Evidence]
"""The evidence for one question to the judge. Asked once for each: routes remember it. May raise `ScorerError`, which
the core then hears of."""

_STARTED = RouteStarted()
_TIMER = TimerFired()


class _Running:
    """A leg that is under way, or that was. `to_come` are its events after the one that is due; `shared`: the prompt is
    paid by another leg of the same request."""

    __slots__ = ("cancelled", "record", "shared", "started", "to_come")

    def __init__(self, record: RecordedLeg, started: float) -> None:
        self.record = record
        self.started = started
        self.to_come = iter(record.events)
        self.cancelled: float | None = None
        self.shared = False


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
        self._heap: list[tuple[float, int, Event, _Running | None]] = []  # what is due; of no leg: from the judge
        self._order = 0  # of what was put on the heap: what is due together is heard in this order
        self._started: dict[tuple[int, int | None], _Running] = {}
        self._heard: list[int | None] = []  # probes of the judged tier that have ended, in order
        self._pairs: dict[int, int] = {}  # that the judge has compared, by tier
        self._prefixes: dict[int, int] = {}  # tokens that an answer goes on from, part of its prompt
        self._first_shown: float | None = None
        self._first_kept: float | None = None
        self._shown: int | None = None  # the tier that it is of
        self._retracted = False
        self._withdrawn = 0
        self._verdicts = 0
        self._hedge: int | None = None
        self._ended = self._failed = False

    def run(self) -> Outcome:
        cascade, heap = self._cascade, self._heap
        receive, act = cascade.receive, self._act
        now, decided = 0.0, None
        event: Event = _STARTED
        judged: int | None = None
        while True:
            for action in receive(event, now=now):
                act(action, now)
            if judged != cascade.judged_tier:
                if judged is not None:
                    decided = now
                    self._heard.clear()
                judged = cascade.judged_tier
            if self._ended:
                return self._outcome(now, decided)
            due = None
            if judged is not None:
                due = cascade.next_deadline()
            elif self._shown == cascade.tier and (end := self._certain_end()) is not None:
                return self._outcome(end, decided)
            if heap and (due is None or heap[0][0] < due):
                now, _, event, running = heappop(heap)
                if running is not None:
                    self._put_next(running)
                if type(event) is ProbeFinished:
                    self._heard.append(event.leg.probe)
            elif due is not None:
                now, event = max(now, due), _TIMER
            else:
                raise LocalProtocolError(f"route {self._route.id}: nothing runs and no deadline is set")

    def _certain_end(self) -> float | None:
        """When a committed answer of which something is shown will be whole. The core promises that nothing but its own
        end can happen to it, so that need not be played. None where the record is of an end in failure."""
        running = self._started[self._cascade.tier, None]
        at, last = running.record.events[-1]
        return running.started + at if type(last) is AnswerFinished else None

    def _act(self, action: Action, now: float) -> None:
        match action:
            case Score():
                self._ask(action, now)
            case Emit():
                if self._first_kept is None and action.delta.has_content:
                    self._first_kept, self._shown = now, action.tier
                    if self._first_shown is None:
                        self._first_shown = now
            case StartAnswer():
                leg = action.leg
                if leg.tier > self._cascade.tier:
                    self._hedge = leg.tier
                self._start(leg, now)
                self._prefixes[leg.tier] = estimated_tokens(action.prefix)
            case StartProbes():
                for leg in action.legs:
                    self._start(leg, now)
                if self._billing.together:
                    for leg in action.legs[1:]:
                        self._started[leg.tier, leg.probe].shared = True
            case CancelLeg():
                leg = action.leg
                running = self._started[leg.tier, leg.probe]
                running.cancelled = now
                self._heap[:] = [item for item in self._heap if item[3] is not running]
                heapify(self._heap)
            case Retract(tier):
                self._retracted = True
                self._withdraw(tier, now)
            case Append(tier):
                self._withdraw(tier, now)
            case Finish() | Fail():
                self._ended = True
                self._failed = isinstance(action, Fail)
            case Commit() | Continue():
                pass
            case _:
                assert_never(action)

    def _start(self, leg: Leg, now: float) -> None:
        running = self._started[leg.tier, leg.probe] = _Running(self._route.leg(leg), now)
        self._put_next(running)

    def _put_next(self, running: _Running) -> None:
        """The next event of a leg on the heap, if there is one."""
        following = next(running.to_come, None)
        if following is not None:
            self._order += 1
            heappush(self._heap, (running.started + following[0], self._order, following[1], running))

    def _ask(self, action: Score, now: float) -> None:
        """The evidence comes after the time that the judge takes for the pairs that are new to it."""
        tier, seconds = action.tier, self._pace.verdict
        self._verdicts += 1
        event: EvidenceReceived | ScorerFailed
        try:
            event = self._evidence(action)
            pairs, known = event.evidence.nli_pairs, self._pairs.get(tier, 0)
            if pairs > known:
                seconds += self._pace.pair * (pairs - known)
                self._pairs[tier] = pairs
        except ScorerError as error:
            event = ScorerFailed(tier, error)
        self._order += 1
        heappush(self._heap, (now + seconds, self._order, event, None))

    def _evidence(self, action: Score) -> EvidenceReceived:
        route = self._route
        probes = tuple(self._heard[: len(action.samples)])
        asked = (action.tier, len(action.answer), action.answer_finished, probes, action.expected)
        event = route.answers.get(asked)
        if event is None:
            key = Asked(*asked)
            if key not in route.evidence:
                route.evidence[key] = self._judge(route, key, action)
            found = route.evidence[key]
            if route.rescore is not None:
                found = route.rescore(found)
            event = route.answers[asked] = EvidenceReceived(action.tier, found)
        return event

    def _withdraw(self, tier: int, now: float) -> None:
        self._withdrawn += _generated(self._started[tier, None], now)
        self._first_kept = self._shown = None

    # -- the account --------------------------------------------------------------------------------------------------

    def _outcome(self, now: float, decided: float | None) -> Outcome:
        cascade, prices = self._cascade, self._billing.prices
        failed, kept, in_full = self._failed, cascade.tier, self._billing.cancelled == "full"
        cost = waste = 0.0
        wasted_cheap = wasted_large = wasted_probe = probe_tokens = heard = probes = 0
        for (tier, probe), running in self._started.items():
            record, cancelled = running.record, running.cancelled
            tokens = record.tokens if cancelled is None or in_full else record.tokens_by(cancelled - running.started)
            if probe is None:
                price = prices[tier].of(record.prompt_tokens + self._prefixes[tier], tokens)
                if failed or tier != kept:
                    waste += price
                    if tier < kept or tier == 0:
                        wasted_cheap += tokens
                    else:
                        wasted_large += tokens
            else:
                price = prices[tier].of(0 if running.shared else record.prompt_tokens, tokens)
                probes += 1
                probe_tokens += tokens
                if cancelled is None:
                    heard += 1
                else:
                    waste += price
                    wasted_probe += tokens
            cost += price
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


def _generated(running: _Running, now: float) -> int:
    """Tokens of a leg until now, or until it was cancelled."""
    return running.record.tokens_by((now if running.cancelled is None else running.cancelled) - running.started)

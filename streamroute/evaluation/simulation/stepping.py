"""One route as a machine that somebody else winds: the core decides, recorded legs answer, and whoever owns the judge
says when that does.

What `routing._driver` does with tasks, this does with a heap: legs put their next event there with its time, the core
hears the earliest, and its actions start and cancel legs. A question to the judge stops it, for only its owner knows
how long the judge takes: `simulate` alone in the world, `fleet` among others. An answer that is told to go on from a
prefix is taken to come as the record has it, from its beginning: no record can know what it would have said.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush
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
from streamroute.evaluation.simulation.account import RunningLeg, billed
from streamroute.evaluation.simulation.legs import Asked, RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing, Outcome
from streamroute.evaluation.simulation.timings import estimated_tokens

__all__ = ("JudgeOf", "Simulation")

JudgeOf = Callable[[RecordedRoute, Asked, Score], Evidence]
"""The evidence for one question to the judge. Asked once for each: routes remember it. May raise `ScorerError`, which
the core then hears of."""

INFINITY = math.inf
_STARTED = RouteStarted()
_TIMER = TimerFired()


class Simulation:
    """One route, in seconds since its reader asked. To be advanced, and its questions answered, until it has an
    `outcome`.

    `now` is the time of what was heard last. `waiting`: the judge was asked and its answer would still be of use. Until
    it is given, the route must not be advanced beyond the present of whoever shares the judge; then it may run ahead,
    for it meets nobody else. `due` is when the next thing will happen to a route that waits, infinity where only the
    judge can go on.
    """

    __slots__ = (  # in a dictionary, so many cost a route a twentieth more (CPython 3.11)
        "_asked", "_billing", "_cascade", "_decided", "_ended", "_failed", "_first_kept", "_first_shown",
        "_heap", "_heard", "_hedge", "_judge", "_judged", "_judged_since", "_order", "_pairs", "_pairs_asked",
        "_prefixes", "_reply", "_retracted", "_route", "_shown", "_started", "_timer", "_verdicts",
        "_withdrawn", "due", "now", "outcome", "waiting",
    )  # fmt: skip

    def __init__(self, route: RecordedRoute, plan: Plan, judge: JudgeOf, billing: Billing) -> None:
        self.outcome: Outcome | None = None
        self.now = self.due = 0.0
        self.waiting = False
        self._route = route
        self._judge = judge
        self._billing = billing
        self._cascade = Cascade(plan)
        # What is due; of no leg: the start, and what the judge says.
        self._heap: list[tuple[float, int, Event, RunningLeg | None]] = [(0.0, 0, _STARTED, None)]
        self._order = 0  # of what was put on the heap: what is due together is heard in this order
        self._judged: int | None = None  # the tier on which a verdict is pending
        self._judged_since = 0.0
        # No deadline of the core comes before it: while a tier is judged, the next one only ever moves away.
        self._timer: float | None = None
        self._decided: float | None = None
        self._pairs_asked: int | None = None  # of a question that its owner has not heard of
        self._reply: EvidenceReceived | ScorerFailed | None = None  # to the latest question
        self._started: dict[tuple[int, int | None], RunningLeg] = {}
        self._heard: list[int | None] = []  # probes of the judged tier that have ended, in order
        self._pairs: dict[int, int] = {}  # that the judge was asked to compare, by tier
        self._prefixes: dict[int, int] = {}  # tokens that an answer goes on from, part of its prompt
        self._first_shown: float | None = None
        self._first_kept: float | None = None
        self._shown: int | None = None  # the tier that it is of
        self._retracted = False
        self._withdrawn = 0
        self._asked = 0.0
        self._verdicts = 0
        self._hedge: int | None = None
        self._ended = self._failed = False

    @property
    def deadline(self) -> float:
        """When the pending verdict falls at the latest: no later answer of the judge is heard."""
        limit = self._cascade.plan.decision_deadline
        return math.inf if limit is None else self._judged_since + limit

    def advance(self, until: float = INFINITY) -> int | None:
        """Have the core hear what is due by then. Stops at the outcome, and when the judge is asked: that is `now`, and
        so many pairs of texts are new to it. Raises `LocalProtocolError` should the core wait for what nothing can
        bring."""
        cascade, heap = self._cascade, self._heap
        receive, act = cascade.receive, self._act
        now, judged, timer = self.now, self._judged, self._timer
        event: Event
        while self.outcome is None:
            if judged is None and self._shown == cascade.tier and (end := self._certain_end()) is not None:
                self.outcome = self._account(end)
                break
            due = heap[0][0] if heap else INFINITY
            if timer is not None and timer <= due:
                timer = cascade.next_deadline()
            if timer is not None and timer <= due:
                due = max(now, timer)
                if due > until:
                    self.due = due
                    break
                event = _TIMER
            elif heap:
                if due > until:
                    self.due = due
                    break
                _, _, event, running = heappop(heap)
                if running is not None:
                    if running.cancelled is not None:
                        continue
                    self._put_next(running)
                if type(event) is ProbeFinished:
                    self._heard.append(event.leg.probe)
            elif self.waiting:
                self.due = due
                break
            else:
                raise LocalProtocolError(f"route {self._route.id}: nothing runs and no deadline is set")
            now = due
            for action in receive(event, now=now):
                act(action, now)
            if judged != cascade.judged_tier:
                self._turn_to(cascade.judged_tier, now)
                judged, timer = self._judged, self._timer
            if self._ended:
                self.outcome = self._account(now)
            elif (pairs := self._pairs_asked) is not None:
                self._pairs_asked = None
                self.now = now
                return pairs
        self.now = now
        return None

    def answer(self, after: float, error: ScorerError | None = None) -> None:
        """The open question is answered so many seconds after it was asked, or fails then."""
        assert self._reply is not None
        reply = self._reply if error is None else ScorerFailed(self._reply.tier, error)
        self.waiting = False
        self._order += 1
        heappush(self._heap, (self._asked + after, self._order, reply, None))

    def _turn_to(self, judged: int | None, now: float) -> None:
        """A verdict has fallen, or judging has begun."""
        if self._judged is not None:
            self._decided = now
            self._heard.clear()
        self._judged, self._judged_since = judged, now
        self._timer = self._cascade.next_deadline()
        self.waiting = False

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
                self._started[leg.tier, leg.probe].cancelled = now
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
        running = self._started[leg.tier, leg.probe] = RunningLeg(self._route.leg(leg), now)
        self._put_next(running)

    def _put_next(self, running: RunningLeg) -> None:
        """The next event of a leg on the heap, if there is one."""
        following = next(running.to_come, None)
        if following is not None:
            self._order += 1
            heappush(self._heap, (running.started + following[0], self._order, following[1], running))

    def _ask(self, action: Score, now: float) -> None:
        tier, new = action.tier, 0
        self._verdicts += 1
        # As of `Asked`, without the making of one.
        heard = tuple(self._heard[: len(action.samples)])
        asked = (tier, len(action.answer), action.answer_finished, heard, action.expected)
        try:
            reply = self._reply = self._route.answers.get(asked) or self._first_asked(asked, action)
            pairs, known = reply.evidence.nli_pairs, self._pairs.get(tier, 0)
            if pairs > known:
                new = pairs - known
                self._pairs[tier] = pairs
        except ScorerError as error:
            self._reply = ScorerFailed(tier, error)
        self._asked, self._pairs_asked = now, new
        self.waiting = True

    def _first_asked(
        self, asked: tuple[int, int, bool, tuple[int | None, ...], int], action: Score
    ) -> EvidenceReceived:
        """The evidence for a question that no route has put before."""
        route, key = self._route, Asked(*asked)
        if key not in route.evidence:
            route.evidence[key] = self._judge(route, key, action)
        found = route.evidence[key]
        if route.rescore is not None:
            found = route.rescore(found)
        event = route.answers[asked] = EvidenceReceived(action.tier, found)
        return event

    def _withdraw(self, tier: int, now: float) -> None:
        self._withdrawn += self._started[tier, None].generated(now)
        self._first_kept = self._shown = None

    def _account(self, now: float) -> Outcome:
        cascade, failed = self._cascade, self._failed
        kept, verdict, hedge = cascade.tier, cascade.verdict, self._hedge
        bill = billed(self._started, self._prefixes, self._billing, kept, failed=failed)
        return Outcome(
            self._route.id,
            kept,
            failed,
            "" if verdict is None else verdict.reason,
            None if failed else self._route.tiers[kept].correct,
            bill.cost,
            bill.waste,
            self._first_shown,
            self._first_kept,
            self._decided,
            now,
            self._retracted,
            self._withdrawn,
            bill.wasted_cheap,
            bill.wasted_probe,
            bill.wasted_large,
            bill.probe_tokens,
            bill.probes,
            bill.probes_started,
            self._verdicts,
            sum(self._pairs.values()),
            hedge is not None,
            hedge is not None and hedge == kept and not failed,
            bill.large_cost,
        )

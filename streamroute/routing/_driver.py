"""The driver: the one file that owns tasks. It executes the core's actions and feeds it events.

    stream() context          the reader's body runs inside
    `-- task group            cancelled when the body ends, however it ends
        |-- run               waits for the core's deadlines and for the end
        |-- answer legs       one task, one cancel scope each
        |-- probe requests    one task and scope for each request, which may serve several probes
        `-- judge             one scope for each judged tier

Whoever learns something feeds it to the core at once and executes what it decides, without awaiting: what reaches the
reader costs one change of tasks, not two. A failure of a leg or of the judge is an event, never an exception through
the task group. A failure of the whole route is the last item of the stream.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, assert_never

import anyio
from anyio.abc import TaskGroup

from streamroute.core.actions import (
    Action,
    Append,
    CancelLeg,
    Commit,
    Continue,
    Emit,
    Fail,
    Finish,
    ReaderAction,
    Retract,
    Score,
    StartAnswer,
    StartProbes,
)
from streamroute.core.cascade import Cascade
from streamroute.core.events import (
    AnswerFinished,
    DeltaReceived,
    Event,
    EvidenceReceived,
    LegFailed,
    ProbeFinished,
    ReaderLeft,
    RouteStarted,
    ScorerFailed,
    TimerFired,
)
from streamroute.core.plan import Plan
from streamroute.core.types import Delta, Leg
from streamroute.errors import RouteError, UpstreamInterruptedError
from streamroute.routing._flow import Gate, Items
from streamroute.routing._meter import Meter
from streamroute.routing.stream import (
    Appended,
    Committed,
    Continued,
    LegHeaders,
    LegState,
    Noted,
    Observer,
    Retracted,
    StreamEvent,
    TextDelta,
)
from streamroute.routing.tiers import Tier, question_of
from streamroute.uncertainty.base import Scorer, ScoringSession
from streamroute.upstreams.base import ChatRequest, Message

Item = StreamEvent | RouteError


class Driver:
    """Runs one route. Use inside a task group: `start`, read `items`, cancel the group when the reader is done."""

    def __init__(
        self,
        tiers: Sequence[Tier],
        plan: Plan,
        scorer: Scorer | None,
        messages: Sequence[Message],
        params: Mapping[str, Any],
        *,
        observer: Observer | None,
        high_water: int,
        headers: LegHeaders | None = None,
    ) -> None:
        self._tiers = tiers
        self._scorer = scorer
        self._messages = messages
        self._params = params
        self._observer = observer
        self._headers = headers
        self._cascade = Cascade(plan)
        self._meter = Meter(tiers, messages)
        self._clock = asyncio.get_running_loop().time  # anyio.current_time, without asking for the backend each time
        self._began = self._clock()
        self._scopes: dict[Leg, anyio.CancelScope] = {}
        self._sessions: dict[int, ScoringSession] = {}
        self._unasked: set[int] = set()  # tiers whose log-probabilities the reader did not ask for
        self._judge_scope: anyio.CancelScope | None = None
        self._group: TaskGroup | None = None
        self._deadline: float | None = None
        self._news = anyio.Event()  # another deadline, or the end
        self.items = Items[Item]()
        self._gate = Gate(high_water)
        self._torn = False  # the core was interrupted in mid-decision: it must not be asked again
        self.route = self._meter.route
        self.plan = plan

    def taken(self) -> None:
        """The reader took an item."""
        self._gate.update(len(self.items))

    async def run(self) -> None:
        """Drive the route to its end. Cancelled when the reader leaves; the record is settled either way."""
        with self.items:
            try:
                async with anyio.create_task_group() as self._group:
                    self._feed(RouteStarted())
                    while not self._over:
                        self._news = anyio.Event()
                        deadline = math.inf if self._deadline is None else self._began + self._deadline
                        with anyio.move_on_at(deadline) as waiting:
                            await self._news.wait()
                        if waiting.cancelled_caught:
                            self._feed(TimerFired())
                    self._group.cancel_scope.cancel("route over")
            finally:
                self._group = None
                if not self._over:
                    self._feed(ReaderLeft())
                self._meter.settle(self._now())

    @cached_property
    def _question(self) -> str:
        return question_of(self._messages)

    @property
    def _over(self) -> bool:
        return self._cascade.over or self._torn

    def _now(self) -> float:
        return self._clock() - self._began

    def _feed(self, event: Event) -> None:
        """One turn of the core. Decides and acts without awaiting. What comes after the end is nobody's business."""
        if self._over:
            return
        try:
            self._turn(event, self._group, self._now())
        except Exception as error:  # a user's policy or observer: the reader is told, the driver's group is not torn
            self._torn = True
            self.items.put(RouteError([("router", error)], shown=self._meter.shown))
        deadline = self._cascade.next_deadline()
        if deadline != self._deadline or self._over:
            self._deadline = deadline
            self._news.set()

    def _turn(self, event: Event, group: TaskGroup | None, now: float) -> None:
        judged = self._cascade.judged_tier
        actions = self._cascade.receive(event, now=now)
        if isinstance(event, EvidenceReceived):
            self._meter.judged(event.tier, event.evidence)
        if judged is not None and self._cascade.judged_tier != judged:
            self.route.timings.decided = now
            self.route.verdict = self._cascade.verdict
            if self._judge_scope is not None:
                self._judge_scope.cancel("verdict")
        if self._observer is not None:  # before the actions: what it has to say of them comes before what they show
            self._observer(now, event, actions)
        for action in actions:
            self._execute(action, group, now)

    def _execute(self, action: Action, group: TaskGroup | None, now: float) -> None:
        match action:
            case StartAnswer(leg, prefix):
                assert group is not None
                schedule = self._cascade.plan.schedule(leg.tier)
                sure = schedule is not None and schedule.skip_confident is not None
                tier = self._tiers[leg.tier]
                request = tier.answer_request(self._messages, self._params, prefix=prefix, logprobs=sure)
                if sure and not tier.asks_logprobs(self._params):
                    self._unasked.add(leg.tier)
                self._start(group, (leg,), request, now)
                if prefix:
                    self._meter.continues(leg, prefix)
            case StartProbes(legs):
                assert group is not None
                tier = self._tiers[legs[0].tier]
                together = [legs] if tier.upstream.supports_n else [(leg,) for leg in legs]
                for part in together:
                    numbers = [leg.probe for leg in part if leg.probe is not None]
                    self._start(group, part, tier.probe_request(self._messages, self._params, numbers), now)
            case CancelLeg(leg, reason):
                self._meter.leg_cancelled(leg, reason, now)
                scope = self._scopes.pop(leg, None)  # None: it has just ended, and the core will hear of it
                if scope is not None and scope not in self._scopes.values():  # the last leg of this request
                    scope.cancel(reason)
            case Score():
                assert group is not None
                self._judge_scope = anyio.CancelScope()
                group.start_soon(self._score, action, self._judge_scope, name="judge")
            case Emit() | Retract() | Append() | Continue() | Commit() | Finish() | Fail():
                self._meter.reader_told(action, now)
                self._tell(action)
            case _:
                assert_never(action)

    def note(self, fields: Mapping[str, Any]) -> None:
        """Put a `Noted` among the events."""
        self.items.put(Noted(fields))

    def _tell(self, action: ReaderAction) -> None:
        item: Item
        match action:
            case Emit(tier, delta):
                if delta.logprobs and tier in self._unasked:
                    delta = replace(delta, logprobs=())  # asked for by us, to tell whether probes are worth it
                item = TextDelta(tier, delta)
            case Retract(tier, reason):
                item = Retracted(tier, reason)
            case Append(tier, to, reason):
                item = Appended(tier, to, reason)
            case Continue(tier, to, at, reason):
                item = Continued(tier, to, at, reason)
            case Commit(tier, verdict):
                item = Committed(tier, self._tiers[tier].label, verdict)
            case Finish():
                return
            case Fail(causes, shown):
                named = [(self._leg_name(leg), error) for leg, error in causes]
                item = RouteError(named, shown=shown, answers=[error for leg, error in causes if leg.probe is None])
            case _:
                assert_never(action)
        self.items.put(item)
        self._gate.update(len(self.items))

    def _leg_name(self, leg: Leg) -> str:
        name = self._tiers[leg.tier].label
        return name if leg.probe is None else f"{name} probe {leg.probe}"

    # -- tasks --------------------------------------------------------------------------------------------------------

    def _start(self, group: TaskGroup, legs: tuple[Leg, ...], request: ChatRequest, now: float) -> None:
        scope = anyio.CancelScope()
        headers = {} if self._headers is None else self._headers(legs[0])
        request = replace(request, headers=headers, retrying=lambda _: self._meter.leg_retried(legs))
        for leg in legs:
            self._scopes[leg] = scope
            self._meter.leg_started(leg, now)
        group.start_soon(self._pump, legs, request, scope, name=str(legs[0]))

    async def _pump(self, legs: tuple[Leg, ...], request: ChatRequest, scope: anyio.CancelScope) -> None:
        """One request from its start to its end, whatever the end is. Choice i of the request is leg i."""
        upstream = self._tiers[legs[0].tier].upstream
        open_legs = set(legs)
        with scope:
            try:
                async with upstream.stream(request) as deltas:
                    await self._read(deltas, legs, open_legs)
                if open_legs:
                    raise UpstreamInterruptedError("ended without a finish reason", upstream=upstream.name)
            except Exception as error:  # a failure is a fact for the core to weigh, whatever it is
                for leg in sorted(open_legs & self._scopes.keys()):
                    del self._scopes[leg]
                    self._meter.leg_ended(leg, LegState.FAILED, self._now(), error)
                    self._feed(LegFailed(leg, error))

    async def _read(self, deltas: AsyncIterator[Delta], legs: tuple[Leg, ...], open_legs: set[Leg]) -> None:
        finished: dict[Leg, str] = {}
        async for delta in deltas:
            # A probe request serves one leg with each choice, an answer one leg with all (more than one only unjudged).
            leg = legs[delta.index] if legs[0].probe is not None else legs[0]
            self._meter.delta_received(leg, delta, self._now())
            if delta.usage is not None:
                self._meter.usage_received(legs, delta.usage)
            if leg.probe is None and (delta.has_content or delta.logprobs or delta.index):
                self._feed(DeltaReceived(leg, _without_end(delta)))
                if self._gate.closed:
                    await self._gate.wait()
            if delta.finish_reason is not None and (leg.probe is not None or delta.index == 0):
                finished[leg] = delta.finish_reason
                if leg.probe is not None:
                    self._end(leg, delta.finish_reason, open_legs)
            elif leg in open_legs and self._has_said_enough(leg, delta):
                self._cut(leg, open_legs)
        for leg, reason in finished.items():  # an answer ends with its stream: usage may come after the finish reason
            if leg in open_legs:
                self._end(leg, reason, open_legs)

    def _end(self, leg: Leg, reason: str, open_legs: set[Leg]) -> None:
        open_legs.discard(leg)
        if self._scopes.pop(leg, None) is None:  # cancelled, while others of the same request live on
            return
        self._meter.leg_ended(leg, LegState.FINISHED, self._now())
        if leg.probe is None:
            self._feed(AnswerFinished(leg, reason))
        else:
            self._feed(ProbeFinished(leg, self._meter.sample(leg, reason)))

    def _has_said_enough(self, leg: Leg, delta: Delta) -> bool:
        plan = None if leg.probe is None else self._tiers[leg.tier].probes
        if plan is None or plan.until == "end" or not delta.text:
            return False
        return plan.has_said_enough(self._meter.text(leg), self._question, new=len(delta.text))

    def _cut(self, leg: Leg, open_legs: set[Leg]) -> None:
        """A probe has said what it is judged by. Its request ends with the last probe that it serves."""
        open_legs.discard(leg)
        if leg not in self._scopes:
            return
        sample = self._meter.sample(leg, "claim")
        self._execute(CancelLeg(leg, "said enough"), None, self._now())
        self._feed(ProbeFinished(leg, sample))

    async def _score(self, action: Score, scope: anyio.CancelScope) -> None:
        assert self._scorer is not None
        with scope:
            try:
                session = self._sessions.get(action.tier)
                if session is None:
                    deadline = None if action.deadline is None else self._began + action.deadline
                    session = self._scorer.session(self._question, deadline=deadline)
                    self._sessions[action.tier] = session
                evidence = await session.evaluate(
                    answer=action.answer,
                    answer_finished=action.answer_finished,
                    samples=action.samples,
                    expected=action.expected,
                    confidence=action.confidence,
                )
            except Exception as error:  # the route goes on without its judge
                self._feed(ScorerFailed(action.tier, error))
            else:
                self._feed(EvidenceReceived(action.tier, evidence))


def _without_end(delta: Delta) -> Delta:
    """The end and the usage are the route's to tell: this leg may not be the one that is kept. The ends of further
    choices, which only unjudged answers have, are told nowhere else and stay."""
    told = None if delta.index == 0 else delta.finish_reason
    if delta.usage is None and delta.finish_reason == told:
        return delta  # nearly always: no copy on the hot path
    return replace(delta, finish_reason=told, usage=None)

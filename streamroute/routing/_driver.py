"""The driver: the one file that owns tasks. It executes the core's actions and feeds it events.

    stream() context          the reader's body runs inside
    `-- task group            cancelled when the body ends, however it ends
        |-- run               one loop: event -> core -> actions
        |-- answer legs       one task, one cancel scope each
        |-- probe requests    one task and scope for each request, which may serve several probes
        `-- judge             one scope for each judged tier

A failure of a leg or of the judge is an event, never an exception through the task group. A failure of the whole route
is the last item of the stream.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
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
from streamroute.routing._flow import Gate
from streamroute.routing._meter import Meter
from streamroute.routing.stream import (
    Appended,
    Committed,
    Continued,
    LegState,
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
    ) -> None:
        self._tiers = tiers
        self._scorer = scorer
        self._messages = messages
        self._params = params
        self._observer = observer
        self._cascade = Cascade(plan)
        self._meter = Meter(tiers, messages)
        self._began = anyio.current_time()
        self._scopes: dict[Leg, anyio.CancelScope] = {}
        self._sessions: dict[int, ScoringSession] = {}
        self._unasked: set[int] = set()  # tiers whose log-probabilities the reader did not ask for
        self._judge_scope: anyio.CancelScope | None = None
        self._send_event, self._events = anyio.create_memory_object_stream[Event](16)
        self._send_item, self.items = anyio.create_memory_object_stream[Item](math.inf)
        self._gate = Gate(high_water)
        self._torn = False  # the core was interrupted in mid-decision: it must not be asked again
        self.route = self._meter.route

    def taken(self) -> None:
        """The reader took an item."""
        self._gate.update(self.items.statistics().current_buffer_used)

    async def run(self) -> None:
        """Drive the route to its end. Cancelled when the reader leaves; the record is settled either way."""
        with self._send_event, self._events, self._send_item:
            try:
                async with anyio.create_task_group() as group:
                    event: Event = RouteStarted()
                    while not self._step(event, group):
                        deadline = self._cascade.next_deadline()
                        event = TimerFired()
                        with anyio.move_on_at(math.inf if deadline is None else self._began + deadline):
                            event = await self._events.receive()
                    group.cancel_scope.cancel("route over")
            finally:
                if not (self._cascade.over or self._torn):
                    self._step(ReaderLeft(), None)
                self._meter.settle(self._now())

    def _now(self) -> float:
        return anyio.current_time() - self._began

    def _step(self, event: Event, group: TaskGroup | None) -> bool:
        """One turn of the core; True when the route is over. Decides and acts without awaiting."""
        now = self._now()
        try:
            self._turn(event, group, now)
        except Exception as error:  # a user's policy or observer: the reader is told, the driver's group is not torn
            self._torn = True
            self._send(RouteError([("router", error)], shown=self._meter.shown))
            return True
        return self._cascade.over

    def _turn(self, event: Event, group: TaskGroup | None, now: float) -> None:
        judged = self._cascade.judged_tier
        actions = self._cascade.receive(event, now=now)
        for action in actions:
            self._execute(action, group, now)
        if isinstance(event, EvidenceReceived):
            self.route.evidence = event.evidence
        if judged is not None and self._cascade.judged_tier != judged:
            self.route.timings.decided = now
            self.route.verdict = self._cascade.verdict
            if self._judge_scope is not None:
                self._judge_scope.cancel("verdict")
        if self._observer is not None:
            self._observer(now, event, actions)

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
        self._send(item)
        self._gate.update(self.items.statistics().current_buffer_used)

    def _send(self, item: Item) -> None:
        # A reader may leave in the moment that something happens: the cancellation which ends the route is on its way.
        with contextlib.suppress(anyio.BrokenResourceError):
            self._send_item.send_nowait(item)

    def _leg_name(self, leg: Leg) -> str:
        name = self._tiers[leg.tier].label
        return name if leg.probe is None else f"{name} probe {leg.probe}"

    # -- tasks --------------------------------------------------------------------------------------------------------

    def _start(self, group: TaskGroup, legs: tuple[Leg, ...], request: ChatRequest, now: float) -> None:
        scope = anyio.CancelScope()
        request = replace(request, retrying=lambda _: self._meter.leg_retried(legs))
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
                    await self._send_event.send(LegFailed(leg, error))

    async def _read(self, deltas: AsyncIterator[Delta], legs: tuple[Leg, ...], open_legs: set[Leg]) -> None:
        finished: dict[Leg, str] = {}
        async for delta in deltas:
            # A probe request serves one leg with each choice, an answer one leg with all (more than one only unjudged).
            leg = legs[delta.index] if legs[0].probe is not None else legs[0]
            self._meter.delta_received(leg, delta, self._now())
            if delta.usage is not None:
                self._meter.usage_received(legs, delta.usage)
            if leg.probe is None and (delta.has_content or delta.logprobs or delta.index):
                await self._send_event.send(DeltaReceived(leg, _without_end(delta)))
                if self._gate.closed:
                    await self._gate.wait()
            if delta.finish_reason is not None and (leg.probe is not None or delta.index == 0):
                finished[leg] = delta.finish_reason
                if leg.probe is not None:
                    await self._end(leg, delta.finish_reason, open_legs)
        for leg, reason in finished.items():  # an answer ends with its stream: usage may come after the finish reason
            if leg in open_legs:
                await self._end(leg, reason, open_legs)

    async def _end(self, leg: Leg, reason: str, open_legs: set[Leg]) -> None:
        open_legs.discard(leg)
        if self._scopes.pop(leg, None) is None:  # cancelled, while others of the same request live on
            return
        self._meter.leg_ended(leg, LegState.FINISHED, self._now())
        if leg.probe is None:
            await self._send_event.send(AnswerFinished(leg, reason))
        else:
            await self._send_event.send(ProbeFinished(leg, self._meter.sample(leg, reason)))

    async def _score(self, action: Score, scope: anyio.CancelScope) -> None:
        assert self._scorer is not None
        with scope:
            try:
                session = self._sessions.get(action.tier)
                if session is None:
                    session = self._sessions[action.tier] = self._scorer.session(question_of(self._messages))
                evidence = await session.evaluate(
                    answer=action.answer,
                    answer_finished=action.answer_finished,
                    samples=action.samples,
                    expected=action.expected,
                    confidence=action.confidence,
                )
            except Exception as error:  # the route goes on without its judge
                await self._send_event.send(ScorerFailed(action.tier, error))
            else:
                await self._send_event.send(EvidenceReceived(action.tier, evidence))


def _without_end(delta: Delta) -> Delta:
    """The end and the usage are the route's to tell: this leg may not be the one that is kept. The ends of further
    choices, which only unjudged answers have, are told nowhere else and stay."""
    told = None if delta.index == 0 else delta.finish_reason
    if delta.usage is None and delta.finish_reason == told:
        return delta  # nearly always: no copy on the hot path
    return replace(delta, finish_reason=told, usage=None)

"""The decision core of one route: events in, actions out, time passed in.

A `Cascade` runs over an ordered list of tiers, the cheapest first. It streams the current tier's answer, has probe
samples of the same tier judged meanwhile, and on the policy's verdict commits to that tier or moves on to a larger one.
It holds no clock, task, socket or random number, so every race between readers, models and the judge is a plain
function call that can be enumerated, recorded and replayed.

Promises, for every sequence of events:

- what is emitted is a prefix of exactly one leg, unless a `Retract` or an `Append` says otherwise;
- after `Finish`, `Fail` or `ReaderLeft` nothing runs;
- while the route lives, something runs or a deadline exists: it is never stuck;
- a leg is started at most once and cancelled at most once, and never cancelled after its end;
- `Commit` is said once, before the first content that is kept, and the committed tier never changes after it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
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
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Snapshot
from streamroute.core.states import OVER, TABLE, Cause, Phase
from streamroute.core.types import Confidence, Decision, Delta, Evidence, Leg, Release, Sample, Verdict
from streamroute.errors import LocalProtocolError

SENTENCE_ENDS = frozenset(".!?\n")


class _Status(enum.Enum):
    RUNNING = enum.auto()
    FINISHED = enum.auto()
    FAILED = enum.auto()
    CANCELLED = enum.auto()


@dataclass(slots=True)
class _Answer:
    """One tier's answer. `deltas` are kept until they are out for good: they may have to be shown, or shown again."""

    status: _Status = _Status.RUNNING
    deltas: list[Delta] = field(default_factory=list)
    emitted: int = 0
    has_content: bool = False
    finish_reason: str = ""

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas)

    @property
    def confidence(self) -> Confidence | None:
        tokens = [token for delta in self.deltas for token in delta.logprobs]
        first = next((token for token in tokens if token.token.strip()), None)
        if first is None:
            return None
        values = [token.logprob for token in tokens]
        return Confidence(first, sum(values) / len(values), min(values), len(values))


@dataclass(slots=True)
class _Judgement:
    """The evidence-gathering on one tier."""

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

    @property
    def expected(self) -> int:
        return len(self.samples) + len(self.running) + len(self.waiting)

    @property
    def quiet(self) -> bool:
        """No more evidence is on its way."""
        return not (self.running or self.waiting or self.scoring or self.stale)


class Cascade:
    """One route. Feed it events with `receive`, execute what it returns, and feed `TimerFired` at `next_deadline`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.phase = Phase.IDLE
        self.verdict: Verdict | None = None
        self.tier = plan.start_tier
        self._answers: dict[int, _Answer] = {}
        self._errors: list[tuple[Leg, Exception]] = []
        self._judgement: _Judgement | None = None
        self._hedge_at: float | None = None
        self._announced = False
        self._superseded: tuple[int, str] | None = None  # appended mode: the tier to mark once a larger one speaks

    @property
    def over(self) -> bool:
        return self.phase in OVER

    @property
    def judged_tier(self) -> int | None:
        """The tier on which the judge is at work, None when no verdict is pending."""
        return self.tier if self._judgement is not None else None

    def running(self) -> frozenset[Leg]:
        """Every leg that has been started and has neither ended nor been cancelled."""
        answers = {Leg(tier) for tier, answer in self._answers.items() if answer.status is _Status.RUNNING}
        return frozenset(answers | (self._judgement.running if self._judgement else set()))

    def next_deadline(self) -> float | None:
        """When to feed `TimerFired`, on the clock of `now`; None while there is nothing to wait for."""
        if self._judgement is None:
            return None
        times = (self._judgement.decide_by, self._hedge_at)
        return min((time for time in times if time is not None), default=None)

    def receive(self, event: Event, *, now: float) -> tuple[Action, ...]:
        """Take one event at time `now` (seconds, any origin, never decreasing) and return what to do, in order.

        Events of legs that are no longer running are ignored: they were under way when the leg was cancelled. Raises
        `LocalProtocolError` for an event before `RouteStarted` or for a second one.
        """
        out: list[Action] = []
        if (self.phase is Phase.IDLE) is not isinstance(event, RouteStarted) and not isinstance(event, ReaderLeft):
            raise LocalProtocolError(f"{type(event).__name__} in phase {self.phase}")
        if self.over:
            return ()
        match event:
            case RouteStarted():
                self._begin(now, out)
            case DeltaReceived(leg, delta):
                self._on_delta(leg, delta, now, out)
            case AnswerFinished(leg, finish_reason):
                self._on_answer_finished(leg, finish_reason, now, out)
            case ProbeFinished(leg, sample):
                self._on_probe_finished(leg, sample, now, out)
            case LegFailed(leg, error):
                self._on_failure(leg, error, now, out)
            case EvidenceReceived(tier, evidence):
                if self._judgement is not None and tier == self.tier and self._judgement.scoring:
                    self._judgement.scoring = False
                    self._judgement.evidence = evidence
                    self._consider(now, out)
            case ScorerFailed(tier, _):
                if self._judgement is not None and tier == self.tier and self._judgement.scoring:
                    self._judgement.scoring = False
                    self._judgement.broken = True
                    self._consider(now, out)
            case TimerFired():
                self._on_timer(now, out)
            case ReaderLeft():
                self._close(Cause.READER_LEFT, "reader left", out)
            case _:
                assert_never(event)
        return tuple(out)

    # -- what happened ------------------------------------------------------------------------------------------------

    def _begin(self, now: float, out: list[Action]) -> None:
        schedule = self.plan.schedule(self.tier)
        self._start_answer(self.tier, out)
        if schedule is None:
            self._move(Cause.STARTED_UNJUDGED)
            self.verdict = Verdict(Decision.ACCEPT, self.plan.unjudged)
            return
        self._move(Cause.STARTED)
        if self.plan.hedge_after is not None:
            self._hedge_at = now + self.plan.hedge_after
        self._judge(schedule, now, out)

    def _on_delta(self, leg: Leg, delta: Delta, now: float, out: list[Action]) -> None:
        answer = self._answers.get(leg.tier)
        if leg.probe is not None or answer is None or answer.status is not _Status.RUNNING:
            return
        first = delta.has_content and not answer.has_content
        answer.deltas.append(delta)
        answer.has_content |= delta.has_content
        self._flush(out)
        if self._judgement is not None and leg.tier == self.tier:
            if not SENTENCE_ENDS.isdisjoint(delta.text):
                self._judgement.stale = True
            elif not first:
                return
            self._consider(now, out)

    def _on_answer_finished(self, leg: Leg, finish_reason: str, now: float, out: list[Action]) -> None:
        answer = self._answers.get(leg.tier)
        if leg.probe is not None or answer is None or answer.status is not _Status.RUNNING:
            return
        answer.status = _Status.FINISHED
        answer.finish_reason = finish_reason
        if leg.tier != self.tier:
            return
        if self.phase is Phase.COMMITTED:
            self._finish(out)
        elif not answer.has_content:
            self._escalate(Verdict(Decision.ESCALATE, "answer_empty"), now, out)
        else:
            assert self._judgement is not None
            self._judgement.stale = True
            self._consider(now, out)

    def _on_probe_finished(self, leg: Leg, sample: Sample, now: float, out: list[Action]) -> None:
        judgement = self._judgement
        if judgement is not None and leg in judgement.running:
            judgement.running.discard(leg)
            judgement.samples.append(sample)
            judgement.stale = True
            self._consider(now, out)

    def _on_failure(self, leg: Leg, error: Exception, now: float, out: list[Action]) -> None:
        if leg not in self.running():
            return
        self._errors.append((leg, error))
        if leg.probe is not None:
            assert self._judgement is not None
            self._judgement.running.discard(leg)
            self._judgement.stale = True  # fewer samples to come: the bounds have moved
            self._consider(now, out)
            return
        self._answers[leg.tier].status = _Status.FAILED
        if leg.tier == self.tier and self.phase is Phase.COMMITTED:
            self._recover(out)
        elif leg.tier == self.tier:
            self._escalate(Verdict(Decision.ESCALATE, "answer_failed"), now, out)
        elif self._next_tier() is None:  # the hedge was the last hope for anything better
            self._accept("escalation_failed", out)
        else:
            self._move(Cause.HEDGE_LOST)

    def _on_timer(self, now: float, out: list[Action]) -> None:
        if self._judgement is None:
            return
        if self._hedge_at is not None and now >= self._hedge_at:
            self._hedge_at = None
            self._move(Cause.HEDGE_STARTED)
            self._start_answer(self._better_tier(), out)
        if self._judgement.decide_by is not None and now >= self._judgement.decide_by:
            self._decide(Verdict(self.plan.on_timeout, "deadline"), now, out)

    # -- weighing the evidence ----------------------------------------------------------------------------------------

    def _judge(self, schedule: ProbeSchedule, now: float, out: list[Action]) -> None:
        deadline = self.plan.decision_deadline
        self._judgement = _Judgement(
            since=now,
            decide_by=None if deadline is None else now + deadline,
            schedule=schedule,
            waiting=[Leg(self.tier, probe) for probe in range(schedule.count)],
        )
        self._consider(now, out)

    def _consider(self, now: float, out: list[Action]) -> None:
        """Ask the policy, the judge or for more probes, whichever is next."""
        judgement, answer = self._judgement, self._answers[self.tier]
        assert judgement is not None
        if judgement.broken:
            self._decide(Verdict(self.plan.on_uncertain, "scorer_failed"), now, out)
            return
        if not judgement.samples:
            judgement.stale = False
        verdict = self.plan.policy(self._snapshot(judgement, answer, now))
        if verdict.decided:
            self._decide(verdict, now, out)
            return
        if judgement.stale and not judgement.scoring:
            judgement.stale = False
            judgement.scoring = True
            finished = answer.status is _Status.FINISHED
            samples = tuple(judgement.samples)
            out.append(Score(self.tier, answer.text, finished, samples, judgement.expected, answer.confidence))
        elif judgement.waiting and not judgement.running and not judgement.scoring:
            self._launch(judgement, answer, out)
        elif judgement.quiet and (judgement.evidence is None or answer.status is _Status.FINISHED):
            reason = "no_evidence" if judgement.evidence is None else "policy_undecided"
            self._decide(Verdict(self.plan.on_uncertain, reason), now, out)

    def _snapshot(self, judgement: _Judgement, answer: _Answer, now: float) -> Snapshot:
        covered = judgement.evidence.samples if judgement.evidence else 0
        finished = answer.status is _Status.FINISHED
        return Snapshot(
            tier=self.tier,
            last_tier=len(self.plan.tiers) - 1,
            evidence=judgement.evidence,
            pending=judgement.expected - covered,
            settled=judgement.quiet and finished,
            elapsed=now - judgement.since,
            answer_finished=finished,
            dice=self.plan.dice,
        )

    def _launch(self, judgement: _Judgement, answer: _Answer, out: list[Action]) -> None:
        ready = judgement.schedule.after == "start" or answer.has_content
        if not ready:
            return
        size = judgement.schedule.wave or len(judgement.waiting)
        wave, judgement.waiting = judgement.waiting[:size], judgement.waiting[size:]
        judgement.running.update(wave)
        out.append(StartProbes(tuple(wave)))

    # -- the verdict and what follows ---------------------------------------------------------------------------------

    def _decide(self, verdict: Verdict, now: float, out: list[Action]) -> None:
        if verdict.decision is Decision.ACCEPT:
            self._accept(verdict.reason, out)
        else:
            self._escalate(verdict, now, out)

    def _accept(self, reason: str, out: list[Action]) -> None:
        self._move(Cause.ACCEPTED)
        self._settle(Verdict(Decision.ACCEPT, reason), keep=self.tier, out=out)

    def _escalate(self, verdict: Verdict, now: float, out: list[Action]) -> None:
        """Leave the current tier for `verdict.to`, or for the next if that has failed or none is named."""
        target = verdict.to
        if target is not None and not self.tier < target < len(self.plan.tiers):
            raise LocalProtocolError(f"policy escalates from tier {self.tier} to tier {target}")
        if target is None or self._failed(target):
            target = self._better_tier()
        verdict = Verdict(Decision.ESCALATE, verdict.reason, target)
        self._cancel_answers(verdict.reason, out, keep=target)
        self._withdraw(target, verdict.reason, out)
        schedule = self.plan.schedule(target)
        self._end_judgement(verdict.reason, out)
        self.tier = target
        self._start_answer(target, out)
        if schedule is None:
            self._move(Cause.ESCALATED)
            self._settle(verdict, keep=target, out=out)
            return
        self._move(Cause.ESCALATED_TO_JUDGED)
        self.verdict = verdict
        self._flush(out)
        self._judge(schedule, now, out)

    def _settle(self, verdict: Verdict, *, keep: int, out: list[Action]) -> None:
        """Commit to the current tier: nothing but its own end can happen now."""
        self.verdict = verdict
        self._end_judgement(verdict.reason, out)
        self._cancel_answers(verdict.reason, out, keep=keep)
        self._flush(out)
        if self._answers[self.tier].status is _Status.FINISHED:
            self._finish(out)

    def _withdraw(self, target: int, reason: str, out: list[Action]) -> None:
        """Tell the reader what becomes of the shown part of the current tier."""
        answer = self._answers[self.tier]
        if not answer.emitted:
            return
        if self.plan.release is Release.APPEND:
            # The marker waits until the larger model speaks: should it fail, what is shown simply stands.
            self._superseded = (self.tier, reason)
        else:
            out.append(Retract(self.tier, reason))
            answer.emitted = 0

    def _recover(self, out: list[Action]) -> None:
        """The committed leg failed. Unseen: another may take its place. Seen: say so, never restart silently."""
        if self._answers[self.tier].emitted:
            self._close(Cause.BROKE, "route failed", out)
            return
        following = self._next_tier()
        if following is not None:
            self._move(Cause.FELL_BACK)
            self.tier = following
            self._start_answer(following, out)
            self._settle(Verdict(Decision.ESCALATE, "answer_failed", following), keep=following, out=out)
            return
        whole = [t for t, answer in self._answers.items() if answer.status is _Status.FINISHED and answer.has_content]
        if not whole:
            self._close(Cause.EXHAUSTED, "route failed", out)
            return
        self._move(Cause.FELL_BACK)
        self.tier = max(whole)
        self._superseded = None
        self._settle(Verdict(Decision.ACCEPT, "escalation_failed"), keep=self.tier, out=out)

    def _finish(self, out: list[Action]) -> None:
        self._flush(out)
        if not self._announced:
            self._commit(out)
        out.append(Finish(self.tier, self._answers[self.tier].finish_reason))
        self._close(Cause.ANSWERED, "answered", out)

    def _close(self, cause: Cause, reason: str, out: list[Action]) -> None:
        self._end_judgement(reason, out)
        self._cancel_answers(reason, out)
        self._move(cause)
        if self.phase is Phase.FAILED:
            shown = any(answer.emitted for answer in self._answers.values())
            out.append(Fail(tuple(self._errors), shown))

    # -- legs and output ----------------------------------------------------------------------------------------------

    def _move(self, cause: Cause) -> None:
        self.phase = TABLE[self.phase, cause]

    def _next_tier(self) -> int | None:
        """The smallest larger tier that has not failed."""
        for tier in range(self.tier + 1, len(self.plan.tiers)):
            answer = self._answers.get(tier)
            if answer is None or answer.status in (_Status.RUNNING, _Status.FINISHED):
                return tier
        return None

    def _better_tier(self) -> int:
        """The next tier while a verdict is pending: there is one, or the verdict would not be pending."""
        tier = self._next_tier()
        assert tier is not None
        return tier

    def _failed(self, tier: int) -> bool:
        return tier in self._answers and self._answers[tier].status is _Status.FAILED

    def _start_answer(self, tier: int, out: list[Action]) -> None:
        if tier not in self._answers:
            self._answers[tier] = _Answer()
            out.append(StartAnswer(Leg(tier)))

    def _cancel_answers(self, reason: str, out: list[Action], *, keep: int | None = None) -> None:
        for tier, answer in self._answers.items():
            if tier != keep and answer.status is _Status.RUNNING:
                answer.status = _Status.CANCELLED
                out.append(CancelLeg(Leg(tier), reason))

    def _end_judgement(self, reason: str, out: list[Action]) -> None:
        if self._judgement is None:
            return
        out.extend(CancelLeg(leg, reason) for leg in sorted(self._judgement.running))
        self._judgement = None
        self._hedge_at = None

    def _flush(self, out: list[Action]) -> None:
        """Emit what the reader may see of the current tier and has not seen. Nothing before its first content: a role
        chunk or an empty delta is never a first token."""
        answer = self._answers[self.tier]
        committed = self.phase is Phase.COMMITTED
        if not answer.has_content or not (committed or self.plan.release is not Release.HOLD):
            return
        if self._superseded is not None:
            superseded, reason = self._superseded
            self._superseded = None
            out.append(Append(superseded, self.tier, reason))
        if committed and not self._announced:
            self._commit(out)
        out.extend(Emit(self.tier, delta) for delta in answer.deltas[answer.emitted :])
        answer.emitted = len(answer.deltas)

    def _commit(self, out: list[Action]) -> None:
        assert self.verdict is not None
        self._announced = True
        out.append(Commit(self.tier, self.verdict))

"""The decision core of one route: events in, actions out, time passed in.

A `Cascade` runs over an ordered list of tiers, the cheapest first. It streams the current tier's answer, has probe
samples of the same tier judged meanwhile, and on the policy's verdict commits to that tier or moves on to a larger one.
It holds no clock, task, socket or random number, so every race between readers, models and the judge is a plain
function call that can be enumerated, recorded and replayed.

Promises, for every sequence of events:

- what is emitted is a prefix of exactly one leg, unless a `Retract`, an `Append` or a `Continue` says otherwise;
- after `Finish`, `Fail` or `ReaderLeft` nothing runs;
- while the route lives, something runs or a deadline exists: it is never stuck;
- a leg is started at most once and cancelled at most once, and never cancelled after its end;
- `Commit` is said once, before the first content that is kept, and the committed tier never changes after it, unless
  its leg breaks off and another goes on from all that was shown: after `Continue`, `Commit` is said of that one.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import assert_never

from streamroute.core.actions import Action, CancelLeg, Commit, Emit, Fail, Finish, Score, StartAnswer, StartProbes
from streamroute.core.answer import Answer, Status
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
from streamroute.core.judgement import Judgement
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Snapshot
from streamroute.core.screen import Screen
from streamroute.core.states import OVER, TABLE, Cause, Phase
from streamroute.core.types import Decision, Delta, Leg, Release, Verdict
from streamroute.errors import LocalProtocolError

SENTENCE_ENDS = frozenset(".!?\n")

# Looked up on its class, a member of an enum costs ten times what a global does (CPython 3.11); the rest is rare.
RUNNING, FINISHED = Status.RUNNING, Status.FINISHED
IDLE, COMMITTED = Phase.IDLE, Phase.COMMITTED


class Cascade:
    """One route. Feed it events with `receive`, execute what it returns, and feed `TimerFired` at `next_deadline`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.phase = IDLE
        self.over = False
        self.verdict: Verdict | None = None
        self.tier = plan.start_tier
        self._answers: dict[int, Answer] = {}
        self._errors: list[tuple[Leg, Exception]] = []
        self._judgement: Judgement | None = None
        self._hedge_at: float | None = None
        self._hedged_at: float | None = None
        self._announced = False
        self._broke = False  # what is on the screen was committed to, and its leg failed
        self._auto = plan.release is Release.AUTO
        self._showing = plan.release not in (Release.HOLD, Release.AUTO)  # before the verdict
        self._screen = Screen(plan, self._answers)

    @property
    def judged_tier(self) -> int | None:
        """The tier on which the judge is at work, None when no verdict is pending."""
        return self.tier if self._judgement is not None else None

    def running(self) -> frozenset[Leg]:
        """Every leg that has been started and has neither ended nor been cancelled."""
        answers = {Leg(tier) for tier, answer in self._answers.items() if answer.status is RUNNING}
        return frozenset(answers.union(() if self._judgement is None else self._judgement.running_legs()))

    def next_deadline(self) -> float | None:
        """When to feed `TimerFired`, on the clock of `now`; None while there is nothing to wait for."""
        if self._judgement is None:
            return None
        decide_by, hedge_at = self._judgement.decide_by, self._hedge_at
        if hedge_at is None:
            return decide_by
        return hedge_at if decide_by is None else min(decide_by, hedge_at)

    def receive(self, event: Event, *, now: float) -> tuple[Action, ...]:
        """Take one event at time `now` (seconds, any origin, never decreasing) and return what to do, in order.

        Events of legs that are no longer running are ignored: they were under way when the leg was cancelled. Raises
        `LocalProtocolError` for an event before `RouteStarted` or for a second one.
        """
        if self.phase is IDLE and not isinstance(event, RouteStarted | ReaderLeft):
            raise LocalProtocolError(f"{type(event).__name__} in phase {self.phase}")
        if self.over and not isinstance(event, RouteStarted):
            return ()
        out: list[Action] = []
        match event:  # the frequent ones first
            case DeltaReceived():
                self._on_delta(event.leg, event.delta, now, out)
            case ProbeFinished():
                leg, judgement = event.leg, self._judgement
                if judgement is not None and leg.probe in judgement.running and leg.tier == judgement.tier:
                    judgement.running.discard(leg.probe)
                    judgement.samples.append(event.sample)
                    judgement.stale = True
                    self._consider(judgement, now, out)
            case EvidenceReceived():
                judgement = self._judgement
                if judgement is not None and judgement.scoring and event.tier == judgement.tier:
                    judgement.take(event.evidence)
                    self._consider(judgement, now, out)
            case RouteStarted():
                if self.phase is not IDLE:
                    raise LocalProtocolError(f"{type(event).__name__} in phase {self.phase}")
                self._begin(now, out)
            case AnswerFinished():
                self._on_answer_finished(event.leg, event.finish_reason, now, out)
            case LegFailed(leg, error):
                self._on_failure(leg, error, now, out)
            case ScorerFailed(tier, _):
                judgement = self._judgement
                if judgement is not None and judgement.scoring and tier == judgement.tier:
                    judgement.scoring = False
                    judgement.broken = True
                    self._consider(judgement, now, out)
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
        if leg.probe is not None or answer is None or answer.status is not RUNNING:
            return
        first = answer.add(delta, now)
        if leg.tier != self.tier:
            return
        if first and self.plan.insurance:
            self._end_insurance(out)
        judgement = self._judgement
        if judgement is None:
            self._flush(now, out)
            return
        if self._auto:
            self._choose_release(judgement, answer, now)
        if self._showing:
            self._flush(now, out)
        if not SENTENCE_ENDS.isdisjoint(delta.text):
            judgement.stale = True
        elif not first:
            return
        self._consider(judgement, now, out)

    def _on_answer_finished(self, leg: Leg, finish_reason: str, now: float, out: list[Action]) -> None:
        answer = self._answers.get(leg.tier)
        if leg.probe is not None or answer is None or answer.status is not RUNNING:
            return
        answer.status = FINISHED
        answer.finish_reason = finish_reason
        if leg.tier != self.tier:
            return
        if self.phase is COMMITTED:
            self._finish(now, out)
        elif not answer.has_content:
            self._escalate(Verdict(Decision.ESCALATE, "answer_empty"), now, out)
        else:
            assert self._judgement is not None
            self._judgement.stale = self._judgement.changed = True
            self._consider(self._judgement, now, out)

    def _on_failure(self, leg: Leg, error: Exception, now: float, out: list[Action]) -> None:
        if leg not in self.running():
            return
        self._errors.append((leg, error))
        if leg.probe is not None:
            assert self._judgement is not None
            self._judgement.fail(leg.probe)
            self._consider(self._judgement, now, out)
            return
        self._answers[leg.tier].status = Status.FAILED
        if leg.tier < self.tier:
            return  # it was only kept in case a larger one fails
        if leg.tier == self.tier and self.phase is COMMITTED:
            self._recover(now, out)
        elif leg.tier == self.tier:
            self._escalate(Verdict(Decision.ESCALATE, "answer_failed"), now, out)
        elif self._next_tier() is None:  # the hedge was the last hope for anything better
            self._accept("escalation_failed", now, out)
        else:
            self._move(Cause.HEDGE_LOST)

    def _on_timer(self, now: float, out: list[Action]) -> None:
        judgement = self._judgement
        if judgement is None:
            return
        if self._hedge_at is not None and now >= self._hedge_at:
            self._start_hedge(now, out)
        if judgement.is_late(now):
            self._decide(self._late_verdict(judgement, now), now, out)

    def _late_verdict(self, judgement: Judgement, now: float) -> Verdict:
        """By the evidence so far, where it is enough to decide by."""
        if judgement.evidence is not None:
            snapshot = self._snapshot(judgement, self._answers[self.tier], now)
            partial = self.plan.policy(replace(snapshot, pending=0, settled=True))  # as if nothing more were to come
            if partial.decided:
                return Verdict(partial.decision, "deadline_partial", partial.to, partial.append)
        return Verdict(self.plan.on_timeout, "deadline")

    # -- weighing the evidence ----------------------------------------------------------------------------------------

    def _judge(self, schedule: ProbeSchedule, now: float, out: list[Action]) -> None:
        deadline = self.plan.decision_deadline
        decide_by = None if deadline is None else now + deadline
        judgement = self._judgement = Judgement(self.tier, now, decide_by, schedule, schedule.count)
        if self._auto:
            self._choose_release(judgement, self._answers[self.tier], now)
        self._flush(now, out)
        self._consider(judgement, now, out)

    def _consider(self, judgement: Judgement, now: float, out: list[Action]) -> None:
        """Ask the policy, the judge or for more probes, whichever is next."""
        plan, answer = self.plan, self._answers[self.tier]
        if judgement.broken:
            late = judgement.is_late(now)  # a judge that gives up at the deadline may be as quick as the timer
            verdict = self._late_verdict(judgement, now) if late else Verdict(plan.on_uncertain, "scorer_failed")
            self._decide(verdict, now, out)
            return
        if not judgement.samples:
            judgement.stale = False
        if judgement.changed or not plan.policy.by_evidence:
            judgement.changed = False
            verdict = plan.policy(self._snapshot(judgement, answer, now))
            if verdict.decided:
                self._decide(verdict, now, out)
                return
        if self._auto:
            self._choose_release(judgement, answer, now)
            self._flush(now, out)
        if plan.hedge is not None and self.phase is Phase.JUDGING and judgement.has_news(answer):
            snapshot = self._snapshot(judgement, answer, now)
            if plan.hedge(snapshot):
                self._start_hedge(now, out)
        if judgement.scoring:
            return
        if judgement.stale:
            judgement.stale = False
            judgement.scoring = True
            samples, finished = tuple(judgement.samples), answer.status is FINISHED
            expected, decide_by = judgement.expected, judgement.decide_by
            out.append(Score(self.tier, answer.text, finished, samples, expected, answer.confidence, decide_by))
        elif judgement.waiting and not judgement.running:
            self._launch(judgement, answer, now, out)
        elif judgement.quiet and (judgement.evidence is None or answer.status is FINISHED):
            reason = "no_evidence" if judgement.evidence is None else "policy_undecided"
            self._decide(Verdict(plan.on_uncertain, reason), now, out)

    def _snapshot(self, judgement: Judgement, answer: Answer, now: float) -> Snapshot:
        """What the policy may know."""
        plan = self.plan
        finished = answer.status is FINISHED
        evidence, shown_at, hedged_at = judgement.evidence, answer.shown_at, self._hedged_at
        return Snapshot(  # by position: one is made at every turn, and by name it takes three times as long
            self.tier,
            len(plan.tiers) - 1,  # last_tier
            evidence,
            judgement.expected if evidence is None else judgement.expected - evidence.samples,  # pending
            finished and judgement.quiet,  # settled
            now - judgement.since,  # elapsed
            finished,
            answer.confidence,
            None if shown_at is None else now - shown_at,
            answer.shown_characters,
            None if hedged_at is None or self.phase is not Phase.HEDGED else now - hedged_at,
            plan.dice,
        )

    def _launch(self, judgement: Judgement, answer: Answer, now: float, out: list[Action]) -> None:
        schedule = judgement.schedule
        if not answer.has_content and (schedule.after == "first_token" or schedule.skip_confident is not None):
            return
        if schedule.skip_confident is not None and judgement.next_probe == 0:
            confidence = answer.confidence
            if confidence is not None and math.exp(confidence.first.logprob) >= schedule.skip_confident:
                self._accept("confident_first_token", now, out)
                return
        out.append(StartProbes(judgement.next_wave()))

    def _choose_release(self, judgement: Judgement, answer: Answer, now: float) -> None:
        """Hold or show: open until something is shown, for what is shown stays."""
        if answer.shown_at is None:
            waited = 0.0 if answer.said_at is None else now - answer.said_at
            score = None if judgement.evidence is None else judgement.evidence.score
            self._showing = not self.plan.auto.holds(score, waited)

    def _start_hedge(self, now: float, out: list[Action]) -> None:
        self._hedge_at = None
        self._hedged_at = now
        self._move(Cause.HEDGE_STARTED)
        self._start_answer(self._better_tier(), out)

    # -- the verdict and what follows ---------------------------------------------------------------------------------

    def _decide(self, verdict: Verdict, now: float, out: list[Action]) -> None:
        if verdict.decision is Decision.ACCEPT:
            self._accept(verdict.reason, now, out)
        else:
            self._escalate(verdict, now, out)

    def _accept(self, reason: str, now: float, out: list[Action]) -> None:
        self._move(Cause.ACCEPTED)
        self._settle(Verdict(Decision.ACCEPT, reason), now, out)

    def _escalate(self, verdict: Verdict, now: float, out: list[Action]) -> None:
        """Leave the current tier for `verdict.to`, or for the next if that has failed or none is named."""
        target = verdict.to
        if target is not None and not self.tier < target < len(self.plan.tiers):
            raise LocalProtocolError(f"policy escalates from tier {self.tier} to tier {target}")
        if target is None or self._failed(target):
            target = self._better_tier()
        verdict = Verdict(Decision.ESCALATE, verdict.reason, target, verdict.append)
        self._cancel_answers(verdict.reason, out, keep=target)
        prefix = self._screen.make_way(target, verdict, out)
        schedule = self.plan.schedule(target)
        self._end_judgement(verdict.reason, out)
        self.tier = target
        self._start_answer(target, out, prefix)
        if schedule is None:
            self._move(Cause.ESCALATED)
            self._settle(verdict, now, out)
            return
        self._move(Cause.ESCALATED_TO_JUDGED)
        self.verdict = verdict
        self._judge(schedule, now, out)

    def _settle(self, verdict: Verdict, now: float, out: list[Action]) -> None:
        """Commit to the current tier: nothing but its own end can happen now."""
        self.verdict = verdict
        self._end_judgement(verdict.reason, out)
        self._cancel_answers(verdict.reason, out, keep=self.tier)
        self._flush(now, out)
        if self._answers[self.tier].status is FINISHED:
            self._finish(now, out)

    def _recover(self, now: float, out: list[Action]) -> None:
        """The committed leg failed. Unseen: another may take its place. Seen: another may go on from it, or it is said;
        never restart silently."""
        if self._broke or self._answers[self.tier].emitted:
            self._go_on(now, out)
            return
        following = self._next_tier()
        if following is not None:
            verdict = Verdict(Decision.ESCALATE, "answer_failed", following)
            prefix = self._screen.make_way(following, verdict, out)
            self._move(Cause.FELL_BACK)
            self.tier = following
            self._start_answer(following, out, prefix)
            self._settle(verdict, now, out)
            return
        ended = [t for t, answer in self._answers.items() if answer.status is FINISHED and answer.has_content]
        insured = [t for t, answer in self._answers.items() if answer.status is RUNNING]
        if not (ended or insured):
            self._close(Cause.EXHAUSTED, "route failed", out)
            return
        verdict = Verdict(Decision.ACCEPT, "escalation_failed")
        self._move(Cause.FELL_BACK)
        self.tier = max(ended or insured)
        self._screen.make_way(self.tier, verdict, out)
        self._settle(verdict, now, out)

    def _go_on(self, now: float, out: list[Action]) -> None:
        """What is on the screen stays whatever comes: it was committed to."""
        prefix = self._screen.continuable
        following = self.plan.successor(self.tier, self._answers)
        if following is None or not prefix:
            self._close(Cause.BROKE, "route failed", out)
            return
        verdict = Verdict(Decision.ESCALATE, "answer_broke", following)
        self._screen.superseded = verdict.reason
        self._broke = True
        self._announced = False
        self._move(Cause.CONTINUED)
        self.tier = following
        self._start_answer(following, out, prefix)
        self._settle(verdict, now, out)

    def _finish(self, now: float, out: list[Action]) -> None:
        self._flush(now, out)
        answer = self._answers[self.tier]
        if not self._announced:
            if answer.prefix:
                self._screen.turn_to(self.tier, out)  # it had nothing to add: what it went on from is its answer
            self._commit(out)
        self._end_insurance(out)
        out.append(Finish(self.tier, answer.finish_reason))
        self._close(Cause.ANSWERED, "answered", out)

    def _close(self, cause: Cause, reason: str, out: list[Action]) -> None:
        self._end_judgement(reason, out)
        self._cancel_answers(reason, out)
        self._move(cause)
        if self.phase is Phase.FAILED:
            out.append(Fail(tuple(self._errors), self._screen.visible is not None))

    # -- legs and output ----------------------------------------------------------------------------------------------

    def _move(self, cause: Cause) -> None:
        self.phase = TABLE[self.phase, cause]
        self.over = self.phase in OVER

    def _next_tier(self) -> int | None:
        """The smallest larger tier that has not failed."""
        for tier in range(self.tier + 1, len(self.plan.tiers)):
            answer = self._answers.get(tier)
            if answer is None or answer.status in (RUNNING, FINISHED):
                return tier
        return None

    def _better_tier(self) -> int:
        """The next tier while a verdict is pending: there is one, or the verdict would not be pending."""
        tier = self._next_tier()
        assert tier is not None
        return tier

    def _failed(self, tier: int) -> bool:
        return tier in self._answers and self._answers[tier].status is Status.FAILED

    def _start_answer(self, tier: int, out: list[Action], prefix: str = "") -> None:
        if tier not in self._answers:
            self._answers[tier] = Answer(prefix)
            out.append(StartAnswer(Leg(tier), prefix))

    def _cancel_answers(self, reason: str, out: list[Action], *, keep: int | None = None) -> None:
        """Cancel all that run but `keep`, and with insurance but the smaller ones until that has spoken."""
        spared = -1
        if keep is not None and self.plan.insurance and not (keep in self._answers and self._answers[keep].has_content):
            spared = keep
        for tier, answer in self._answers.items():
            if answer.status is RUNNING and tier != keep and tier >= spared:
                answer.status = Status.CANCELLED
                out.append(CancelLeg(Leg(tier), reason))

    def _end_insurance(self, out: list[Action]) -> None:
        for tier, answer in self._answers.items():
            if tier < self.tier and answer.status is RUNNING:
                assert self.verdict is not None
                answer.status = Status.CANCELLED
                out.append(CancelLeg(Leg(tier), self.verdict.reason))

    def _end_judgement(self, reason: str, out: list[Action]) -> None:
        if self._judgement is None:
            return
        out.extend([CancelLeg(leg, reason) for leg in self._judgement.running_legs()])
        self._judgement = None
        self._hedge_at = None

    def _flush(self, now: float, out: list[Action]) -> None:
        """Emit what the reader may see of the current tier and has not seen. Nothing before its first content: a role
        chunk or an empty delta is never a first token."""
        committed = self.phase is COMMITTED
        if not committed and not self._showing:
            return
        tier, screen = self.tier, self._screen
        answer = self._answers[tier]
        if not answer.has_content:
            return
        if screen.visible != tier:
            screen.turn_to(tier, out)
        if committed and not self._announced:
            self._commit(out)
        for delta in answer.show(now):
            out.append(Emit(tier, delta))  # noqa: PERF401  (mostly one)

    def _commit(self, out: list[Action]) -> None:
        assert self.verdict is not None
        self._announced = True
        out.append(Commit(self.tier, self.verdict))

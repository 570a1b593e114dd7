"""A world around one cascade: knows which legs run and what the reader saw, and checks every promise at every step."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Self

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
from streamroute.core.states import Phase
from streamroute.core.types import Delta, Evidence, Leg, Release, Sample

BROKEN = RuntimeError("broken")


def evidence(samples: int, expected: int, *, score: float, judged: bool = True, certified: bool = True) -> Evidence:
    low, high = (score, score) if certified else (0.0, 1.0)
    return Evidence(
        samples=samples, expected=expected, score=score, low=low, high=high, answer_cluster=0 if judged else None
    )


@dataclass
class World:
    cascade: Cascade
    started: set[Leg] = field(default_factory=set)
    running: set[Leg] = field(default_factory=set)
    scoring: Score | None = None
    said: dict[int, list[Delta]] = field(default_factory=dict)  # what each tier's model said while it was running
    prefixes: dict[int, str] = field(default_factory=dict)  # what each tier's model was told to go on from
    shown: list[Delta] = field(default_factory=list)  # what the reader sees of `visible`
    screen: str = ""  # the text of the current answer, seams and all
    visible: int | None = None
    committed: int | None = None
    may_append: bool = False  # the policy asks to append now and then
    ends: int = 0

    @classmethod
    def begin(cls, plan: Plan) -> Self:
        world = cls(Cascade(plan))
        world.feed(RouteStarted(), 0.0)
        return world

    def fork(self) -> World:
        """An independent copy, by hand: this is where an exhaustive search spends its time."""
        cascade = copy.copy(self.cascade)
        cascade._errors = list(cascade._errors)
        cascade._answers = {t: replace(a, deltas=list(a.deltas)) for t, a in cascade._answers.items()}
        cascade._screen = replace(cascade._screen, answers=cascade._answers)
        if (j := cascade._judgement) is not None:
            cascade._judgement = replace(j, running=set(j.running), samples=list(j.samples))
        said = {tier: list(deltas) for tier, deltas in self.said.items()}
        return replace(
            self,
            cascade=cascade,
            started=set(self.started),
            running=set(self.running),
            said=said,
            prefixes=dict(self.prefixes),
            shown=list(self.shown),
        )

    def feed(self, event: Event, now: float) -> tuple[Action, ...]:
        match event:
            case DeltaReceived(leg, delta):
                self.said.setdefault(leg.tier, []).append(delta)
            case AnswerFinished(leg) | ProbeFinished(leg, _) | LegFailed(leg, _):
                self.running.discard(leg)
            case EvidenceReceived() | ScorerFailed():
                self.scoring = None
            case _:
                pass
        actions = self.cascade.receive(event, now=now)
        for action in actions:
            self._check(action)
        self._check_state()
        return actions

    def _check(self, action: Action) -> None:
        assert self.ends == 0, "acts after its end"
        match action:
            case StartAnswer(leg, prefix):
                self._start(leg)
                assert prefix in ("", self.screen)
                self.prefixes[leg.tier] = prefix
            case StartProbes(legs):
                assert legs
                for leg in legs:
                    self._start(leg)
            case CancelLeg(leg, _):
                assert leg in self.running, "cancels what does not run"
                self.running.remove(leg)
            case Score():
                assert self.scoring is None or self.scoring.tier != action.tier, "two questions to the judge at once"
                assert action.samples
                assert len(action.samples) <= action.expected
                self.scoring = action
            case Fail():
                assert action.causes
                self.ends += 1
            case _:
                self._check_told(action)

    def _check_told(self, action: ReaderAction) -> None:
        plan = self.cascade.plan
        match action:
            case Emit(tier, delta):
                assert self.visible in (None, tier), "mixes two legs without saying so"
                assert self.committed in (None, tier)
                assert plan.release is not Release.HOLD or self.committed == tier, "shows what should be held"
                self.visible = tier
                self.shown.append(delta)
                self.screen += delta.text
                self._check_prefix(tier)
            case Retract(tier, _):
                assert tier == self.visible
                assert self.committed is None
                assert plan.on_escalation is not Release.APPEND
                self.visible, self.shown, self.screen = None, [], ""
            case Append(tier, to, _):
                assert tier == self.visible
                assert to != tier
                assert self.committed is None
                assert plan.on_escalation is Release.APPEND or self.may_append
                self.visible, self.shown, self.screen = None, [], ""
            case Continue(tier, to, at, _):
                assert tier == self.visible
                if self.committed is None:
                    assert plan.on_escalation is Release.CONTINUE
                else:
                    assert plan.on_break == "continue"
                    assert Leg(self.committed) not in self.running
                    self.committed = None
                assert to in plan.prefill
                assert self.prefixes[to] == self.screen
                assert at == len(self.screen) > 0
                self.visible, self.shown = to, []
            case Commit(tier, verdict):
                assert self.committed is None, "commits twice"
                assert verdict.decided
                self.committed = tier
            case Finish(tier, _):
                assert self.committed == tier
                if any(delta.has_content for delta in self.said.get(tier, [])):
                    assert self.visible == tier, "ends with another answer on the screen"
                    assert self.screen == self._whole(tier)
                self.ends += 1
            case _:
                raise AssertionError(f"not told to a reader: {action}")

    def _whole(self, tier: int) -> str:
        return self.prefixes[tier] + "".join(delta.text for delta in self.said[tier])

    def _check_prefix(self, tier: int) -> None:
        if self.prefixes[tier]:  # what it went on from was withdrawn with the rest, or still stands before it
            assert self._whole(tier).startswith(self.screen), "not a prefix of the leg and what it went on from"
        else:
            assert self.shown == self.said[tier][: len(self.shown)], "not a prefix of the leg"

    def _start(self, leg: Leg) -> None:
        assert leg not in self.started, "starts a leg twice"
        self.started.add(leg)
        self.running.add(leg)

    def _check_state(self) -> None:
        cascade = self.cascade
        assert cascade.running() == self.running
        if cascade.over:
            assert not self.running, "something runs after the end"
            assert cascade.next_deadline() is None
            assert self.ends == (cascade.phase is not Phase.LEFT)
        else:
            assert self.ends == 0
            assert self.running or self.scoring or cascade.next_deadline() is not None, "stuck"

    def possible(self, deltas: tuple[Delta, ...], scores: tuple[tuple[float, bool, bool], ...]) -> Iterator[Event]:
        """Every event that can happen now. A model says `deltas` in this order at most."""
        for leg in sorted(self.running):
            if leg.probe is None:
                said = len(self.said.get(leg.tier, []))
                if said < len(deltas):
                    text = deltas[said].text
                    yield DeltaReceived(leg, Delta(f"{leg.tier}: {text}" if text else ""))
                yield AnswerFinished(leg)
            else:
                yield ProbeFinished(leg, Sample("sample."))
            yield LegFailed(leg, BROKEN)
        if self.scoring is not None:
            samples, expected = len(self.scoring.samples), self.scoring.expected
            for score, judged, certified in scores:
                found = evidence(samples, expected, score=score, judged=judged, certified=certified)
                yield EvidenceReceived(self.scoring.tier, found)
            yield ScorerFailed(self.scoring.tier, BROKEN)
        if self.cascade.next_deadline() is not None:
            yield TimerFired()
        yield ReaderLeft()

    def key(self) -> Hashable:
        """All that can make a difference from here on."""
        c = self.cascade
        judgement = c._judgement
        answers = tuple(
            (tier, a.status, len(a.deltas), a.emitted, a.has_content, a.prefix, a.said_at, a.shown_at)
            for tier, a in sorted(c._answers.items())
        )
        judging = judgement and (
            judgement.next_probe,
            frozenset(judgement.running),
            len(judgement.samples),
            judgement.scoring,
            judgement.stale,
            judgement.evidence,
            judgement.decide_by,
            judgement.hedge_asked,
        )
        scoring = self.scoring and (self.scoring.tier, len(self.scoring.samples), self.scoring.expected)
        failed = frozenset(leg for leg, _ in c._errors)
        screen = (c._screen.visible, c._screen.superseded, c._showing, c._announced, c._broke)
        return (c.phase, c.tier, c.verdict, answers, judging, c._hedge_at, c._hedged_at, screen, scoring, failed)

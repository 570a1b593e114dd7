"""Traces survive being written down, and replay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.actions import Commit, StartAnswer
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
from streamroute.core.policy import Threshold
from streamroute.core.states import Phase
from streamroute.core.trace import RecordedError, Trace, replay
from streamroute.core.types import Decision, Delta, Evidence, Leg, Sample, TokenLogprob, Usage
from streamroute.errors import StreamrouteError
from tests.core.world import evidence

legs = st.builds(Leg, st.integers(0, 3), st.none() | st.integers(0, 7))
texts = st.text(max_size=8)
floats = st.floats(allow_nan=False, allow_infinity=False)
logprobs = st.builds(TokenLogprob, texts, floats, st.lists(st.tuples(texts, floats), max_size=2).map(tuple))
deltas = st.builds(
    Delta,
    text=texts,
    logprobs=st.lists(logprobs, max_size=2).map(tuple),
    tool_calls=st.none() | st.just(b'[{"index":0}]'),
    refusal=st.none() | texts,
    finish_reason=st.none() | texts,
    usage=st.none() | st.builds(Usage, st.integers(0), st.integers(0), st.booleans()),
)
found = st.builds(
    Evidence,
    samples=st.integers(0, 9),
    expected=st.integers(0, 9),
    score=floats,
    sizes=st.lists(st.integers(0, 5)).map(tuple),
    assignment=st.lists(st.integers(0, 5)).map(tuple),
    note=texts,
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(RouteStarted),
    st.builds(DeltaReceived, legs, deltas),
    st.builds(AnswerFinished, legs, texts),
    st.builds(ProbeFinished, legs, st.builds(Sample, texts, texts, st.none() | floats)),
    st.builds(EvidenceReceived, st.integers(0, 3), found),
    st.builds(TimerFired),
    st.builds(ReaderLeft),
)


@given(st.lists(st.tuples(floats, events)))
def test_a_trace_survives_being_written_down(recorded: list[tuple[float, Event]]) -> None:
    trace = Trace(recorded)
    assert Trace.loads(trace.dumps()) == trace


def test_errors_keep_their_type_and_words() -> None:
    trace = Trace([(0.0, LegFailed(Leg(0), ValueError("odd"))), (1.0, ScorerFailed(0, OSError("gone")))])
    errors = [
        event.error for _, event in Trace.loads(trace.dumps()).events if isinstance(event, LegFailed | ScorerFailed)
    ]
    assert [str(error) for error in errors] == ["ValueError: odd", "OSError: gone"]
    assert all(isinstance(error, RecordedError) for error in errors)


@pytest.mark.parametrize("line", ["", "{}x", "[[0, 1]]", '[[0.0, "NoEvent", {}]]', '[["x", "TimerFired", {}]]', "3"])
def test_what_is_not_a_trace_is_refused(line: str) -> None:
    with pytest.raises(StreamrouteError, match="not a trace"):
        Trace.loads(line)


def test_legs_are_named_as_people_would_and_answers_come_before_probes() -> None:
    assert [str(leg) for leg in sorted([Leg(1), Leg(0, 1), Leg(0)])] == ["tier 0", "tier 0 probe 1", "tier 1"]


def recorded() -> Trace:
    """A doubtful answer (score .6) whose cheap and large legs were both heard to their ends."""
    return Trace(
        [
            (0.0, RouteStarted()),
            (0.1, DeltaReceived(Leg(0), Delta("Rome."))),
            (0.2, ProbeFinished(Leg(0, 0), Sample("Oslo."))),
            (0.3, EvidenceReceived(0, evidence(1, 1, score=0.6))),
            (0.4, AnswerFinished(Leg(0))),
            (0.5, DeltaReceived(Leg(1), Delta("Bern."))),
            (0.6, TimerFired()),
            (0.7, AnswerFinished(Leg(1))),
        ]
    )


@pytest.mark.parametrize(("limit", "tier", "end"), [(0.5, 1, 0.7), (0.7, 0, 0.4)])
def test_a_replay_takes_the_way_of_its_own_plan(limit: float, tier: int, end: float) -> None:
    replayed = replay(recorded(), Plan(tiers=(ProbeSchedule(count=1), None), policy=Threshold(limit)))
    assert replayed.cascade.phase is Phase.FINISHED
    assert [action.tier for _, action in replayed.actions if isinstance(action, Commit)] == [tier]
    assert replayed.actions[-1][0] == end


def test_a_replay_fires_its_own_deadlines_at_their_time() -> None:
    hasty = Plan(
        tiers=(ProbeSchedule(count=1), None), decision_deadline=0.15, hedge_after=0.05, on_timeout=Decision.ESCALATE
    )
    replayed = replay(recorded(), hasty)
    assert (0.05, StartAnswer(Leg(1))) in replayed.actions
    assert replayed.cascade.verdict is not None
    assert replayed.cascade.verdict.reason == "deadline"


def test_a_deadline_after_the_last_event_still_fires() -> None:
    cut_short = Trace(recorded().events[:2])
    replayed = replay(cut_short, Plan(tiers=(ProbeSchedule(count=1), None), decision_deadline=5.0))
    assert replayed.cascade.verdict is not None
    assert replayed.cascade.verdict.reason == "deadline"

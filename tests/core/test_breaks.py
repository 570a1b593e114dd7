"""A kept answer that breaks off: another tier goes on from it where the plan lets it, and the seam is marked."""

from __future__ import annotations

import pytest

from streamroute.core.actions import Commit, Continue, Emit, Fail, Finish, StartAnswer
from streamroute.core.events import AnswerFinished, DeltaReceived, Event, LegFailed, RouteStarted, TimerFired
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.states import Phase
from streamroute.core.trace import Trace, replay
from streamroute.core.types import Decision, Delta, Leg, Verdict
from tests.core.world import BROKEN, World

CHEAP, LARGE, LARGEST = Leg(0), Leg(1), Leg(2)
HELLO, THERE, BYE = Delta("Hello"), Delta(" there."), Delta(" Bye.")
BROKE = Verdict(Decision.ESCALATE, "answer_broke", 1)


def plan(**settings: object) -> Plan:
    given = {"tiers": (None, None, None), "prefill": frozenset({1, 2}), "on_break": "continue", **settings}
    return Plan(**given)  # type: ignore[arg-type]


def broken(settings: Plan, *deltas: Delta) -> tuple[World, tuple[object, ...]]:
    """A route whose cheap answer is kept, is shown `deltas` of, and breaks off; and what is done then."""
    world = World.begin(settings)
    for delta in deltas or (HELLO,):
        world.feed(DeltaReceived(CHEAP, delta), 0.0)
    return world, world.feed(LegFailed(CHEAP, BROKEN), 0.0)


def test_the_next_tier_goes_on_from_what_was_shown_and_is_committed_to() -> None:
    world, actions = broken(plan())
    assert actions == (StartAnswer(LARGE, "Hello"),)
    assert world.feed(DeltaReceived(LARGE, THERE), 0.0) == (
        Continue(0, 1, 5, "answer_broke"),
        Commit(1, BROKE),
        Emit(1, THERE),
    )
    assert world.feed(AnswerFinished(LARGE), 0.0) == (Finish(1, "stop"),)
    assert world.screen == "Hello there."
    assert world.cascade.verdict == BROKE


def test_a_tier_that_has_nothing_to_add_ends_the_answer() -> None:
    world, _ = broken(plan())
    kinds = [type(action) for action in world.feed(AnswerFinished(LARGE), 0.0)]
    assert kinds == [Continue, Commit, Finish]


def test_a_continuation_that_breaks_is_gone_on_with_in_turn() -> None:
    world, _ = broken(plan())
    world.feed(DeltaReceived(LARGE, THERE), 0.0)
    assert world.feed(LegFailed(LARGE, BROKEN), 0.0) == (StartAnswer(LARGEST, "Hello there."),)
    assert world.feed(DeltaReceived(LARGEST, BYE), 0.0)[0] == Continue(1, 2, 12, "answer_broke")
    (fail,) = world.feed(LegFailed(LARGEST, BROKEN), 0.0)
    assert fail == Fail(((CHEAP, BROKEN), (LARGE, BROKEN), (LARGEST, BROKEN)), True)


def test_a_continuation_that_fails_unheard_leaves_it_to_the_next() -> None:
    world, _ = broken(plan())
    assert world.feed(LegFailed(LARGE, BROKEN), 0.0) == (StartAnswer(LARGEST, "Hello"),)
    assert world.feed(DeltaReceived(LARGEST, THERE), 0.0)[0] == Continue(0, 2, 5, "answer_broke")


def test_once_nobody_can_go_on_the_route_fails_and_says_that_text_was_shown() -> None:
    world, _ = broken(plan(tiers=(None, None)))
    assert world.feed(LegFailed(LARGE, BROKEN), 0.0) == (Fail(((CHEAP, BROKEN), (LARGE, BROKEN)), True),)


def test_a_tier_without_prefill_is_passed_over() -> None:
    _, actions = broken(plan(prefill=frozenset({2})))
    assert actions == (StartAnswer(LARGEST, "Hello"),)


@pytest.mark.parametrize("settings", [{"on_break": "fail"}, {"prefill": frozenset()}, {"tiers": (None,)}])
def test_without_leave_or_without_a_tier_that_can_the_route_fails(settings: dict[str, object]) -> None:
    _, actions = broken(plan(**settings))
    assert actions == (Fail(((CHEAP, BROKEN),), True),)


@pytest.mark.parametrize(
    "said",
    [Delta("Hi", tool_calls=b"[]"), Delta("Hi", refusal="no"), Delta("Hi", index=1), Delta(" \n")],
    ids=["tool call", "refusal", "another choice", "blank"],
)
def test_what_no_text_can_be_continued_from_fails(said: Delta) -> None:
    _, actions = broken(plan(), said)
    assert actions == (Fail(((CHEAP, BROKEN),), True),)


def test_a_tier_that_was_asked_already_is_not_asked_again() -> None:
    """A hedge that lost was cancelled: it was told nothing of what was shown."""
    hedged = World.begin(plan(tiers=(ProbeSchedule(count=1), None), hedge_after=0.5, decision_deadline=1.0))
    hedged.feed(DeltaReceived(CHEAP, HELLO), 0.0)
    for moment in (0.5, 1.0):
        hedged.feed(TimerFired(), moment)
    assert hedged.committed == 0
    assert hedged.feed(LegFailed(CHEAP, BROKEN), 2.0) == (Fail(((CHEAP, BROKEN),), True),)


def test_a_trace_replays_as_the_plan_has_it() -> None:
    events: list[tuple[float, Event]] = [
        (0.0, RouteStarted()),
        (0.1, DeltaReceived(CHEAP, HELLO)),
        (0.2, LegFailed(CHEAP, BROKEN)),
        (0.3, DeltaReceived(LARGE, THERE)),
        (0.4, AnswerFinished(LARGE)),
    ]
    again = Trace.loads(Trace(events).dumps())
    assert replay(again, plan(on_break="fail")).cascade.phase is Phase.FAILED
    replayed = replay(again, plan())
    assert replayed.cascade.phase is Phase.FINISHED
    assert [action.tier for _, action in replayed.actions if isinstance(action, Commit)] == [0, 1]

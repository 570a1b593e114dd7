"""What an observer of a route hears, and what it may add."""

from __future__ import annotations

from streamroute.core.actions import Action, Retract
from streamroute.core.events import Event, ReaderLeft, RouteStarted
from streamroute.core.trace import Trace, replay
from streamroute.routing.stream import Noted, StreamEvent, TextDelta
from streamroute.testing import run_virtual
from tests.routing.support import ASK, DIFFER, cheap, large, play, router, told


def test_an_observer_hears_a_trace_that_replays_to_the_same_end() -> None:
    trace = Trace()

    def observe(now: float, event: Event, actions: tuple[Action, ...]) -> None:
        trace.events.append((now, event))

    made = router(cheap(probes=DIFFER), large())
    _, route = play(made, observer=observe)
    assert trace.events[0] == (0.0, RouteStarted())
    replayed = replay(Trace.loads(trace.dumps()), made.plan)
    assert (replayed.cascade.tier, replayed.cascade.verdict) == (route.tier, route.verdict)


def test_what_an_observer_notes_of_a_step_comes_before_what_the_step_shows() -> None:
    async def main() -> list[StreamEvent]:
        def observe(now: float, event: Event, actions: tuple[Action, ...]) -> None:
            if any(isinstance(action, Retract) for action in actions):
                stream.note({"decided": stream.route.verdict is not None})

        made = router(cheap(probes=DIFFER), large())
        async with made, made.stream(ASK, observer=observe) as stream:
            assert stream.plan.policy == made.plan.policy
            return [event async for event in stream]

    events = [event for event in run_virtual(main) if not isinstance(event, TextDelta)]
    assert events[0] == Noted({"decided": True})
    assert told(events) == ["[retracted]", "[large]"]


def test_what_an_observer_notes_when_the_reader_has_left_is_lost() -> None:
    heard: list[Event] = []

    async def main() -> None:
        def observe(now: float, event: Event, actions: tuple[Action, ...]) -> None:
            heard.append(event)
            stream.note({})

        made = router(cheap(probes=DIFFER), large())
        async with made, made.stream(ASK, observer=observe) as stream:
            await anext(stream)
        stream.note({})

    run_virtual(main)
    assert isinstance(heard[-1], ReaderLeft)

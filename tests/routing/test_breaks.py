"""A kept answer that breaks off, through the real router in virtual time."""

from __future__ import annotations

from typing import Any

from streamroute.core.types import Leg, Release
from streamroute.errors import RouteError, UpstreamInterruptedError
from streamroute.routing.stream import LegState, Route, StreamEvent
from streamroute.testing import Script, run_virtual
from tests.routing.support import ASK, cheap, large, router, told

BROKE = UpstreamInterruptedError("broke off", upstream="cheap")
HALF = Script([(0.1, "It is Rome."), (2.0, " It is")], error=BROKE)
REST = Script([(0.1, " Surely.")])


def play(**settings: Any) -> tuple[list[str], Route, list[object]]:
    """What the reader was told, the route, and the last message that the larger tier was asked with."""
    small, big = cheap(HALF, ["It is Rome."] * 3), large(REST)
    made = router(small, big, release=Release.RETRACT, **settings)
    events: list[StreamEvent] = []

    async def main() -> tuple[list[str], Route, list[object]]:
        async with made, made.stream(ASK) as stream:
            try:
                async for event in stream:
                    events.append(event)  # noqa: PERF401  (kept when it raises)
            except RouteError as error:
                return [*told(events), f"<{error}>"], stream.route, []
        return told(events), stream.route, [call.request.messages[-1] for call in big.calls]

    return run_virtual(main)


def test_another_tier_goes_on_and_the_record_says_so() -> None:
    words, route, asked = play(on_break="continue")
    seam = ["[continued at 17]", "[large]"]
    assert words == ["It is Rome.", "[cheap]", " It is", *seam, " Surely."]
    assert asked == [{"role": "assistant", "content": "It is Rome. It is"}]
    assert (route.answer, route.tier_name, route.continued) == ("It is Rome. It is Surely.", "large", (0,))
    assert route.verdict is not None
    assert route.verdict.reason == "answer_broke"
    assert not route.retracted
    broken = route.leg(Leg(0))
    assert broken is not None
    assert (broken.state, broken.text) == (LegState.FAILED, "It is Rome. It is")


def test_unless_told_to_it_fails() -> None:
    words, route, _ = play()
    assert words[-1] == "<the answer broke off (cheap: broke off)>"
    assert (route.answer, route.continued) == ("It is Rome. It is", ())

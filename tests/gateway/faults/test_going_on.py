"""A kept answer that breaks off, and a larger tier that goes on from what the reader has."""

from __future__ import annotations

import pytest

from streamroute.core.types import Leg
from streamroute.routing.stream import LegState
from tests.gateway.faults.stage import Seen, Stage, nothing_left, staged
from tests.gateway.faults.table import FAULTS, TEXT, End, Fault, healthy
from tests.gateway.served import virtually
from tests.support.faulty_server import Asked, FaultyServer, Play

TORN = [fault for fault in FAULTS if fault.end is End.TORN]
NEVER = [fault for fault in FAULTS if fault.end is End.NEVER]
REST = " It is not Sydney."
MODES = pytest.mark.parametrize("mode", ["hold", "retract", "whole"])


def servers(broken: Fault, rest: Fault | None = None) -> tuple[FaultyServer, FaultyServer]:
    """A cheap answer that its probes agree with, and that breaks off after its first sentence."""

    def cheap(asked: Asked) -> Play:
        return healthy((TEXT,), after=0.05) if asked.probe else broken.play((TEXT, " It is."))

    def large(asked: Asked) -> Play:
        return healthy((REST,)) if rest is None else rest.play((REST,))

    return FaultyServer(cheap), FaultyServer(large)


async def asked_of(stage: Stage, mode: str) -> Seen:
    seen = await stage.ask("auto", stream=mode != "whole", **({} if mode == "whole" else {"release": mode}))
    await stage.quiet()
    return seen


@MODES
@pytest.mark.parametrize("fault", TORN, ids=str)
def test_the_larger_tier_goes_on_and_the_seam_is_told(fault: Fault, mode: str) -> None:
    async def main() -> None:
        async with nothing_left(), staged(*servers(fault), more='on_break = "continue"') as stage:
            seen = await asked_of(stage, mode)
            assert (seen.status, seen.error, seen.done) == (200, None, True)
            assert seen.text == TEXT + REST
            assert seen.withdrawn == []
            (asked,) = stage.large.asked
            assert asked.body["messages"][-1] == {"role": "assistant", "content": TEXT}
            if mode != "whole":
                told = [(note["event"], note.get("tier"), note.get("to"), note.get("at")) for note in seen.notes]
                seam = ("continued", "cheap", "large", len(TEXT))
                assert told == [("committed", "cheap", None, None), seam, ("committed", "large", None, None)]
                assert {note["reason"] for note in seen.notes[1:]} == {"answer_broke"}
            check_ledger(stage, seen)

    virtually(main)


def check_ledger(stage: Stage, seen: Seen) -> None:
    (account,) = stage.ledger.accounts
    assert account.durable is not None
    route = account.durable.route
    assert route.answer == seen.text
    assert (route.tier_name, route.verdict and route.verdict.reason) == ("large", "answer_broke")
    cheap, large = route.leg(Leg(0)), route.leg(Leg(1))
    assert cheap is not None
    assert large is not None
    assert (cheap.state, large.state) == (LegState.FAILED, LegState.FINISHED)
    assert cheap.text + large.text == seen.text
    assert seen.usage is not None
    assert seen.usage["completion_tokens"] == cheap.completion_tokens + large.completion_tokens == 2
    assert seen.usage["prompt_tokens"] == cheap.prompt_tokens


@MODES
@pytest.mark.parametrize("fault", NEVER, ids=str)
def test_where_it_cannot_go_on_the_client_is_told_that_the_answer_broke_off(fault: Fault, mode: str) -> None:
    async def main() -> None:
        broken = next(fault for fault in TORN if fault.name == "cut in the middle")
        async with nothing_left(), staged(*servers(broken, fault), more='on_break = "continue"') as stage:
            seen = await asked_of(stage, mode)
            assert seen.error is not None
            assert seen.error["code"] == "answer_broke_off"
            assert seen.text == ("" if mode == "whole" else TEXT)
            assert seen.status == (502 if mode == "whole" else 200)
            assert [leg["leg"] for leg in seen.told["legs"]] == ["cheap", "large"]
            (account,) = stage.ledger.accounts
            assert account.durable is not None
            assert account.durable.route.answer == TEXT

    virtually(main)


def test_without_leave_it_fails_and_nobody_is_asked() -> None:
    async def main() -> None:
        async with nothing_left(), staged(*servers(TORN[0])) as stage:
            seen = await asked_of(stage, "hold")
            assert seen.error is not None
            assert (seen.text, seen.error["code"]) == (TEXT, "answer_broke_off")
            assert stage.large.asked == []

    virtually(main)

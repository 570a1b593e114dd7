"""Faults that are silent for longer than `keep_alive`: the reply is open by then, and the error comes as a frame."""

from __future__ import annotations

import pytest

from tests.gateway.faults.stage import nothing_left, staged
from tests.gateway.faults.table import FAULTS, PARTS, TEXT, End, Fault, healthy
from tests.gateway.served import virtually
from tests.support.faulty_server import FaultyServer

SLOW = [fault for fault in FAULTS if fault.end is End.NEVER and fault.status == 504]


@pytest.mark.parametrize("fault", SLOW, ids=str)
def test_a_model_that_says_nothing_ends_in_an_error_frame(fault: Fault) -> None:
    async def main() -> None:
        large = FaultyServer(lambda asked: fault.play(PARTS))
        async with nothing_left(), staged(FaultyServer(lambda _: healthy(PARTS)), large, keep_alive=1.2) as stage:
            seen = await stage.ask("large", stream=True)
            await stage.quiet()
            assert (seen.status, seen.text, seen.comments) == (200, "", 4)
            assert seen.error is not None
            assert seen.error["code"] == "upstream_timeout"
            (account,) = stage.ledger.accounts
            assert account.durable is not None
            assert account.durable.status == 504
            assert account.durable.route.timings.first_shown is None

    virtually(main)


@pytest.mark.parametrize("fault", SLOW, ids=str)
def test_a_route_that_is_silent_for_long_may_still_answer(fault: Fault) -> None:
    async def main() -> None:
        cheap = FaultyServer(lambda asked: healthy(PARTS, after=0.05) if asked.probe else fault.play(PARTS))
        async with nothing_left(), staged(cheap, FaultyServer(lambda _: healthy(PARTS)), keep_alive=1.2) as stage:
            seen = await stage.ask("auto", stream=True)
            await stage.quiet()
            assert (seen.status, seen.text, seen.done, seen.comments) == (200, TEXT, True, 4)

    virtually(main)

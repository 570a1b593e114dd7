"""A server that failed too often is left alone, and its clients are told when to come back."""

from __future__ import annotations

import asyncio
import itertools

import anyio
import pytest

from tests.gateway.faults.stage import nothing_left, staged
from tests.gateway.faults.table import FAULTS, PARTS, TEXT, document, healthy
from tests.gateway.served import virtually
from tests.support.faulty_server import HANG, FaultyServer, Play

FAULT = {fault.name: fault for fault in FAULTS}
BREAKING = ["cut before the headers", "stall before content", "junk before content", "500", "cut in the middle"]


@pytest.mark.parametrize("name", BREAKING)
@pytest.mark.parametrize("stream", [True, False])
def test_after_five_failures_nothing_is_asked_until_it_is_time(name: str, stream: bool) -> None:
    async def main() -> None:
        broken = True
        well = healthy if stream else document
        large = FaultyServer(lambda _: FAULT[name].play(PARTS) if broken else well(PARTS))
        async with nothing_left(), staged(FaultyServer(lambda _: healthy(PARTS)), large) as stage:
            for _ in itertools.takewhile(lambda _: len(large.asked) < 5, range(10)):
                await stage.ask("large", stream=stream)
            seen = await stage.ask("large", stream=stream)
            assert len(large.asked) == 5
            assert (seen.status, seen.headers["retry-after"]) == (503, "15")
            assert seen.error is not None
            assert seen.error["code"] == "upstreams_unavailable"
            assert "large: not asked: it failed 5 times in a row" in seen.error["message"]
            assert [leg["leg"] for leg in seen.told["legs"]] == ["large"]
            broken = False
            await asyncio.sleep(15)
            assert (await stage.ask("large", stream=stream)).text == TEXT
            assert (await stage.ask("large", stream=stream)).text == TEXT
            assert len(large.asked) == 7
            await stage.quiet()

    virtually(main)


@pytest.mark.parametrize("name", ["400", "401", "404", "429 late", "422"])
def test_refusals_leave_it_open(name: str) -> None:
    async def main() -> None:
        large = FaultyServer(lambda _: FAULT[name].play(PARTS))
        async with nothing_left(), staged(FaultyServer(lambda _: healthy(PARTS)), large) as stage:
            statuses = {(await stage.ask("large", stream=True)).status for _ in range(7)}
            assert statuses == {FAULT[name].status}
            assert len(large.asked) == 7
            await stage.quiet()

    virtually(main)


def test_a_route_whose_cheap_server_rests_goes_to_the_larger_one_at_once() -> None:
    async def main() -> None:
        cheap, large = FaultyServer(lambda _: Play([])), FaultyServer(lambda _: healthy(PARTS))
        async with nothing_left(), staged(cheap, large) as stage:
            await stage.ask("auto", stream=True)  # the answer twice and three probes
            asked = len(cheap.asked)
            began = asyncio.get_running_loop().time()
            seen = await stage.ask("auto", stream=True)
            assert (seen.text, seen.done) == (TEXT, True)
            assert len(cheap.asked) == asked
            assert asyncio.get_running_loop().time() - began < 0.1
            await stage.quiet()

    virtually(main)


@pytest.mark.parametrize("seconds", [0.5, 1.05, 2.5], ids=["the first try", "the wait", "the second try"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_in_any_try_leaves_nothing(seconds: float, stream: bool) -> None:
    async def main() -> None:
        tries = iter([Play([1.0]), Play([HANG])])
        large = FaultyServer(lambda _: next(tries))
        async with nothing_left(), staged(FaultyServer(lambda _: healthy(PARTS)), large) as stage:
            with anyio.move_on_after(seconds):
                await stage.ask("large", stream=stream)
            await stage.quiet()

    virtually(main)

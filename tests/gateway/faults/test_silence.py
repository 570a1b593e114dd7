"""What is silent for longer than `keep_alive`: the reply is open by then, and what goes wrong comes as a frame."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from streamroute.core.types import Leg
from streamroute.routing.stream import LegState
from tests.gateway.faults.stage import Stage, nothing_left, staged
from tests.gateway.faults.table import FAULTS, PARTS, REFUSAL, TEXT, End, Fault, document, healthy, streamed
from tests.gateway.served import virtually
from tests.support.faulty_server import FaultyServer, Play, body, chunk, event, head, last, say

SLOW = [fault for fault in FAULTS if fault.end is End.NEVER and fault.status == 504]
KEEP_ALIVE = 1.2
UNJUDGED = {"judge": False}


@asynccontextmanager
async def waiting(large: FaultyServer, cheap: FaultyServer | None = None) -> AsyncGenerator[Stage]:
    cheap = cheap or FaultyServer(lambda _: healthy(PARTS))
    async with nothing_left(), staged(cheap, large, keep_alive=KEEP_ALIVE) as stage:
        yield stage


def settled(stage: Stage) -> tuple[int, list[tuple[str, LegState, int]], float | None]:
    (account,) = stage.ledger.accounts
    assert account.durable is not None
    route = account.durable.route
    legs = [(record.tier_name, record.state, record.attempts) for record in route.legs]
    return account.durable.status, legs, route.timings.first_shown


@pytest.mark.parametrize("fault", SLOW, ids=str)
def test_a_model_that_says_nothing_ends_in_an_error_frame(fault: Fault) -> None:
    async def main() -> None:
        large = FaultyServer(lambda asked: fault.play(PARTS))
        async with waiting(large) as stage:
            seen = await stage.ask("large", stream=True)
            await stage.quiet()
            assert (seen.status, seen.text, seen.comments) == (200, "", 4)
            assert seen.error is not None
            assert seen.error["code"] == "upstream_timeout"
            assert settled(stage) == (504, [("large", LegState.FAILED, 1)], None)

    virtually(main)


@pytest.mark.parametrize("options", [{}, UNJUDGED], ids=["judged", "unjudged"])
@pytest.mark.parametrize("fault", SLOW, ids=str)
def test_a_route_that_is_silent_for_long_may_still_answer(fault: Fault, options: dict[str, bool]) -> None:
    async def main() -> None:
        cheap = FaultyServer(lambda asked: healthy(PARTS, after=0.05) if asked.probe else fault.play(PARTS))
        async with waiting(FaultyServer(lambda _: healthy(PARTS)), cheap) as stage:
            seen = await stage.ask("auto", stream=True, **options)
            await stage.quiet()
            assert (seen.status, seen.text, seen.done, seen.comments) == (200, TEXT, True, 4)
            status, legs, _ = settled(stage)
            assert status == 200
            assert ("cheap", LegState.FAILED, 1) in legs
            assert legs[-1] == ("large", LegState.FINISHED, 1)

    virtually(main)


def test_silence_in_the_middle_is_filled_too() -> None:
    async def main() -> None:
        rest = streamed(PARTS).partition(say(PARTS[0]))[2]
        large = FaultyServer(lambda _: Play([head(), chunk(say(PARTS[0])), 2.9, chunk(say("")), 0.05, last(rest)]))
        async with waiting(large) as stage:
            seen = await stage.ask("large", stream=True)
            assert (seen.text, seen.done, seen.comments) == (TEXT, True, 2)

    virtually(main)


def test_another_try_in_a_reply_that_is_open_starts_from_nothing() -> None:
    """The first try told usage, and said all that it had to say before it failed, in one event that was held back."""
    all_at_once = {"choices": [{"index": 0, "delta": {"content": "It was."}, "finish_reason": "stop"}]}
    told = {"usage": {"prompt_tokens": 999, "completion_tokens": 99}}
    error = event({"error": {"message": "out of memory"}})
    tries = iter([Play([2.0, head(), last(event({**all_at_once, **told}) + error)]), healthy_without_usage()])

    async def main() -> None:
        large = FaultyServer(lambda _: next(tries))
        async with waiting(large) as stage:
            seen = await stage.ask("large", stream=True)
            assert (seen.status, seen.text, seen.done, seen.comments) == (200, TEXT, True, 1)
            status, legs, first_shown = settled(stage)
            assert (status, legs) == (200, [("large", LegState.FINISHED, 2)])
            (account,) = stage.ledger.accounts
            assert account.durable is not None
            record = account.durable.route.leg(Leg(1))
            assert record is not None
            assert (record.prompt_tokens, record.completion_tokens, record.counted) == (9, 2, False)
            assert record.started < 2.0 < (record.first_token or 0.0) <= (first_shown or 0.0)
            assert seen.usage == {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}

    virtually(main)


def healthy_without_usage() -> Play:
    whole = streamed(PARTS)
    usage = whole.split(b"\n\n")[-3] + b"\n\n"
    assert b'"usage"' in usage
    return Play([head(), last(whole.replace(usage, b""))])


@pytest.mark.parametrize("stream", [True, False])
def test_a_refusal_that_comes_late_is_told_in_the_reply_that_is_open(stream: bool) -> None:
    async def main() -> None:
        large = FaultyServer(lambda _: Play([2.0, *body(json.dumps(REFUSAL).encode(), "422 Unprocessable")]))
        async with waiting(large) as stage:
            seen = await stage.ask("large", stream=stream)
            assert seen.error is not None
            assert "said no" in seen.error["message"]
            assert (seen.status, seen.comments) == ((200, 1) if stream else (422, 0))
            assert (seen.error["type"] == "invalid_request_error") is stream  # else it is the upstream's own
            assert settled(stage) == (422, [("large", LegState.FAILED, 1)], None)

    virtually(main)


def test_a_document_is_waited_for_in_silence() -> None:
    async def main() -> None:
        large = FaultyServer(lambda _: Play([20.0, *document(PARTS).steps]))
        async with waiting(large) as stage:
            seen = await stage.ask("large", stream=False)
            assert (seen.status, seen.text, seen.headers["x-streamroute-tier"]) == (200, TEXT, "large")

    virtually(main)


@pytest.mark.parametrize("seconds", [1.0, 1.3, 2.2, 3.0])
def test_a_client_that_leaves_a_reply_that_is_open_leaves_nothing(seconds: float) -> None:
    async def main() -> None:
        large = FaultyServer(lambda _: Play([2.0]))
        async with waiting(large) as stage:
            with anyio.move_on_after(seconds):
                await stage.ask("large", stream=True)
            await stage.quiet()
            await asyncio.sleep(10)
            (account,) = stage.ledger.accounts
            assert account.outcome is not None
            assert account.outcome.status == 499

    virtually(main)

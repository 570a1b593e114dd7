"""Silence on a stream is broken by comments, which are never taken for anything else."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from streamroute.config.settings import ServerSettings
from streamroute.errors import UpstreamStatusError
from streamroute.gateway.heartbeat import Heartbeat
from streamroute.gateway.keys import IN_FLIGHT
from streamroute.gateway.ledger.entries import Opened, Outcome
from streamroute.testing import Script, ScriptedUpstream, run_virtual
from tests.gateway.books import Blank
from tests.gateway.served import QUESTION, RIGHT, agreeing, larger, serving, virtually

COMMENT = ": keep-alive\n\n"


@dataclass
class Recording(Blank):
    """A ledger that shows what it is told first."""

    outcomes: list[Outcome] = field(default_factory=list)
    takes: float = 0.0
    asked: int = 0

    def open(self, entry: Opened) -> Any:
        return self

    def settle(self, outcome: Outcome) -> None:
        if not self.outcomes:
            self.outcomes.append(outcome)

    async def written(self) -> None:
        self.asked += 1
        await asyncio.sleep(self.takes)


def quiet(seconds: float = 10.0) -> ServerSettings:
    return ServerSettings(port=0, drain_seconds=0, keep_alive=seconds)


def ask(model: str = "large", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": QUESTION, "stream": True, **fields}


def comments(body: bytes) -> list[str]:
    """The blocks of the stream: "c" for a comment, "d" for a delta that says something, "." for the rest."""
    marks = []
    for block in body.decode().split("\n\n"):
        if block.startswith(":"):
            assert block + "\n\n" == COMMENT
            marks.append("c")
        elif block:
            data = block.removeprefix("data: ")
            choices = [] if data == "[DONE]" else json.loads(data).get("choices", [])
            marks.append("d" if any(c["delta"].get("content") for c in choices) else ".")
    return marks


def test_before_the_first_content_it_opens_the_reply() -> None:
    async def main() -> None:
        ledger = Recording()
        async with serving(large=larger(Script([(35.0, RIGHT)])), server=quiet(), ledger=ledger) as served:
            reply = await served.post(ask())
            assert reply.status == 200
            assert "".join(comments(reply.body)).startswith("ccc.")
            assert reply.events[-1] == "[DONE]"
            (outcome,) = ledger.outcomes
            assert outcome.route.timings.first_shown == pytest.approx(35.0, abs=0.1)

    virtually(main)


def test_it_comes_in_the_time_of_a_verdict_that_is_held_for() -> None:
    async def main() -> None:
        cheap = agreeing()
        cheap.probes = [Script([(2.4, RIGHT)])]
        async with serving(cheap, server=quiet(1.0)) as served:
            marks = "".join(comments((await served.post(ask("auto"))).body))
            assert marks.startswith("cc.")
            assert "c" not in marks[2:]

    virtually(main)


def test_in_the_middle_it_fills_each_silence_and_no_more() -> None:
    async def main() -> None:
        said = [(1.0, "a"), *[(9.0, "b")] * 4, (21.0, "c"), (1.0, "d")]
        async with serving(large=larger(Script(said)), server=quiet()) as served:
            marks = comments((await served.post(ask())).body)
            assert "".join(marks).strip(".") == "dddddccdd"

    virtually(main)


def test_a_failure_after_it_is_an_error_frame_with_the_right_words() -> None:
    async def main() -> None:
        ledger = Recording()
        error = UpstreamStatusError("HTTP 429: slow down", upstream="large", status=429, retry_after=7.0)
        large = larger(Script([(25.0, "")], error=error))
        async with serving(large=large, server=quiet(), ledger=ledger) as served:
            reply = await served.post(ask())
            assert reply.status == 200
            assert comments(reply.body) == ["c", "c", "."]
            assert reply.events[-1]["error"]["code"] == "rate_limit_exceeded"
            assert "slow down" in reply.events[-1]["error"]["message"]
            assert [outcome.status for outcome in ledger.outcomes] == [429]

    virtually(main)


def test_a_failure_while_it_is_on_its_way_waits_for_it() -> None:
    """Or two replies would be begun on one connection."""

    async def main() -> None:
        error = UpstreamStatusError("HTTP 429: slow down", upstream="large", status=429)
        large, ledger = larger(Script([(11.0, "")], error=error)), Recording(takes=3.0)
        async with serving(large=large, server=quiet(), ledger=ledger) as served:
            reply = await served.post(ask())
            assert (reply.status, comments(reply.body)) == (200, ["c", "."])
            assert reply.events[-1]["error"]["code"] == "rate_limit_exceeded"

    virtually(main)


def test_a_reply_that_is_not_streamed_has_none() -> None:
    async def main() -> None:
        async with serving(large=larger(Script([(35.0, RIGHT)])), server=quiet()) as served:
            reply = await served.post(ask(stream=False))
            assert reply.json["choices"][0]["message"]["content"] == RIGHT

    virtually(main)


def test_never_is_a_setting() -> None:
    async def main() -> None:
        async with serving(large=larger(Script([(200.0, RIGHT)])), server=quiet(math.inf)) as served:
            assert "c" not in comments((await served.post(ask())).body)

    virtually(main)


def test_the_openai_client_does_not_notice() -> None:
    async def main() -> None:
        async with serving(large=larger(Script([(15.0, "It is "), (15.0, "Canberra.")])), server=quiet()) as served:
            stream = await served.client.chat.completions.create(**ask())
            assert "".join([c.choices[0].delta.content or "" for c in [c async for c in stream] if c.choices]) == RIGHT

    virtually(main)


@pytest.mark.parametrize("seconds", [5.0, 10.0, 15.0, 25.0])
def test_a_client_that_leaves_at_any_time_leaves_nothing(seconds: float) -> None:
    async def main() -> None:
        large, ledger = ScriptedUpstream(Script([(1e6, "never")]), name="large"), Recording()
        before = len(asyncio.all_tasks())
        async with serving(large=large, server=quiet(), ledger=ledger) as served:
            with anyio.move_on_after(seconds):
                await served.post(ask())
            await served.app[IN_FLIGHT].empty()
            assert served.running == 0
            asked = ledger.asked
            await asyncio.sleep(30)
            assert ledger.asked == asked, "it beats on"
        assert len(asyncio.all_tasks()) == before

    virtually(main)


# -- the heart itself -------------------------------------------------------------------------------------------------


def beating(error: Exception | None = None, *, takes: float = 0.0) -> tuple[Heartbeat, list[float]]:
    beats: list[float] = []

    async def beat() -> None:
        await asyncio.sleep(takes)
        if error is not None:
            raise error
        beats.append(asyncio.get_running_loop().time())

    return Heartbeat(10.0, beat), beats


def test_it_beats_in_silence_only() -> None:
    async def main() -> None:
        heart, beats = beating()
        await asyncio.sleep(100)
        heart.rest()
        await asyncio.sleep(8)
        heart.rest()
        await asyncio.sleep(25)
        await heart.pause()
        await asyncio.sleep(100)
        await heart.aclose()
        heart.rest()
        await asyncio.sleep(100)
        assert beats == [pytest.approx(118.0), pytest.approx(128.0)]

    run_virtual(main)


def test_a_pause_waits_for_the_beat_and_raises_its_error() -> None:
    async def main() -> None:
        heart, beats = beating(takes=3.0)
        heart.rest()
        await asyncio.sleep(11)
        await heart.pause()
        assert beats == [pytest.approx(13.0)]
        heart, _ = beating(ConnectionResetError())
        heart.rest()
        await asyncio.sleep(11)
        with pytest.raises(ConnectionResetError):
            await heart.pause()

    run_virtual(main)


def test_a_beat_that_takes_long_is_not_overtaken_by_another() -> None:
    async def main() -> None:
        heart, beats = beating(takes=25.0)
        heart.rest()
        await asyncio.sleep(11)
        heart.rest()  # as whoever does not pause it does
        await asyncio.sleep(23)
        assert len(asyncio.all_tasks()) == 2
        await asyncio.sleep(12)
        await heart.aclose()
        assert beats == [pytest.approx(35.0)]
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main)


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
def test_closing_ends_a_beat_and_drops_its_error(error: Exception | None) -> None:
    async def main() -> None:
        heart, beats = beating(error, takes=3.0)
        heart.rest()
        await asyncio.sleep(11)
        await heart.aclose()
        heart, _ = beating(error)
        heart.rest()
        await asyncio.sleep(11)
        await heart.aclose()
        assert len(asyncio.all_tasks()) == 1
        assert beats == []

    run_virtual(main)

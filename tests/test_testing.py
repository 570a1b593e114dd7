"""The public fakes keep their word: they are what other tests stand on."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from streamroute.core.types import Delta, Sample
from streamroute.errors import UpstreamError
from streamroute.testing import CallState, Script, ScriptedScorer, ScriptedUpstream, run_virtual
from streamroute.upstreams.base import ChatRequest, Upstream

ASK = ChatRequest(messages=({"role": "user", "content": "q"},))


def test_a_day_passes_at_once() -> None:
    async def main() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert run_virtual(main) == pytest.approx(86_400)


def test_timers_fire_in_order_and_at_their_time() -> None:
    seen: list[tuple[float, str]] = []

    async def after(seconds: float, name: str) -> None:
        await anyio.sleep(seconds)
        seen.append((round(anyio.current_time(), 6), name))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for seconds, name in ((0.3, "c"), (0.1, "a"), (0.2, "b")):
                group.start_soon(after, seconds, name)

    run_virtual(main)
    assert seen == [(0.1, "a"), (0.2, "b"), (0.3, "c")]


def test_a_wait_that_nothing_can_end_is_an_error_and_not_a_hang() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock"):
        run_virtual(main)


def test_loopback_sockets_work_in_virtual_time() -> None:
    async def main() -> tuple[bytes, float]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)
            writer.write(await reader.readexactly(4))
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"ping")
            said = await reader.read()
            writer.close()
            await writer.wait_closed()
        return said, asyncio.get_running_loop().time()

    said, took = run_virtual(main, grace=0.005)
    assert said == b"ping"
    assert took == pytest.approx(60, abs=1)


async def read(upstream: Upstream, request: ChatRequest = ASK) -> list[tuple[float, Delta]]:
    async with upstream.stream(request) as deltas:
        return [(round(anyio.current_time(), 6), delta) async for delta in deltas]


def test_a_scripted_model_speaks_word_by_word_and_ends() -> None:
    upstream = ScriptedUpstream(Script.of("one two", first=0.5, gap=0.25))
    deltas = run_virtual(lambda: read(upstream))
    assert [(now, delta.text, delta.finish_reason) for now, delta in deltas] == [
        (0.5, "one", None),
        (0.75, " two", None),
        (0.75, "", "stop"),
    ]
    assert upstream.calls[0].state is CallState.FINISHED


def test_a_scripted_failure_comes_when_the_script_says() -> None:
    upstream = ScriptedUpstream(Script.failing(after=0.3))
    with pytest.raises(UpstreamError, match="scripted failure"):
        run_virtual(lambda: read(upstream))
    assert upstream.calls[0].state is CallState.FAILED
    assert upstream.calls[0].ended == pytest.approx(0.3)


def test_leaving_early_closes_the_call() -> None:
    upstream = ScriptedUpstream("a b c d e")

    async def main() -> None:
        async with upstream.stream(ASK) as deltas:
            async for _ in deltas:
                assert upstream.running == 1
                break

    run_virtual(main)
    assert (upstream.running, upstream.calls[0].state) == (0, CallState.CLOSED)


def test_probes_take_their_scripts_in_turn_and_choices_keep_apart() -> None:
    upstream = ScriptedUpstream("answer", ["one", "two two", "three"])
    request = ChatRequest(messages=ASK.messages, n=3, probe=True)
    deltas = [delta for _, delta in run_virtual(lambda: read(upstream, request))]
    texts = ["".join(delta.text for delta in deltas if delta.index == i) for i in range(3)]
    assert texts == ["one", "two two", "three"]
    assert sorted(delta.index for delta in deltas if delta.finish_reason) == [0, 1, 2]


def test_the_scripted_judge_certifies_what_is_already_certain() -> None:
    async def main() -> None:
        scorer = ScriptedScorer()
        samples = [Sample("yes."), Sample("no."), Sample("No.")]
        found = await scorer.evaluate(answer="yes.", answer_finished=True, samples=samples, expected=4)
        assert (found.low, found.high) == (0.5, 0.75)
        assert found.assignment == (0, 1, 1)
        assert found.agreement == pytest.approx(1 / 3)
        early = await scorer.evaluate(answer="ye", answer_finished=False, samples=samples, expected=4)
        assert (early.low, early.high, early.answer_judged) == (0.0, 1.0, False)

    run_virtual(main)

"""The embedded upstream over a scripted server object: bridge, slots, failures, unloading."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from streamroute.core.types import Delta, Usage
from streamroute.errors import (
    ConfigError,
    ModelFileError,
    UpstreamConnectError,
    UpstreamInterruptedError,
    UpstreamProtocolError,
    UpstreamStatusError,
)
from streamroute.upstreams.base import ChatRequest, Upstream
from streamroute.upstreams.local import LocalUpstream
from streamroute.upstreams.local_call import Call
from tests.upstreams.scripted_llama import Gate, Loader, ScriptedLlama, chunk, role, usage, whole_answer

QUESTION = ({"role": "user", "content": "Is it?"},)


def request(n: int = 1, *, probe: bool = False, **params: Any) -> ChatRequest:
    return ChatRequest(messages=QUESTION, params=params, n=n, probe=probe)


def local(*servers: ScriptedLlama | Exception, **settings: Any) -> LocalUpstream:
    return LocalUpstream("tiny.gguf", name="small", load=Loader(*servers), **{"grace": 30.0, **settings})


async def collect(upstream: LocalUpstream, asked: ChatRequest) -> list[Delta]:
    async with upstream.stream(asked) as deltas:
        return [delta async for delta in deltas]


def text(deltas: list[Delta], index: int = 0) -> str:
    return "".join(delta.text for delta in deltas if delta.index == index)


async def reached(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.reached.wait, 30)


async def test_it_is_an_upstream_and_streams_an_answer_with_counted_usage_last() -> None:
    upstream = local(ScriptedLlama())
    assert isinstance(upstream, Upstream)
    deltas = await collect(upstream, request())
    assert text(deltas) == "yes 0"
    assert [delta.finish_reason for delta in deltas if delta.finish_reason] == ["stop"]
    assert deltas[-1].usage == Usage(7, 2, counted=True)
    assert upstream.running == 0
    await upstream.aclose()


async def test_nothing_is_loaded_before_it_is_needed_and_then_once_in_a_thread() -> None:
    upstream = LocalUpstream("tiny.gguf", name="small", load=(load := Loader(ScriptedLlama())))
    assert load.asked == []
    await asyncio.gather(*(collect(upstream, request()) for _ in range(3)))
    assert len(load.asked) == 1
    assert load.threads != [threading.get_ident()]


async def test_probes_run_on_an_instance_of_their_own_with_less_claim_to_the_processor() -> None:
    answers, probes = ScriptedLlama(), ScriptedLlama()
    upstream = LocalUpstream("tiny.gguf", name="small", load=(load := Loader(answers, probes)), threads=3)
    await collect(upstream, request())
    await collect(upstream, request(5, probe=True))
    assert [body["n"] for body in answers.bodies] == [1]
    assert [body["n"] for body in probes.bodies] == [5]
    assert [asked.niceness for asked in load.asked] == [0, 10]
    assert [asked.threads for asked in load.asked] == [3, 3]


async def test_start_loads_ahead() -> None:
    upstream = LocalUpstream("tiny.gguf", name="small", load=(load := Loader(ScriptedLlama(), ScriptedLlama())))
    await upstream.start(probes=True)
    assert len(load.asked) == 2


async def test_choices_of_one_request_are_told_apart_and_their_usage_is_summed() -> None:
    deltas = await collect(local(ScriptedLlama()), request(3))
    assert [text(deltas, index) for index in range(3)] == ["yes 0", "yes 1", "yes 2"]
    assert deltas[-1].usage == Usage(7, 6)


async def test_more_choices_than_slots_are_asked_in_turns_with_other_seeds() -> None:
    upstream = local(server := ScriptedLlama(), slots=2)
    deltas = await collect(upstream, request(5, seed=40))
    assert [(body["n"], body["seed"]) for body in server.bodies] == [(2, 40), (2, 42), (1, 44)]
    assert [text(deltas, index) for index in range(5)] == ["yes 0", "yes 1", "yes 0", "yes 1", "yes 0"]
    assert deltas[-1].usage == Usage(7, 10)
    assert sum(delta.usage is not None for delta in deltas) == 1


async def test_leaving_mid_stream_waits_until_the_model_has_let_go() -> None:
    gate = Gate()
    server = ScriptedLlama(lambda _: [role(), chunk("a"), gate, chunk("b"), chunk("c"), chunk(finish="stop")])
    upstream = local(server)
    manager = upstream.stream(request())
    assert (await anext(await manager.__aenter__())).text == "a"
    await reached(gate)
    leaving = asyncio.create_task(manager.__aexit__(None, None, None))
    await asyncio.sleep(0)
    assert not leaving.done()
    assert upstream.running == 1
    gate.open()  # the next token
    await leaving
    assert upstream.running == 0
    assert server.returned == ["stopped"]


async def test_leaving_waits_in_a_cancelled_scope_too() -> None:
    gate = Gate()
    upstream = local(server := ScriptedLlama(lambda _: [gate, chunk("late"), chunk(finish="stop")]))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(collect, upstream, request())
        await reached(gate)
        asyncio.get_running_loop().call_soon(gate.open)
        tasks.cancel_scope.cancel()
    assert upstream.running == 0
    assert server.returned == ["stopped"]


async def test_leaving_never_waits_longer_than_its_grace_and_the_place_is_free_only_when_the_model_is() -> None:
    gate = Gate()
    scripts = iter([[chunk("a"), gate, chunk("b")], list(whole_answer({"n": 1}))])
    upstream = local(server := ScriptedLlama(lambda _: next(scripts)), slots=1, grace=0.0)
    async with upstream.stream(request()) as deltas:
        await anext(deltas)
        await reached(gate)
    assert upstream.running == 1
    following = asyncio.create_task(collect(upstream, request()))
    await asyncio.sleep(0)
    assert len(server.bodies) == 1
    gate.open()
    assert text(await following) == "yes 0"
    assert upstream.running == 0


async def test_a_request_that_waits_for_room_can_be_called_off_before_the_model_hears_of_it() -> None:
    gate = Gate()
    upstream = local(server := ScriptedLlama(lambda _: [chunk("a"), gate, *whole_answer({"n": 1})]), slots=1)
    first = asyncio.create_task(collect(upstream, request()))
    await reached(gate)
    second = asyncio.create_task(collect(upstream, request()))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    gate.open()
    await first
    assert len(server.bodies) == 1


async def test_a_request_cancelled_while_the_model_loads_leaves_the_load_to_the_others() -> None:
    gate = Gate()
    upstream = LocalUpstream("tiny.gguf", name="small", load=(load := Loader(ScriptedLlama(), gate=gate)))
    impatient = asyncio.create_task(collect(upstream, request()))
    patient = asyncio.create_task(collect(upstream, request()))
    await reached(gate)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    gate.open()
    assert text(await patient) == "yes 0"
    assert len(load.asked) == 1


@pytest.mark.parametrize(
    ("script", "kind", "complaint"),
    [
        ([{"error": {"code": 400, "message": "too long"}}], UpstreamStatusError, "small: too long"),
        ([ValueError("'messages' is required")], UpstreamStatusError, "small: 'messages' is required"),
        ([chunk("a"), RuntimeError("llama died")], UpstreamInterruptedError, "small: llama died"),
        ([chunk("a")], UpstreamInterruptedError, "small: the model stopped before its answer was finished"),
        ([], UpstreamInterruptedError, "small: the model stopped before its answer was finished"),
        (["data: {}"], UpstreamProtocolError, "small: not a chat-completion chunk"),
    ],
)
async def test_what_goes_wrong_at_the_model_is_an_upstream_error(
    script: list[Any], kind: type[Exception], complaint: str
) -> None:
    upstream = local(ScriptedLlama(lambda _: script))
    with pytest.raises(kind, match=complaint):
        await collect(upstream, request())
    assert upstream.running == 0


async def test_one_unfinished_choice_of_several_is_an_interruption() -> None:
    script = [chunk("a"), chunk(finish="stop"), usage(7, 1), chunk("b", index=1)]
    with pytest.raises(UpstreamInterruptedError):
        await collect(local(ScriptedLlama(lambda _: script)), request(2))


async def test_a_file_that_cannot_be_loaded_is_named_and_tried_again_by_the_next_request() -> None:
    upstream = local(ModelFileError("tiny.gguf: cut off"), ModelFileError("tiny.gguf: cut off"), ScriptedLlama())
    with pytest.raises(ModelFileError, match=r"tiny\.gguf: cut off"):
        await upstream.start()
    with pytest.raises(UpstreamConnectError, match=r"small: tiny\.gguf: cut off"):
        await collect(upstream, request())
    assert text(await collect(upstream, request())) == "yes 0"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, r"tiny\.gguf: No such file or directory"),
        (b"<html>sign in to continue", r"tiny\.gguf: not a GGUF file: it begins with b'<htm'"),
        (b"GGUF" + bytes(400), r"tiny\.gguf: llama\.cpp cannot load this file"),
    ],
)
async def test_a_missing_foreign_or_corrupted_file_is_named(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / "tiny.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=complaint):
        await LocalUpstream(path, name="small").start()


async def test_closing_stops_what_runs_and_refuses_what_comes() -> None:
    gate = Gate()
    upstream = local(server := ScriptedLlama(lambda _: [chunk("a"), gate, chunk("b"), chunk(finish="stop")]))
    running = asyncio.create_task(collect(upstream, request()))
    await reached(gate)
    closing = asyncio.create_task(upstream.aclose())
    await asyncio.sleep(0)
    gate.open()
    await closing
    assert server.returned == ["stopped"]
    with pytest.raises(UpstreamInterruptedError):
        await running
    with pytest.raises(UpstreamConnectError, match="small: is closed"):
        await collect(upstream, request())
    await upstream.aclose()


async def test_closing_while_the_model_loads_unloads_it() -> None:
    gate = Gate()
    upstream = LocalUpstream("tiny.gguf", name="small", load=Loader(ScriptedLlama(), gate=gate))
    starting = asyncio.create_task(upstream.start())
    await reached(gate)
    closing = asyncio.create_task(upstream.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    gate.open()
    await closing
    with pytest.raises(UpstreamConnectError, match="is closed"):
        await starting
    with pytest.raises(UpstreamConnectError, match="is closed"):
        await upstream.start()


def test_a_request_whose_loop_has_ended_stops_by_itself() -> None:
    gate, over = Gate(), threading.Event()

    class Server(ScriptedLlama):
        def handle_chat_completions(self, *args: Any) -> None:
            super().handle_chat_completions(*args)
            over.set()

    server = Server(lambda _: [chunk("a"), gate, chunk("b"), chunk("c")])

    async def abandon() -> None:
        Call(server, {})
        await reached(gate)

    asyncio.run(abandon())
    gate.open()
    assert over.wait(timeout=30)
    assert server.returned == ["stopped"]


def test_a_manifest_name_is_checked_at_once_and_its_file_only_when_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown model 'gpt-9'; known are smollm2-135m-instruct"):
        LocalUpstream.from_manifest("gpt-9")
    upstream = LocalUpstream.from_manifest("smollm2-135m-instruct", models_dir=tmp_path, name="cheap")
    assert (upstream.name, upstream.model) == ("cheap", "smollm2-135m-instruct")
    with pytest.raises(ModelFileError, match="`streamroute models pull smollm2-135m-instruct` fetches it"):
        asyncio.run(upstream.start())


def test_a_file_of_the_users_own_is_called_after_itself(tmp_path: Path) -> None:
    upstream = LocalUpstream.from_manifest(str(tmp_path / "mine.gguf"))
    assert (upstream.name, upstream.model) == ("mine", "mine.gguf")


@pytest.mark.parametrize("setting", ["context", "slots", "probe_slots", "threads"])
def test_a_setting_below_one_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match=f"small: {setting}: expected at least 1, got 0"):
        LocalUpstream("tiny.gguf", name="small", **{setting: 0})  # type: ignore[arg-type]

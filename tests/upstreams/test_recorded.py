from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from streamroute.core.types import Delta, TokenLogprob, Usage
from streamroute.errors import ConfigError, UpstreamError, UpstreamInterruptedError
from streamroute.testing import Script, ScriptedUpstream, run_virtual
from streamroute.upstreams.base import ChatRequest, Upstream
from streamroute.upstreams.recorded import (
    RecordedUpstream,
    Recorder,
    Recording,
    Step,
    load_recordings,
    save_recordings,
)
from tests.upstreams.harness import collect


def question(text: str = "2+2?", *, probe: bool = False, **params: Any) -> ChatRequest:
    return ChatRequest(messages=({"role": "user", "content": text},), probe=probe, params=params)


def recording(text: str, asked: str = "2+2?", **fields: Any) -> Recording:
    step = Step(at=0.0, text=text, finish_reason="stop")
    return Recording(messages=({"role": "user", "content": asked},), steps=(step,), **fields)


async def says(upstream: Upstream, request: ChatRequest) -> str:
    return "".join(delta.text for delta in await collect(upstream, request))


async def timed(upstream: Upstream, request: ChatRequest) -> tuple[list[tuple[float, Delta]], Exception | None]:
    """Each delta with the second, after the start, in which it came; and how it ended."""
    began, heard = anyio.current_time(), []
    try:
        async with upstream.stream(request) as deltas:
            async for delta in deltas:
                heard.append((anyio.current_time() - began, delta))  # noqa: PERF401 - it must survive the error
    except UpstreamError as error:
        return heard, error
    return heard, None


# -- replay -----------------------------------------------------------------------------------------------------------


def test_a_replay_comes_at_the_recorded_times() -> None:
    steps = (Step(at=0.25, text="4"), Step(at=1.0, finish_reason="stop"), Step(at=1.5, usage=Usage(3, 1)))
    upstream = RecordedUpstream("small", [Recording(messages=question().messages, steps=steps)])

    async def main() -> None:
        await anyio.sleep(7)
        heard, error = await timed(upstream, question())
        assert error is None
        assert [at for at, _ in heard] == pytest.approx([0.25, 1.0, 1.5])
        assert [delta for _, delta in heard] == [Delta("4"), Delta(finish_reason="stop"), Delta(usage=Usage(3, 1))]

    run_virtual(main)


def test_a_slow_reader_does_not_shift_what_comes_later() -> None:
    steps = (Step(at=1, text="a"), Step(at=2, text="b"), Step(at=9, text="c", finish_reason="stop"))
    upstream = RecordedUpstream("small", [Recording(messages=question().messages, steps=steps)])

    async def main() -> None:
        began, times = anyio.current_time(), []
        async with upstream.stream(question()) as deltas:
            async for _ in deltas:
                times.append(anyio.current_time() - began)
                await anyio.sleep(3)
        assert times == pytest.approx([1, 4, 9])

    run_virtual(main)


async def test_answers_and_probes_are_told_apart_and_take_turns() -> None:
    upstream = RecordedUpstream(
        "small",
        [recording("4"), recording("four", probe=True), recording("5", probe=True), recording("Paris", "Capital?")],
    )
    assert [await says(upstream, question(probe=True)) for _ in range(3)] == ["four", "5", "four"]
    assert [await says(upstream, question()) for _ in range(2)] == ["4", "4"]
    assert await says(upstream, question("Capital?")) == "Paris"


async def test_a_seed_picks_its_own_recording_or_by_remainder() -> None:
    upstream = RecordedUpstream("small", [recording("a", seed=7), recording("b", seed=3), recording("c")])
    assert await says(upstream, question(seed=3)) == "b"
    assert await says(upstream, question(seed=5)) == "c"
    assert await says(upstream, question(seed=6)) == "a"
    assert await says(upstream, question(seed=5)) == "c"


async def test_fields_of_a_message_are_compared_in_any_order() -> None:
    made = Recording(messages=({"content": "2+2?", "role": "user"},), steps=recording("4").steps)
    assert await says(RecordedUpstream("small", [made]), question()) == "4"


async def test_what_was_never_recorded_is_named() -> None:
    upstream = RecordedUpstream("small", [recording("4")])
    with pytest.raises(UpstreamError, match=r"^small: no recorded answer to 'Why\?'$"):
        await says(upstream, question("Why?"))
    with pytest.raises(UpstreamError, match=r"^small: no recorded probe of '2\+2\?'$"):
        await says(upstream, question(probe=True))
    with pytest.raises(UpstreamError) as caught:
        await says(upstream, question("word\n" * 1000))
    assert len(str(caught.value)) < 150


def test_the_model_is_the_recorded_one() -> None:
    assert RecordedUpstream("small", [recording("4", model="m")]).model == "m"
    assert RecordedUpstream("small", [recording("4", model="m")], model="other").model == "other"
    assert RecordedUpstream("small", [recording("4", model="m"), recording("4", model="n")]).model == "small"
    assert not RecordedUpstream("small", []).supports_n


# -- recording --------------------------------------------------------------------------------------------------------


def test_what_is_recorded_is_replayed_the_same_to_the_moment(tmp_path: Path) -> None:
    async def main() -> None:
        scripts = [Script([(0.5, "a"), (0.25, "b")], usage=Usage(1, 2)), Script.of("two words")]
        model = ScriptedUpstream("the answer", scripts, name="small", model="m")
        recorder = Recorder(model)
        requests = [question(), question(probe=True), question(probe=True, seed=5)]
        originals = [await timed(recorder, request) for request in requests]
        assert [made.seed for made in recorder.recordings] == [None, None, 5]

        save_recordings(tmp_path / "legs.jsonl", recorder.recordings)
        replayed = RecordedUpstream.load("small", tmp_path / "legs.jsonl")
        assert replayed.model == "m"
        for request, (original, _) in zip(requests, originals, strict=True):
            replay, error = await timed(replayed, request)
            assert error is None
            assert [delta for _, delta in replay] == [delta for _, delta in original]
            assert [at for at, _ in replay] == pytest.approx([at for at, _ in original])

    run_virtual(main)


def test_every_part_of_a_delta_survives_the_file(tmp_path: Path) -> None:
    delta = Delta(
        "Ünï\u2028code",
        logprobs=(TokenLogprob("a", -0.5, (("a", -0.5), ("b", -2.0))),),
        tool_calls=b'[{"index":0,"id":"c"}]',
        refusal="no",
        finish_reason="tool_calls",
        usage=Usage(1, 2, counted=False),
    )
    made = Recording(
        messages=question().messages, steps=(Step.of(0.125, delta),), model="m", probe=True, seed=1, ended=2
    )
    path = tmp_path / "legs.jsonl"
    save_recordings(path, [made, made])
    assert load_recordings(path) == [made, made]
    assert load_recordings(path)[0].steps[0].delta == delta


def test_a_failure_is_recorded_and_fails_again_at_its_moment() -> None:
    async def main() -> None:
        broken = Script([(0.5, "hal")], error=UpstreamInterruptedError("broke off", upstream="small"))
        recorder = Recorder(ScriptedUpstream(broken, name="small"))
        first, error = await timed(recorder, question())
        assert error is not None
        replay, again = await timed(RecordedUpstream("small", recorder.recordings), question())
        assert replay == first
        assert isinstance(again, UpstreamInterruptedError)
        assert str(again) == str(error) == "small: broke off"

    run_virtual(main)


async def test_a_failure_before_the_first_delta_is_recorded_too() -> None:
    unknown = RecordedUpstream("small", [])
    recorder = Recorder(unknown)
    with pytest.raises(UpstreamError):
        await says(recorder, question())
    (made,) = recorder.recordings
    assert made.steps == ()
    assert made.error == "no recorded answer to '2+2?'"


async def test_a_leg_that_was_left_is_not_recorded_and_ends_at_the_model() -> None:
    model = ScriptedUpstream(Script([(0, "a"), (1e9, "b")]), name="small")
    recorder = Recorder(model)
    async with recorder.stream(question()) as deltas:
        assert (await anext(deltas)).text == "a"
    assert recorder.recordings == []
    assert model.running == 0


async def test_a_recorder_is_the_upstream_it_records() -> None:
    model = ScriptedUpstream(name="small", model="m", supports_n=True)
    recorder = Recorder(model)
    assert isinstance(recorder, Upstream)
    assert (recorder.name, recorder.model, recorder.supports_n) == ("small", "m", False)
    await recorder.aclose()
    assert model.closed


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nonsense", "JSON is malformed"),
        ("{}", "missing required field `messages`"),
        ('{"messages": [], "steps": [{"at": "soon"}]}', r"Expected `float`, got `str` - at `\$.steps\[0\].at`"),
        ('{"messages": [], "steps": [], "stpes": 1}', "unknown field `stpes`"),
    ],
)
def test_a_line_that_is_no_recording_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "legs.jsonl"
    save_recordings(path, [recording("4")])
    path.write_text(path.read_text() + f"\n{line}\n")
    with pytest.raises(ConfigError, match=rf"legs\.jsonl:3: not a recording: .*{problem}"):
        load_recordings(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.jsonl: cannot read the recordings: No such file"):
        RecordedUpstream.load("small", tmp_path / "none.jsonl")

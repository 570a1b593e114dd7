"""What every upstream promises (`streamroute.upstreams.base.Upstream`), asked of all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import anyio
import pytest

from streamroute.core.types import Delta, Usage
from streamroute.errors import ConfigError, ModelFileError, UpstreamError, UpstreamInterruptedError
from streamroute.upstreams.base import ChatRequest, Upstream
from tests.upstreams.harness import MESSAGES, REQUEST, Harness, Plan, collect, harness

KINDS = ["openai", "resilient", "sdk", "recorded", "scripted"]


@pytest.fixture(params=KINDS)
async def tested(request: pytest.FixtureRequest) -> AsyncGenerator[Harness]:
    async with harness(request.param) as made:
        yield made


@dataclass(frozen=True)
class Asked:
    """An upstream whose model says what it likes, and a request for it."""

    upstream: Upstream
    request: ChatRequest


LOCAL = pytest.param("local", marks=pytest.mark.local_models)


@pytest.fixture(params=[*KINDS, LOCAL])
async def asked(request: pytest.FixtureRequest) -> AsyncGenerator[Asked]:
    if request.param != "local":
        async with harness(request.param) as made:
            made.plan(Plan(["Can", "berra"]))
            yield Asked(made.upstream, REQUEST)
        return
    from streamroute.upstreams.local import LocalUpstream

    upstream = LocalUpstream.from_manifest("smollm2-135m-instruct")
    try:
        await upstream.start()
    except (ModelFileError, ConfigError) as error:
        pytest.skip(str(error))
    yield Asked(upstream, ChatRequest(messages=MESSAGES, params={"max_tokens": 8, "temperature": 0}))
    await upstream.aclose()


def text(deltas: list[Delta], index: int = 0) -> str:
    return "".join(delta.text for delta in deltas if delta.index == index)


# -- an answer --------------------------------------------------------------------------------------------------------


async def test_an_answer_is_text_then_one_finish_reason_then_nothing_but_usage(asked: Asked) -> None:
    deltas = await collect(asked.upstream, asked.request)
    assert text(deltas)
    (end,) = [i for i, delta in enumerate(deltas) if delta.finish_reason is not None]
    assert deltas[end].finish_reason in ("stop", "length")
    assert not any(delta.has_content for delta in deltas[end + 1 :])
    assert [i for i, delta in enumerate(deltas) if delta.usage is not None] == [len(deltas) - 1]
    usage = deltas[-1].usage
    assert usage is not None
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0


@pytest.mark.parametrize("asked", [*(kind for kind in KINDS if kind != "recorded"), LOCAL], indirect=True)
async def test_the_choices_of_one_request_are_told_apart_by_their_index(asked: Asked) -> None:
    assert asked.upstream.supports_n
    request = ChatRequest(messages=asked.request.messages, params=asked.request.params, n=3)
    deltas = await collect(asked.upstream, request)
    assert sorted(delta.index for delta in deltas if delta.finish_reason is not None) == [0, 1, 2]
    assert all(text(deltas, index) for index in range(3))


async def test_an_upstream_that_was_left_answers_the_next_request(asked: Asked) -> None:
    async with asked.upstream.stream(asked.request) as deltas:
        async for _ in deltas:
            break
    assert text(await collect(asked.upstream, asked.request))


async def test_two_streams_at_once_do_not_disturb_each_other(asked: Asked) -> None:
    one, other = await asyncio.gather(collect(asked.upstream, asked.request), collect(asked.upstream, asked.request))
    assert text(one)
    assert text(other)
    assert sum(delta.finish_reason is not None for delta in one + other) == 2


async def test_closing_twice_is_closing_once(asked: Asked) -> None:
    await collect(asked.upstream, asked.request)
    await asked.upstream.aclose()
    await asked.upstream.aclose()


async def test_it_is_an_upstream_with_a_name_and_a_model(asked: Asked) -> None:
    assert isinstance(asked.upstream, Upstream)
    assert asked.upstream.name
    assert asked.upstream.model


# -- exactly what the model said --------------------------------------------------------------------------------------


async def test_the_text_is_what_the_model_said_delta_by_delta(tested: Harness) -> None:
    tested.plan(Plan(["Can", "", "berra", ".\n", "ü"]))
    deltas = await collect(tested.upstream)
    assert [delta.text for delta in deltas if delta.has_content] == ["Can", "berra", ".\n", "ü"]
    assert deltas[-1].usage == Usage(7, 5)


async def test_an_answer_without_any_text_still_ends(tested: Harness) -> None:
    tested.plan(Plan([]))
    deltas = await collect(tested.upstream)
    assert not any(delta.has_content for delta in deltas)
    assert [delta.finish_reason for delta in deltas if delta.finish_reason] == ["stop"]


async def test_a_stream_that_breaks_off_is_an_error_after_what_it_said(tested: Harness) -> None:
    reader = Reader(tested, Plan(["Can"], end="break"))
    with pytest.raises(UpstreamInterruptedError, match=r"^tested: ") as caught:
        await reader.read()
    assert reader.said == ["Can"]
    assert caught.value.upstream == tested.upstream.name
    await tested.until(lambda: tested.running == 0)


# -- leaving ----------------------------------------------------------------------------------------------------------


class Reader:
    """Reads a whole stream. `heard` is set when it has heard as much as the plan has the model say."""

    def __init__(self, tested: Harness, plan: Plan) -> None:
        self._tested = tested
        self._texts = list(plan.texts)
        self.said: list[str] = []
        self.heard = asyncio.Event()
        tested.plan(plan)

    async def read(self) -> None:
        async with self._tested.upstream.stream(REQUEST) as deltas:
            async for delta in deltas:
                self.said.append(delta.text)
                if self.said == self._texts:
                    self.heard.set()

    async def until_heard(self) -> None:
        await self._tested.until(lambda: self._tested.running == 1)
        if self._texts:
            await self.heard.wait()


@pytest.mark.parametrize("plan", [Plan(end="silent"), Plan(end="hang"), Plan(["Can"], end="hang")])
async def test_cancelling_the_reader_ends_the_request_at_the_model(tested: Harness, plan: Plan) -> None:
    reader = Reader(tested, plan)
    task = asyncio.create_task(reader.read())
    await reader.until_heard()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await tested.until(lambda: tested.running == 0)


@pytest.mark.parametrize("plan", [Plan(end="silent"), Plan(["Can"], end="hang")])
async def test_a_cancelled_scope_ends_the_request_at_the_model(tested: Harness, plan: Plan) -> None:
    """As the driver does it: every await in the way out of such a scope is cancelled again."""
    reader = Reader(tested, plan)
    scope = anyio.CancelScope()

    async def leg() -> None:
        with scope:
            await reader.read()

    async with anyio.create_task_group() as group:
        group.start_soon(leg)
        await reader.until_heard()
        scope.cancel()
    await tested.until(lambda: tested.running == 0)


async def test_leaving_in_the_middle_ends_the_request_at_the_model(tested: Harness) -> None:
    tested.plan(Plan(["Can"], end="hang"))
    async with tested.upstream.stream(REQUEST) as deltas:
        async for delta in deltas:
            assert delta.text == "Can"
            break
    await tested.until(lambda: tested.running == 0)


async def test_leaving_without_having_read_ends_the_request_at_the_model(tested: Harness) -> None:
    tested.plan(Plan(["Can"], end="hang"))
    async with tested.upstream.stream(REQUEST):
        pass
    await tested.until(lambda: tested.running == 0)


async def test_an_error_in_the_readers_own_hands_passes_and_ends_the_request(tested: Harness) -> None:
    tested.plan(Plan(["Can"], end="hang"))

    async def read() -> None:
        async with tested.upstream.stream(REQUEST) as deltas:
            async for _ in deltas:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await read()
    await tested.until(lambda: tested.running == 0)


async def test_of_many_cut_requests_none_stays(tested: Harness) -> None:
    tested.plan(Plan(["Can"], end="hang"))
    for _ in range(30):
        async with tested.upstream.stream(REQUEST) as deltas:
            async for _ in deltas:
                break
    await tested.until(lambda: tested.running == 0)


async def test_leaving_one_stream_leaves_the_other_alone(tested: Harness) -> None:
    tested.plan(Plan(["Can"], end="hang"))
    async with tested.upstream.stream(REQUEST) as kept:
        assert (await anext(kept)).text == "Can"
        async with tested.upstream.stream(REQUEST) as left:
            assert (await anext(left)).text == "Can"
        await tested.until(lambda: tested.running == 1)
    await tested.until(lambda: tested.running == 0)


async def test_only_upstream_errors_are_raised(tested: Harness) -> None:
    tested.plan(Plan(end="break"))
    with pytest.raises(UpstreamError):
        await collect(tested.upstream)

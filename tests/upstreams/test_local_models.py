"""The embedded upstream on the real small model."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from streamroute.core.types import Delta
from streamroute.errors import ModelFileError, UpstreamStatusError
from streamroute.models.store import path_of
from streamroute.upstreams.base import ChatRequest, Message
from streamroute.upstreams.local import LocalUpstream

pytestmark = pytest.mark.local_models

SYSTEM: Message = {"role": "system", "content": "You are a helpful assistant."}


MB = 1 << 20


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def ask(text: str) -> tuple[Message, ...]:
    return (SYSTEM, {"role": "user", "content": text})


@pytest.fixture(scope="module")
def gguf() -> Path:
    try:
        return path_of("smollm2-135m-instruct")
    except ModelFileError as error:
        pytest.skip(str(error))


@pytest.fixture
async def upstream(gguf: Path) -> AsyncIterator[LocalUpstream]:
    opened = LocalUpstream(gguf, name="small", context=1024, slots=1, probe_slots=5, grace=30.0)
    yield opened
    await opened.aclose()


async def collect(upstream: LocalUpstream, asked: ChatRequest) -> Sequence[Delta]:
    async with upstream.stream(asked) as deltas:
        return [delta async for delta in deltas]


async def test_it_answers_and_counts_its_tokens(upstream: LocalUpstream) -> None:
    question = ChatRequest(messages=ask("What is the capital of France?"), params={"temperature": 0, "max_tokens": 24})
    deltas = await collect(upstream, question)
    assert "Paris" in "".join(delta.text for delta in deltas)
    assert [delta.finish_reason for delta in deltas if delta.finish_reason] == ["stop"]
    usage = deltas[-1].usage
    assert usage is not None
    assert usage.counted
    assert usage.completion_tokens >= sum(bool(delta.text) for delta in deltas)


async def test_probes_of_one_request_differ_and_carry_log_probabilities(upstream: LocalUpstream) -> None:
    params = {"temperature": 1.0, "max_tokens": 16, "logprobs": True, "top_logprobs": 2, "seed": 1}
    deltas = await collect(upstream, ChatRequest(messages=ask("Name an animal."), params=params, n=5, probe=True))
    texts = {"".join(delta.text for delta in deltas if delta.index == index) for index in range(5)}
    assert len(texts) > 1
    told = [token for delta in deltas for token in delta.logprobs]
    assert all(token.logprob <= 0 and len(token.top) == 2 for token in told)
    assert deltas[-1].usage is not None


async def test_prompts_that_were_answered_are_not_kept_in_memory(upstream: LocalUpstream) -> None:
    async def answered(number: int) -> None:
        text = " ".join(f"{number + i} apples and {number * i} pears." for i in range(40))
        await collect(upstream, ChatRequest(messages=ask(text), params={"max_tokens": 1}))

    await answered(0)
    before = resident()
    for number in range(1, 12):
        await answered(number)
    assert resident() - before < 40 * MB  # each of these prompts is some 10 MB of keys and values


async def test_a_request_left_at_its_first_token_frees_the_only_slot(upstream: LocalUpstream) -> None:
    endless = ChatRequest(messages=ask("Tell me a story."), params={"max_tokens": 900, "ignore_eos": True})
    async with upstream.stream(endless) as deltas:
        await anext(deltas)
    assert upstream.running == 0
    short = ChatRequest(messages=ask("Hello."), params={"max_tokens": 2})
    assert (await collect(upstream, short))[-1].usage is not None


async def test_a_request_left_while_its_prompt_is_read_frees_the_only_slot(upstream: LocalUpstream) -> None:
    await upstream.start()
    long = ChatRequest(messages=ask("word " * 800), params={"max_tokens": 100})
    async with upstream.stream(long):
        pass
    assert upstream.running == 0
    short = ChatRequest(messages=ask("Hello."), params={"max_tokens": 2})
    assert (await collect(upstream, short))[-1].usage is not None


async def test_a_prompt_longer_than_the_context_is_refused_by_name(upstream: LocalUpstream) -> None:
    with pytest.raises(UpstreamStatusError, match=r"small: .*exceeds the available context size") as caught:
        await collect(upstream, ChatRequest(messages=ask("word " * 1100)))
    assert caught.value.status == 400

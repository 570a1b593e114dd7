"""The unmodified OpenAI client, a gateway composed from a configuration, and two recording model servers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.gateway.served import QUESTION, RIGHT, WRONG, virtually
from tests.gateway.two_tiers import ModelServer, Stage, staged
from tests.support.upstream_server import Reply

AGREES, DISAGREES = Reply.of(WRONG, first=0.05), Reply.of("I wonder.", first=0.05)


@asynccontextmanager
async def asked(probe: Reply, large: Reply | None = None) -> AsyncGenerator[tuple[Stage, AsyncOpenAI]]:
    """The cheap model says the wrong thing, with probes that do or do not agree; the large one the right thing."""
    cheap = ModelServer(Reply.of(WRONG, first=0.05, gap=0.01), probe)
    right = Reply.of(RIGHT, first=0.2, gap=0.01)
    async with (
        staged(cheap, ModelServer(large or right)) as stage,
        AsyncOpenAI(base_url=f"{stage.url}/v1", api_key="any", max_retries=0) as client,
    ):
        yield stage, client


async def streamed(client: AsyncOpenAI, **fields: Any) -> tuple[str, list[Any]]:
    options: Any = {"include_usage": True}
    messages: Any = QUESTION
    stream = await client.chat.completions.create(
        model="auto", messages=messages, stream=True, stream_options=options, **fields
    )
    chunks = [chunk async for chunk in stream]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), chunks


def test_a_kept_answer_with_usage() -> None:
    async def main() -> None:
        async with asked(AGREES) as (stage, client):
            text, chunks = await streamed(client)
            assert text == WRONG
            assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (10, 5)
            assert [seen.body["model"] for seen in stage.cheap.seen] == ["small-1"] * 4
            assert not stage.large.seen

    virtually(main)


def test_an_escalated_answer_with_usage() -> None:
    async def main() -> None:
        async with asked(DISAGREES) as (stage, client):
            text, chunks = await streamed(client)
            assert text == RIGHT
            assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (10, 5)
            assert [leg["model"] for leg in chunks[-1].streamroute["legs"]] == ["small-1"] * 4 + ["large-1"]
            assert [seen.body["model"] for seen in stage.large.seen] == ["large-1"]
            assert stage.large.seen[0].body["messages"] == QUESTION

    virtually(main)


def test_an_escalated_answer_that_was_shown_is_retracted_first() -> None:
    async def main() -> None:
        async with asked(DISAGREES) as (_, client):
            text, chunks = await streamed(client, extra_body={"streamroute": {"release": "retract"}})
            assert text == WRONG + RIGHT
            events = [chunk.streamroute["event"] for chunk in chunks[:-1] if "streamroute" in (chunk.model_extra or {})]
            assert events == ["retracted", "committed"]

    virtually(main)


def test_an_unstreamed_answer() -> None:
    async def main() -> None:
        async with asked(DISAGREES) as (stage, client):
            messages: Any = QUESTION
            completion = await client.chat.completions.create(model="auto", messages=messages)
            assert completion.choices[0].message.content == RIGHT
            assert completion.usage is not None
            assert completion.usage.total_tokens == 15
            assert all(seen.body["stream"] for seen in stage.seen)  # asked to stream: closing such a request ends it

    virtually(main)


def test_an_upstream_that_dies_in_the_middle_of_a_committed_answer_is_an_error_to_the_client() -> None:
    async def main() -> None:
        async with asked(DISAGREES, Reply([(0.1, "It is")], end="abort")) as (stage, client):
            with pytest.raises(openai.APIError, match="large"):
                await streamed(client)
            await stage.quiet()

    virtually(main)


def test_upstreams_that_refuse_are_named_with_what_they_said() -> None:
    async def main() -> None:
        refusing = Reply.error(429, "too fast")
        async with staged(ModelServer(refusing), ModelServer(refusing)) as stage:
            async with AsyncOpenAI(base_url=f"{stage.url}/v1", api_key="any", max_retries=0) as client:
                with pytest.raises(openai.RateLimitError) as caught:
                    await streamed(client)
            assert caught.value.status_code == 429
            assert "cheap: " in caught.value.message
            assert "large: HTTP 429: too fast" in caught.value.message
            await stage.quiet()

    virtually(main)

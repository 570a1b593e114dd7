"""`litellm` as a client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import litellm
import pytest

from tests.clients.asking import RIGHT, SHOWN, TOOL, WHOLE, City, asking
from tests.clients.conftest import Gateway


@pytest.fixture
def how(gateway: Gateway) -> dict[str, Any]:
    return {"api_base": gateway.base, "api_key": gateway.key, "num_retries": 0, "max_retries": 0}


@pytest.mark.parametrize(("route", "question", "text"), SHOWN)
def test_streams(how: dict[str, Any], route: str, question: str, text: str) -> None:
    chunks = list(litellm.completion(model=f"openai/{route}", messages=asking(question), stream=True, **how))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(("route", "question", "text"), WHOLE)
def test_answers_whole(how: dict[str, Any], route: str, question: str, text: str) -> None:
    reply = litellm.completion(model=f"openai/{route}", messages=asking(question), **how)
    assert reply.choices[0].message.content == text
    assert reply.usage.total_tokens == 15


def test_asks_asynchronously(how: dict[str, Any]) -> None:
    async def main() -> None:
        reply = await litellm.acompletion(model="openai/auto", messages=asking("Capital?"), **how)
        assert reply.choices[0].message.content == RIGHT
        stream = await litellm.acompletion(model="openai/auto", messages=asking("Capital?"), stream=True, **how)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == RIGHT

    asyncio.run(main())


@pytest.mark.parametrize("streamed", [False, True])
def test_calls_tools(how: dict[str, Any], streamed: bool) -> None:
    messages = asking("The weather in both cities?")
    reply = litellm.completion(model="openai/auto", messages=messages, tools=[TOOL], stream=streamed, **how)
    if streamed:
        reply = litellm.stream_chunk_builder(list(reply), messages=messages)
    calls = reply.choices[0].message.tool_calls
    assert reply.choices[0].finish_reason == "tool_calls"
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Canberra"}] * 2


def test_structured_outputs(how: dict[str, Any]) -> None:
    reply = litellm.completion(model="openai/auto", messages=asking("Capital?"), response_format=City, **how)
    assert City.model_validate_json(reply.choices[0].message.content) == City(name="Canberra", people=21)


def test_an_error_in_the_middle_is_an_exception(how: dict[str, Any]) -> None:
    with pytest.raises(litellm.exceptions.MidStreamFallbackError, match="broke off"):
        list(litellm.completion(model="openai/auto", messages=asking("Capital? break"), stream=True, **how))


def test_errors_have_their_classes(how: dict[str, Any]) -> None:
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(model="openai/none", messages=asking("x"), **how)
    with pytest.raises(litellm.AuthenticationError):
        litellm.completion(model="openai/auto", messages=asking("x"), **{**how, "api_key": "wrong"})

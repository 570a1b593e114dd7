"""LangChain's `ChatOpenAI`."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.clients.asking import FINISHED_TOOL, RIGHT, SHOWN, TOOL, WHOLE, City
from tests.clients.conftest import Gateway


def chat(gateway: Gateway, route: str = "auto", **fields: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model=route, base_url=gateway.base, api_key=SecretStr(gateway.key), max_retries=0, stream_usage=True, **fields
    )


@pytest.mark.parametrize(("route", "question", "text"), SHOWN)
def test_streams(gateway: Gateway, route: str, question: str, text: str) -> None:
    whole = AIMessageChunk(content="")
    for chunk in chat(gateway, route).stream(question):
        assert isinstance(chunk, AIMessageChunk)
        whole += chunk
    assert whole.content == text
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] > 0


@pytest.mark.parametrize(("route", "question", "text"), WHOLE)
def test_invokes(gateway: Gateway, route: str, question: str, text: str) -> None:
    message = chat(gateway, route).invoke(question)
    assert message.content == text
    assert message.usage_metadata is not None
    assert message.usage_metadata["total_tokens"] == 15
    assert message.response_metadata["finish_reason"] == "stop"


def test_asks_asynchronously(gateway: Gateway) -> None:
    async def main() -> None:
        assert (await chat(gateway).ainvoke("Capital?")).content == RIGHT
        assert "".join([str(chunk.content) async for chunk in chat(gateway).astream("Capital?")]) == RIGHT

    asyncio.run(main())


def test_tools_are_bound_called_and_answered(gateway: Gateway) -> None:
    bound = chat(gateway).bind_tools([TOOL])
    message = bound.invoke("The weather in both cities?")
    streamed = AIMessageChunk(content="")
    for chunk in bound.stream("The weather in both cities?"):
        assert isinstance(chunk, AIMessageChunk)
        streamed += chunk
    for said in (message, streamed):
        assert [(call["name"], call["args"]) for call in said.tool_calls] == [("weather", {"city": "Canberra"})] * 2
    told = [ToolMessage("21", tool_call_id=str(call["id"])) for call in message.tool_calls]
    assert bound.invoke([HumanMessage("The weather?"), message, *told]).content == FINISHED_TOOL


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(gateway: Gateway, method: Any) -> None:
    structured = chat(gateway).with_structured_output(City, method=method)
    assert structured.invoke("Capital?") == City(name="Canberra", people=21)
    assert list(structured.stream("Capital?"))[-1] == City(name="Canberra", people=21)


def test_log_probabilities(gateway: Gateway) -> None:
    message = chat(gateway, logprobs=True).invoke("Capital?")
    assert "".join(each["token"] for each in message.response_metadata["logprobs"]["content"]) == RIGHT


def test_an_error_in_the_middle_is_an_exception(gateway: Gateway) -> None:
    with pytest.raises(openai.APIError, match="broke off"):
        list(chat(gateway).stream("Capital? break"))

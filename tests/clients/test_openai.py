"""The `openai` package, as it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionChunk

from tests.clients.asking import FINISHED_TOOL, RIGHT, SHOWN, TOOL, WHOLE, City, asking
from tests.clients.conftest import Gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=gateway.base, api_key=gateway.key, max_retries=0) as client:
        yield client


@pytest.mark.parametrize(("route", "question", "text"), SHOWN)
def test_streams(client: OpenAI, route: str, question: str, text: str) -> None:
    chunks = list(client.chat.completions.create(model=route, messages=asking(question), stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(type(chunk).model_validate(chunk.model_dump(mode="json")) for chunk in chunks)


@pytest.mark.parametrize(("route", "question", "text"), WHOLE)
def test_answers_whole(client: OpenAI, route: str, question: str, text: str) -> None:
    reply = client.chat.completions.create(model=route, messages=asking(question))
    message = reply.choices[0].message
    assert (message.content, message.refusal, message.role) == (text, None, "assistant")
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert type(reply).model_validate(reply.model_dump(mode="json"))


@pytest.mark.parametrize(("route", "question", "text"), SHOWN)
def test_the_streaming_helper_collects_the_answer(client: OpenAI, route: str, question: str, text: str) -> None:
    with client.chat.completions.stream(
        model=route, messages=asking(question), stream_options={"include_usage": True}
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == text
    assert final.choices[0].finish_reason == "stop"
    assert final.usage is not None
    assert final.usage.completion_tokens > 0


def test_the_async_client_streams_answers_and_helps(gateway: Gateway) -> None:
    async def main() -> None:
        async with AsyncOpenAI(base_url=gateway.base, api_key=gateway.key, max_retries=0) as client:
            for route, question, text in (case.values for case in SHOWN):
                chunks = await client.chat.completions.create(
                    model=str(route), messages=asking(str(question)), stream=True
                )
                said = [chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices]
                assert "".join(said) == text
            reply = await client.chat.completions.create(model="auto", messages=asking("Capital?"))
            assert reply.choices[0].message.content == RIGHT
            async with client.chat.completions.stream(model="auto", messages=asking("Capital?")) as stream:
                assert (await stream.get_final_completion()).choices[0].message.content == RIGHT

    asyncio.run(main())


@pytest.mark.parametrize("question", ["Capital of Australia?", "Capital of Australia? doubt"])
def test_structured_outputs_are_parsed(client: OpenAI, question: str) -> None:
    reply = client.chat.completions.parse(model="auto", messages=asking(question), response_format=City)
    assert reply.choices[0].message.parsed == City(name="Canberra", people=21)
    with client.chat.completions.stream(model="auto", messages=asking(question), response_format=City) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == City(name="Canberra", people=21)


def test_tool_calls_are_put_together_and_their_results_taken(client: OpenAI) -> None:
    messages = asking("The weather in both cities?")
    with client.chat.completions.stream(model="auto", messages=messages, tools=[TOOL]) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    assert {"tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"} <= kinds
    whole = client.chat.completions.create(model="auto", messages=messages, tools=[TOOL], parallel_tool_calls=True)
    assert whole.choices[0].finish_reason == "tool_calls"
    assert whole.choices[0].message.content is None
    for calls in (message.tool_calls, whole.choices[0].message.tool_calls):
        assert calls is not None
        assert [call.id for call in calls] == ["call_0", "call_1"]
        assert [json.loads(call.function.arguments) for call in calls if call.type == "function"] == [
            {"city": "Canberra"}
        ] * 2
    messages += [whole.choices[0].message.model_dump(exclude_none=True)]
    messages += [{"role": "tool", "tool_call_id": f"call_{i}", "content": "21"} for i in range(2)]
    told = client.chat.completions.create(model="auto", messages=messages, tools=[TOOL])
    assert told.choices[0].message.content == FINISHED_TOOL


@pytest.mark.parametrize("streamed", [False, True])
def test_log_probabilities_are_told(client: OpenAI, streamed: bool) -> None:
    asked: dict[str, Any] = {"model": "auto", "messages": asking("Capital?"), "logprobs": True, "top_logprobs": 1}
    if streamed:
        chunks = [chunk for chunk in client.chat.completions.create(**asked, stream=True) if chunk.choices]
        told = [t for c in chunks if c.choices[0].logprobs for t in c.choices[0].logprobs.content or ()]
    else:
        logprobs = client.chat.completions.create(**asked).choices[0].logprobs
        told = logprobs.content or [] if logprobs else []
    assert "".join(each.token for each in told) == RIGHT
    assert told[0].top_logprobs[0].bytes == list(b"It")


def test_several_choices_are_given(client: OpenAI) -> None:
    reply = client.chat.completions.create(model="auto", messages=asking("Capital?"), n=3)
    assert [(choice.index, choice.message.content) for choice in reply.choices] == [(i, RIGHT) for i in range(3)]
    stream = client.chat.completions.create(model="auto", messages=asking("Capital?"), n=2, stream=True)
    assert {choice.index for chunk in stream for choice in chunk.choices if choice.finish_reason} == {0, 1}


def test_every_parameter_is_taken(client: OpenAI) -> None:
    picture = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    messages: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": picture, "name": "someone"},
    ]
    params: dict[str, Any] = {
        "stop": ["\n\n"],
        "seed": 7,
        "max_completion_tokens": 20,
        "temperature": 0.5,
        "top_p": 0.9,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.1,
        "logit_bias": {"50256": -100},
        "metadata": {"purpose": "test"},
        "store": False,
        "service_tier": "auto",
        "reasoning_effort": "low",
        "verbosity": "low",
        "prediction": {"type": "content", "content": "It is Canberra."},
        "user": "somebody",
        "safety_identifier": "somebody",
        "prompt_cache_key": "k",
    }
    reply = client.chat.completions.create(model="auto", messages=messages, **params)
    assert reply.choices[0].message.content == RIGHT


def test_usage_comes_last_when_asked_for(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="auto", messages=asking("Capital?"), stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (10, 5)
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_raw_responses_bear_the_headers(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=asking("Capital? doubt"))
    assert raw.headers["x-streamroute-tier"] == "large"
    assert raw.headers["x-streamroute-decision"] == "escalate"
    assert raw.headers["x-request-id"]
    assert raw.parse().choices[0].message.content == RIGHT
    with client.chat.completions.with_streaming_response.create(
        model="auto", messages=asking("Capital?"), stream=True
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert list(response.iter_lines())[-1] in ("data: [DONE]", "")


def test_an_error_in_the_middle_is_an_exception(client: OpenAI) -> None:
    chunks: list[ChatCompletionChunk] = []
    stream = client.chat.completions.create(model="auto", messages=asking("Capital? break"), stream=True)
    with pytest.raises(openai.APIError, match="broke off") as caught:
        chunks.extend(stream)  # what came before the error is kept
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said
    assert RIGHT.startswith(said)
    assert caught.value.code == "answer_broke_off"
    with (
        pytest.raises(openai.APIError),
        client.chat.completions.stream(model="auto", messages=asking("Capital? break")) as helped,
    ):
        helped.get_final_completion()


def test_errors_have_their_classes(gateway: Gateway, client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="none", messages=asking("x"))
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="auto", messages=[])
    assert (bad.value.param, bad.value.type) == ("messages", "invalid_request_error")
    assert bad.value.request_id
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()


def test_a_request_that_fails_once_is_tried_again(gateway: Gateway) -> None:
    with OpenAI(base_url=gateway.base, api_key=gateway.key, max_retries=2) as client:
        reply = client.chat.completions.create(model="large", messages=asking("flaky openai"))
    assert reply.choices[0].message.content == RIGHT


def test_models_are_listed_and_found(client: OpenAI) -> None:
    assert {"auto", "shown", "cheap", "large"} <= {model.id for model in client.models.list()}
    assert client.models.retrieve("auto").id == "auto"


def test_embeddings_and_completions_pass_through(client: OpenAI, paths: set[str]) -> None:
    if not {"/v1/embeddings", "/v1/completions"} <= paths:
        pytest.skip("this gateway has no such paths")
    found = client.embeddings.create(model="cheap", input=["a", "b"], encoding_format="float")
    assert [each.embedding for each in found.data] == [[0.25, -0.5]] * 2
    assert client.completions.create(model="cheap", prompt="Capital?").choices[0].text == RIGHT
    stream = client.completions.create(model="cheap", prompt="Capital?", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream if chunk.choices) == RIGHT

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from streamroute.core.types import Delta, TokenLogprob, Usage
from streamroute.wire.openai import (
    Choice,
    ChoiceCollector,
    ChunkEncoder,
    StreamedAnswer,
    WholeAnswer,
    encode_completion,
    encode_error,
    encode_models,
)
from streamroute.wire.sse import DONE_EVENT, SSEDecoder

CALLS = b'[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]'
LOGPROBS = (TokenLogprob("é", -0.25, (("é", -0.25), ("e", -2.0))),)


def encoder(*, logprobs: bool = False) -> ChunkEncoder:
    return ChunkEncoder(id="chatcmpl-1", created=1_700_000_000, model="auto", logprobs=logprobs)


def document(event: bytes) -> dict[str, Any]:
    (decoded,) = SSEDecoder().feed(event)
    # The stock client must be able to read it, strictly.
    ChatCompletionChunk.model_validate_json(decoded.data, strict=True)
    parsed: dict[str, Any] = json.loads(decoded.data)
    return parsed


def test_a_delta_is_a_chunk_that_stock_clients_read() -> None:
    assert document(encoder().delta(Delta("Hi"))) == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "auto",
        "choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": None, "finish_reason": None}],
    }


def test_the_opening_names_the_role_and_says_nothing() -> None:
    opening = encoder().opening(1)
    assert document(opening)["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert StreamedAnswer(n=2).feed(opening) == []


def test_log_probabilities_go_only_to_those_who_asked() -> None:
    delta = Delta("é", logprobs=LOGPROBS)
    assert document(encoder().delta(delta))["choices"][0]["logprobs"] is None
    assert document(encoder(logprobs=True).delta(delta))["choices"][0]["logprobs"] == {
        "content": [
            {
                "token": "é",
                "logprob": -0.25,
                "bytes": [195, 169],
                "top_logprobs": [
                    {"token": "é", "logprob": -0.25, "bytes": [195, 169]},
                    {"token": "e", "logprob": -2.0, "bytes": [101]},
                ],
            }
        ],
        "refusal": None,
    }


def test_a_note_is_a_chunk_that_stock_clients_skip() -> None:
    note = encoder().note({"event": "retracted", "tier": "small"})
    parsed = document(note)
    assert parsed["streamroute"] == {"event": "retracted", "tier": "small"}
    assert parsed["choices"][0]["delta"] == {}
    assert StreamedAnswer().feed(note) == []


def test_usage_stands_in_a_chunk_without_choices() -> None:
    parsed = document(encoder().usage(Usage(3, 4), {"legs": []}))
    assert parsed["choices"] == []
    assert parsed["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert parsed["streamroute"] == {"legs": []}


DELTAS = st.builds(
    Delta,
    text=st.text(max_size=10),
    index=st.integers(0, 2),
    logprobs=st.sampled_from([(), LOGPROBS]),
    tool_calls=st.sampled_from([None, CALLS]),
    refusal=st.none() | st.text(min_size=1, max_size=5),
    finish_reason=st.sampled_from([None, "stop", "tool_calls"]),
)


@given(st.lists(DELTAS, max_size=10))
def test_what_the_server_writes_the_client_reads(deltas: list[Delta]) -> None:
    write = encoder(logprobs=True)
    answer = StreamedAnswer(n=3)
    read = answer.feed(b"".join(map(write.delta, deltas)) + DONE_EVENT)
    assert answer.error is None
    assert read == [d for d in deltas if d.has_content or d.logprobs or d.finish_reason is not None]


@given(st.lists(DELTAS, max_size=10))
def test_a_collected_stream_is_the_whole_reply(deltas: list[Delta]) -> None:
    collector = ChoiceCollector()
    deltas = [Delta("I", 0), Delta("I", 1), Delta("I", 2), *deltas]
    for delta in deltas:
        collector.add(delta)
    choices = collector.choices()
    body = encode_completion(
        id="c", created=1, model="auto", choices=choices, usage=Usage(1, 2), fields={"tier": "small"}, logprobs=True
    )
    ChatCompletion.model_validate_json(body, strict=True)
    assert json.loads(body)["streamroute"] == {"tier": "small"}
    whole = WholeAnswer(n=3)
    whole.feed(body)
    for delta in whole.eof():
        mine = [d for d in deltas if d.index == delta.index]
        assert delta.text == "".join(d.text for d in mine)
        assert (delta.refusal or "") == "".join(d.refusal or "" for d in mine)
        assert delta.logprobs == tuple(logprob for d in mine for logprob in d.logprobs)


def test_a_message_without_text_has_null_content_where_it_says_something_else() -> None:
    def content(choice: Choice) -> Any:
        return json.loads(encode_completion(id="c", created=1, model="m", choices=[choice]))["choices"][0]["message"]

    assert content(Choice(0, tool_calls=CALLS)) == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": json.loads(CALLS),
    }
    assert content(Choice(0, refusal="no")) == {"role": "assistant", "content": None, "refusal": "no"}
    assert content(Choice(0)) == {"role": "assistant", "content": "", "refusal": None}


def test_an_error_has_the_shape_of_openai() -> None:
    body = encode_error("no model x", type="invalid_request_error", param="model", code="model_not_found")
    assert json.loads(body) == {
        "error": {"message": "no model x", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}
    }
    assert json.loads(encode_error("e", type="t", fields={"legs": 1}))["streamroute"] == {"legs": 1}


def test_models_are_listed() -> None:
    assert json.loads(encode_models(["auto", "large"], created=7)) == {
        "object": "list",
        "data": [
            {"id": "auto", "object": "model", "created": 7, "owned_by": "streamroute"},
            {"id": "large", "object": "model", "created": 7, "owned_by": "streamroute"},
        ],
    }

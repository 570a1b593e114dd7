from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.types import Delta, TokenLogprob, Usage
from streamroute.errors import UpstreamError, UpstreamProtocolError, UpstreamStatusError
from streamroute.upstreams.base import ChatRequest
from streamroute.upstreams.local_chunks import ChunkReader, request_body
from tests.upstreams.scripted_llama import chunk, role, usage

QUESTION = ({"role": "user", "content": "Is it?"},)


def read(*chunks: Any, first: int = 0) -> list[Delta]:
    reader = ChunkReader("small", first=first)
    return [delta for item in chunks for delta in reader.read(item)]


def test_a_body_passes_the_parameters_on_and_always_streams() -> None:
    params = {"temperature": 0.5, "top_p": 0.9, "stop": ["\n"], "seed": 3, "max_tokens": 9, "stream": False, "n": 7}
    body = request_body(ChatRequest(messages=QUESTION, params=params), 2)
    assert {key: body[key] for key in ("temperature", "top_p", "stop", "seed", "max_tokens")} == {
        key: params[key] for key in ("temperature", "top_p", "stop", "seed", "max_tokens")
    }
    assert (body["stream"], body["n"], body["stream_options"]) == (True, 2, {"include_usage": True})
    assert body["messages"] == list(QUESTION)


def test_the_newer_name_of_the_token_limit_is_understood_and_nulls_are_left_out() -> None:
    body = request_body(ChatRequest(messages=QUESTION, params={"max_completion_tokens": 5, "stop": None}), 1)
    assert body["max_tokens"] == 5
    assert "stop" not in body
    assert "max_completion_tokens" not in body


def test_later_choices_of_a_request_get_later_seeds() -> None:
    asked = ChatRequest(messages=QUESTION, params={"seed": 10})
    assert request_body(asked, 4, first=8)["seed"] == 18
    assert "seed" not in request_body(ChatRequest(messages=QUESTION), 4, first=8)


def test_chunks_that_carry_nothing_give_no_delta() -> None:
    progress = role() | {"prompt_progress": {"total": 90, "processed": 64}}
    assert read(role(), progress, chunk(""), usage(3, 4)) == []


def test_text_finish_reason_and_index_come_through() -> None:
    assert read(chunk("a", index=1), chunk(index=1, finish="length"), first=8) == [
        Delta("a", index=9),
        Delta(index=9, finish_reason="length"),
    ]


def test_log_probabilities_come_with_their_alternatives_and_without_the_end_token() -> None:
    told = {
        "content": [
            {"token": "Paris", "logprob": -0.1, "top_logprobs": [{"token": "Lyon", "logprob": -3}]},
            {"token": "", "logprob": -0.5, "top_logprobs": []},
        ]
    }
    (delta,) = read(chunk("Paris", logprobs=told))
    assert delta.logprobs == (TokenLogprob("Paris", -0.1, (("Lyon", -3.0),)),)


def test_tool_calls_are_passed_on_as_raw_json() -> None:
    (delta,) = read({"choices": [{"index": 0, "delta": {"tool_calls": [{"id": "é"}]}, "finish_reason": None}]})
    assert delta.tool_calls == '[{"id": "é"}]'.encode()
    assert delta.has_content


def test_usage_of_several_choices_counts_their_prompt_once() -> None:
    reader = ChunkReader("small")
    for item in (usage(30, 4), usage(30, 5)):
        assert list(reader.read(item)) == []
    assert reader.usage == Usage(30, 9)


def test_finished_choices_are_counted() -> None:
    reader = ChunkReader("small")
    for item in (chunk("a"), chunk(finish="stop"), chunk("b", index=1)):
        list(reader.read(item))
    assert reader.finished == 1


@pytest.mark.parametrize(
    ("error", "status", "complaint"),
    [
        ({"code": 400, "message": "request exceeds the context"}, 400, "small: request exceeds the context"),
        ({"code": "odd", "message": "m"}, 500, "small: m"),
        ("plain words", 500, "small: plain words"),
    ],
)
def test_an_error_chunk_names_upstream_status_and_message(error: Any, status: int, complaint: str) -> None:
    with pytest.raises(UpstreamStatusError, match=complaint) as caught:
        read({"error": error})
    assert caught.value.status == status


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        {"choices": [{}]},
        {"choices": [{"index": 0}]},
        {"choices": [], "usage": {"prompt_tokens": 1}},
        chunk("a", logprobs={"content": [{"token": "a", "logprob": "high"}]}),
    ],
)
def test_what_is_no_chunk_is_a_protocol_error_that_shows_it(broken: Any) -> None:
    with pytest.raises(UpstreamProtocolError, match="not a chat-completion chunk"):
        read(broken)


KEYS = ["choices", "error", "usage", "delta", "index", "content"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "error", "usage", "delta", "index", "content"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_read_or_refused_as_an_upstream_error(value: Any) -> None:
    try:
        deltas = read(value)
    except UpstreamError:
        return
    assert all(isinstance(delta, Delta) for delta in deltas)

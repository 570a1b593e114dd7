from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.types import Release
from streamroute.errors import BadRequestError
from streamroute.wire.openai import ClientRequest, RouteOptions, decode_request, request_body

USER = {"role": "user", "content": "hi"}


def decode(**fields: Any) -> ClientRequest:
    return decode_request(json.dumps({"model": "m", "messages": [USER], **fields}).encode())


def refused(body: bytes) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        decode_request(body)
    return caught.value


def refused_field(**fields: Any) -> BadRequestError:
    return refused(json.dumps({"model": "m", "messages": [USER], **fields}).encode())


def test_the_smallest_request() -> None:
    asked = {"model": "m", "messages": [USER]}
    assert decode() == ClientRequest(model="m", messages=(USER,), params={}, document=asked)


def test_what_we_read_is_taken_out_and_everything_else_passes_untouched() -> None:
    others = {
        "temperature": 0.5,
        "tools": [{"type": "function"}],
        "stop": ["a"],
        "reasoning_effort": "low",
        "x": {"y": [1]},
    }
    request = decode(
        stream=True,
        stream_options={"include_usage": True, "other": 1},
        n=3,
        streamroute={"release": "retract", "judge": False, "tier": "large"},
        **others,
    )
    assert request.params == others
    assert (request.stream, request.include_usage, request.n) == (True, True, 3)
    assert request.options == RouteOptions(release=Release.RETRACT, judge=False, tier="large")


def test_null_is_as_good_as_absent() -> None:
    request = decode(stream=None, stream_options=None, n=None, streamroute=None, temperature=None, tools=None)
    assert (request.stream, request.include_usage, request.n) == (False, False, 1)
    assert request.options == RouteOptions()


def test_messages_keep_fields_that_nobody_here_knows() -> None:
    messages = [
        {"role": "system", "content": "be brief", "name": "boss"},
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {}}]},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        {"role": "assistant", "content": ""},
    ]
    assert decode(messages=messages).messages == tuple(messages)


@pytest.mark.parametrize(
    ("part", "media"),
    [
        ({"type": "text", "text": "hi"}, False),
        ({"type": "image_url", "image_url": {"url": "data:"}}, True),
        ({"type": "input_audio", "input_audio": {}}, True),
    ],
)
def test_media_is_noticed(part: dict[str, Any], media: bool) -> None:
    assert decode(messages=[{"role": "user", "content": [part]}]).has_media is media
    assert not decode().has_media


@pytest.mark.parametrize("body", [b"", b"{", b'{"model": "m"', b"{'model': 1}", b"\xff", b'{"a":' * 5000, b"nope"])
def test_malformed_json_is_called_that(body: bytes) -> None:
    error = refused(body)
    assert "not valid JSON" in str(error)
    assert (error.param, error.code) == (None, "invalid_json")


@pytest.mark.parametrize("body", [b"[]", b"3", b'"x"', b"null"])
def test_a_body_must_be_an_object(body: bytes) -> None:
    error = refused(body)
    assert str(error) == "the body must be a JSON object"
    assert (error.param, error.code) == (None, "invalid_type")


@pytest.mark.parametrize(
    ("fields", "param", "code", "message"),
    [
        ({"model": None}, "model", "invalid_type", "model: expected string, got null"),
        ({"model": ""}, "model", "invalid_value", "model: expected string of length >= 1"),
        ({"messages": None}, "messages", "invalid_type", "messages: expected array, got null"),
        ({"messages": "hi"}, "messages", "invalid_type", "messages: expected array, got string"),
        ({"messages": []}, "messages", "invalid_value", "messages: expected array of length >= 1"),
        ({"messages": ["hi"]}, "messages[0]", "invalid_type", "messages[0]: expected object, got string"),
        ({"messages": [{"content": "a"}]}, "messages[0].role", "missing_field", "messages[0].role is missing"),
        (
            {"messages": [USER, {"role": "boss", "content": "a"}]},
            "messages[1].role",
            "invalid_value",
            "messages[1].role must be one of system, developer, user, assistant, tool, function",
        ),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "empty_content", "messages[0].content is missing"),
        (
            {"messages": [{"role": "user", "content": None}]},
            "messages[0].content",
            "empty_content",
            "messages[0].content is missing",
        ),
        (
            {"messages": [USER, {"role": "user", "content": " \n"}]},
            "messages[1].content",
            "empty_content",
            "messages[1].content must not be empty",
        ),
        (
            {"messages": [{"role": "user", "content": []}]},
            "messages[0].content",
            "empty_content",
            "messages[0].content must not be empty",
        ),
        (
            {"messages": [{"role": "user", "content": 7}]},
            "messages[0].content",
            "invalid_type",
            "messages[0].content: expected string or array or null, got integer",
        ),
        (
            {"messages": [{"role": "user", "content": [{"text": "a"}]}]},
            "messages[0].content[0].type",
            "missing_field",
            "messages[0].content[0].type is missing",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
            "missing_field",
            "messages[0].content[0].text is missing",
        ),
        ({"stream": "yes"}, "stream", "invalid_type", "stream: expected boolean or null, got string"),
        ({"stop": 1}, "stop", "invalid_type", "stop: expected string or array or null, got integer"),
        (
            {"stream_options": True},
            "stream_options",
            "invalid_type",
            "stream_options: expected object or null, got boolean",
        ),
        ({"n": 0}, "n", "invalid_value", "n: expected integer >= 1"),
        ({"n": 1.5}, "n", "invalid_type", "n: expected integer or null, got number"),
        ({"temperature": "hot"}, "temperature", "invalid_type", "temperature: expected number or null, got string"),
        ({"max_tokens": "9"}, "max_tokens", "invalid_type", "max_tokens: expected integer or null, got string"),
        ({"tools": {}}, "tools", "invalid_type", "tools: expected array or null, got object"),
        (
            {"streamroute": {"release": "now"}},
            "streamroute.release",
            "invalid_value",
            "streamroute.release must be one of hold, retract, append, continue, auto",
        ),
        (
            {"streamroute": {"relase": 1}},
            "streamroute.relase",
            "unknown_field",
            "streamroute.relase is not a known field",
        ),
        (
            {"streamroute": {"judge": "no"}},
            "streamroute.judge",
            "invalid_type",
            "streamroute.judge: expected boolean or null, got string",
        ),
        ({"streamroute": 1}, "streamroute", "invalid_type", "streamroute: expected object or null, got integer"),
    ],
)
def test_a_bad_field_is_named_with_what_is_wrong(fields: dict[str, Any], param: str, code: str, message: str) -> None:
    error = refused_field(**fields)
    assert (error.param, error.code, str(error)) == (param, code, message)


@pytest.mark.parametrize("field", ["model", "messages"])
def test_what_is_missing_is_named(field: str) -> None:
    body = {"model": "m", "messages": [USER]}
    del body[field]
    error = refused(json.dumps(body).encode())
    assert (error.param, error.code, str(error)) == (field, "missing_field", f"{field} is missing")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELD = st.sampled_from(
    ["model", "messages", "stream", "stream_options", "n", "streamroute", "stop", "logit_bias", "x"]
)


@given(st.dictionaries(FIELD, JSON, max_size=4), st.lists(st.dictionaries(st.sampled_from(["role", "content"]), JSON)))
def test_no_document_gets_anything_but_an_answer_or_a_bad_request(fields: dict[str, Any], messages: list[Any]) -> None:
    body = {"model": "m", "messages": [USER, *messages], **fields}
    request: ClientRequest | None
    try:
        request = decode_request(json.dumps(body).encode())
    except BadRequestError as error:
        request, param = None, error.param
    if request is None:
        assert param, "the bad field must be named"
    else:
        assert list(request.messages) == body["messages"]
        assert all(body[field] == value for field, value in request.params.items())
        assert not request.params.keys() & {"model", "messages", "stream", "n", "streamroute"}


@given(st.binary(max_size=60))
def test_no_bytes_do_either(body: bytes) -> None:
    refused(body)


# -- ours to an upstream ----------------------------------------------------------------------------------------------


def test_our_request_streams_and_asks_for_usage() -> None:
    assert request_body(model="m", messages=[USER], params={"seed": 1}) == {
        "model": "m",
        "messages": [USER],
        "seed": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_what_we_have_to_say_wins_over_params() -> None:
    params = {"model": "x", "messages": [], "stream": False, "n": 9, "stream_options": {"include_usage": False, "y": 1}}
    assert request_body(model="m", messages=[USER], params=params) == {
        "model": "m",
        "messages": [USER],
        "stream": True,
        "stream_options": {"include_usage": True, "y": 1},
    }
    assert request_body(model="m", messages=[USER], params=params, n=2)["n"] == 2


def test_usage_is_not_asked_of_servers_that_refuse_it() -> None:
    params = {"stream_options": {"y": 1}}
    assert "stream_options" not in request_body(model="m", messages=[USER], params=params, include_usage=False)


def test_a_whole_number_is_an_integer_however_it_is_written() -> None:
    request = decode_request(b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "n": 2.0, "seed": 7e0}')
    assert (request.n, request.params) == (2, {"seed": 7})
    assert refused_field(n=1.5).param == "n"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5000])
def test_a_number_beyond_all_bounds_is_said_to_be_one(number: str) -> None:
    error = refused(f'{{"model": "m", "messages": [], "x": {number}}}'.encode())
    assert (error.code, str(error)) == ("invalid_value", "the body holds a number that is too large")


@pytest.mark.parametrize("field", ["modalities", "functions"])
def test_what_says_whether_to_judge_is_checked(field: str) -> None:
    assert refused_field(**{field: 5}).param == field


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b'{"model": "\xff"}', "invalid_json"),
        (b'{"model": "\\ud800"}', "invalid_json"),
        (b"\x00", "invalid_json"),
        (b"{} {}", "invalid_json"),
        (b"NaN", "invalid_json"),
        (b'{"n": NaN}', "invalid_json"),
        (b"null", "invalid_type"),
        (b"", "invalid_json"),
    ],
)
def test_what_is_not_a_json_object_is_said_not_to_be_one(body: bytes, code: str) -> None:
    error = refused(body)
    assert (error.code, error.param) == (code, None)


def test_of_a_field_that_is_said_twice_the_last_counts_for_all() -> None:
    body = b'{"model": "a", "model": "b", "messages": [{"role": "user", "content": "x"}], "x": 1, "x": 2}'
    request = decode_request(body)
    assert (request.model, request.params) == ("b", {"x": 2})


def test_what_a_client_names_is_not_said_again_in_full_where_it_is_too_long() -> None:
    long = "x" * 100_000
    for error in (
        refused_field(model=long),
        refused_field(streamroute={"tier": long}),
        refused_field(streamroute={long: 1}),
        refused_field(logit_bias={long: "no"}),
    ):
        assert len(str(error)) < 1000
        assert error.param is not None
        assert len(error.param) < 600

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.types import Delta, TokenLogprob, Usage
from streamroute.wire.errors import IncompleteError, ReportedError, WireError
from streamroute.wire.openai import StreamedAnswer, WholeAnswer, answer_decoder
from streamroute.wire.sse import DONE_EVENT, encode_event


def event(**fields: Any) -> bytes:
    return encode_event(json.dumps(fields).encode())


def choice(index: int = 0, finish_reason: str | None = None, **delta: Any) -> bytes:
    return event(choices=[{"index": index, "delta": delta, "finish_reason": finish_reason}])


END = choice(finish_reason="stop") + DONE_EVENT


def read(*chunks: bytes, n: int = 1) -> list[Delta]:
    answer = StreamedAnswer(n=n)
    deltas = [delta for chunk in chunks for delta in answer.feed(chunk)]
    return deltas + answer.eof()


def test_a_stream_gives_its_text_then_its_end_then_its_usage() -> None:
    usage = event(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
    deltas = read(
        choice(role="assistant", content=""), choice(content="Hel"), choice(content="lo"), choice(finish_reason="stop"),
        usage, DONE_EVENT,
    )  # fmt: skip
    assert deltas == [Delta("Hel"), Delta("lo"), Delta(finish_reason="stop"), Delta(usage=Usage(3, 2))]


TEXTS = st.lists(st.text(max_size=8), max_size=8)


@given(TEXTS, st.lists(st.integers(0, 5000), max_size=12))
def test_no_cut_of_the_bytes_changes_the_answer(texts: list[str], places: list[int]) -> None:
    stream = b"".join(choice(content=text) for text in texts) + END
    bounds = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(bounds)]
    assert "".join(delta.text for delta in read(*chunks)) == "".join(texts)
    assert read(*chunks) == read(stream)


@pytest.mark.parametrize(
    "nothing",
    [
        choice(role="assistant", content=""),
        choice(role="assistant", content=None),
        choice(content=""),
        choice(tool_calls=[]),
        choice(refusal=""),
        choice(reasoning_content="Let me think"),
        choice(reasoning="Let me think"),
        choice(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Let me think"}]}]),
        event(choices=[]),
        event(choices=None),
        event(choices=[{"index": 0}]),
        event(choices=[{"index": 0, "delta": None, "finish_reason": ""}]),
        event(choices=[], prompt_filter_results=[{"anything": 1}]),
        event(usage={}),
        event(error=None, choices=[]),
        b": keep-alive\n\n",
        b"data: \n\n",
    ],
)
def test_what_says_nothing_is_no_delta(nothing: bytes) -> None:
    answer = StreamedAnswer()
    assert answer.feed(nothing) == []
    assert answer.error is None
    assert not answer.complete


def test_unknown_fields_are_ignored_and_text_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": []}, {"type": "text", "text": "b"}]
    chunk = event(choices=[{"delta": {"content": parts, "x": {}}, "content_filter_results": {}}], obfuscation="zzz")
    assert StreamedAnswer().feed(chunk) == [Delta("ab")]


def test_tool_calls_and_refusals_pass_as_they_are() -> None:
    raw = b'[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{\\"a\\":"}}]'
    calls = b'data: {"choices":[{"index":0,"delta":{"tool_calls":' + raw + b"}}]}\n\n"
    assert StreamedAnswer().feed(calls + choice(refusal="I cannot")) == [
        Delta(tool_calls=raw),
        Delta(refusal="I cannot"),
    ]


def test_logprobs_are_read_with_their_alternatives() -> None:
    logprobs = {"content": [{"token": "A", "logprob": -0.5, "top_logprobs": [{"token": "B", "logprob": -1}]}]}
    chunk = event(choices=[{"index": 0, "delta": {"content": "A"}, "logprobs": logprobs}])
    assert StreamedAnswer().feed(chunk) == [Delta("A", logprobs=(TokenLogprob("A", -0.5, (("B", -1.0),)),))]


@pytest.mark.parametrize("odd", [7, {"content": "x"}, {"content": [{"token": None}]}, {"content": None}, {}])
def test_odd_logprobs_cost_the_evidence_and_not_the_answer(odd: Any) -> None:
    chunk = event(choices=[{"index": 0, "delta": {"content": "A"}, "logprobs": odd}])
    assert StreamedAnswer().feed(chunk) == [Delta("A")]


def test_choices_are_told_apart_and_all_must_finish() -> None:
    answer = StreamedAnswer(n=2)
    assert answer.feed(choice(1, content="b") + choice(0, content="a")) == [Delta("b", index=1), Delta("a", index=0)]
    complete = []
    for index in (1, 0):
        answer.feed(choice(index, finish_reason="stop"))
        complete.append(answer.complete)
    assert complete == [False, True]
    assert answer.eof() == []


def test_a_choice_that_was_not_asked_for_is_an_error() -> None:
    answer = StreamedAnswer(n=2)
    assert answer.feed(choice(2, content="c")) == []
    with pytest.raises(WireError, match="choice 2 of 2"):
        answer.eof()


def test_the_last_of_several_usages_counts() -> None:
    def usage(tokens: int) -> bytes:
        return event(choices=[], usage={"prompt_tokens": 3, "completion_tokens": tokens})

    assert read(usage(1), usage(2), END)[-1].usage == Usage(3, 2)


@pytest.mark.parametrize("tokens", [-1, "2", 2.5, 10**9 + 1, 10**30, [2], {"n": 2}, True])
def test_a_usage_that_cannot_be_is_none_told(tokens: Any) -> None:
    odd = event(choices=[], usage={"prompt_tokens": 3, "completion_tokens": tokens})
    assert read(choice(content="A"), odd, END) == [Delta("A"), Delta(finish_reason="stop")]
    assert read(odd, event(choices=[], usage={"prompt_tokens": 3}), END)[-1].usage == Usage(3, 0)


@pytest.mark.parametrize("rubbish", [b"data: {\n\n", b'data: "\xff"\n\n', choice(3, content="x")])
def test_rubbish_after_the_end_does_not_unmake_the_answer(rubbish: bytes) -> None:
    assert read(choice(content="A", finish_reason="stop"), rubbish) == [Delta("A", finish_reason="stop")]


def test_a_failure_that_is_reported_after_the_end_does() -> None:
    answer = StreamedAnswer()
    answer.feed(choice(content="A", finish_reason="stop") + event(error="gone"))
    with pytest.raises(ReportedError):
        answer.eof()


@pytest.mark.parametrize(
    ("frame", "message", "code"),
    [
        (event(error={"message": "too\nlong", "type": "x", "code": "context"}), "too long", "context"),
        (event(error={"message": "busy", "code": 503}), "busy", "503"),
        (event(error={"type": "overloaded_error"}), "overloaded_error", None),
        (event(error="out of memory"), "out of memory", None),
        (event(error=[1]), "[1]", None),
        (event(error={}), "the upstream reported an error", None),
        (event(object="error", message="no such model", code=404), "no such model", None),
        (b'event: error\ndata: {"message": "gone"}\n\n', "gone", None),
        (b'event: error\ndata: {"error": {"message": "gone"}}\n\n', "gone", None),
    ],
)
def test_an_error_frame_ends_the_answer_after_what_came_before(frame: bytes, message: str, code: str | None) -> None:
    answer = StreamedAnswer()
    assert answer.feed(choice(content="half") + frame + choice(content="never")) == [Delta("half")]
    assert answer.feed(choice(content="never")) == []
    with pytest.raises(ReportedError) as caught:
        answer.eof()
    assert str(caught.value) == message
    assert caught.value.code == code


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {\n\n",
        b"data: oops\n\n",
        b"data: []\n\n",
        b"data: 3\n\n",
        b'data: {"choices":"\xff"}\n\n',
        b'data: {"choices":[{"delta":{"content":"\xff\xfe"}}]}\n\n',
        b"data: " + b'{"choices":' * 5000 + b"\n\n",
        event(choices=[{"index": "0"}]),
        event(choices=[{"delta": {"content": 7}}]),
    ],
)
def test_what_is_no_chunk_is_an_error(garbage: bytes) -> None:
    answer = StreamedAnswer()
    answer.feed(garbage)
    with pytest.raises(WireError, match="not a chat completion"):
        answer.eof()


@pytest.mark.parametrize(
    ("stream", "problem"),
    [
        (b"", "ended before a finish_reason"),
        (choice(content="half"), "ended before a finish_reason"),
        (choice(content="half") + b'data: {"cho', "ended before a finish_reason"),
        (choice(content="half") + DONE_EVENT, "said that it was done before a finish_reason"),
        (DONE_EVENT, "said that it was done before a finish_reason"),
    ],
)
def test_an_answer_that_breaks_off_is_never_an_end(stream: bytes, problem: str) -> None:
    answer = StreamedAnswer()
    if stream:
        answer.feed(stream)
    with pytest.raises(IncompleteError, match=problem):
        answer.eof()


def test_an_end_without_done_is_an_end_when_a_reason_was_given() -> None:
    assert read(choice(content="a"), choice(finish_reason="stop")) == [Delta("a"), Delta(finish_reason="stop")]


def test_nothing_is_read_after_done() -> None:
    answer = StreamedAnswer()
    answer.feed(END + choice(content="more"))
    assert answer.done
    assert answer.feed(choice(content="more")) == []
    assert answer.eof() == []


def test_a_page_is_not_a_stream() -> None:
    answer = StreamedAnswer()
    answer.feed(b"<html>\n\n<body>Welcome to nginx!</body>")
    with pytest.raises(WireError, match="not an event stream"):
        answer.eof()


# -- a whole completion -----------------------------------------------------------------------------------------------


def whole(document: Any, *, n: int = 1, max_event: int = 10_000) -> list[Delta]:
    answer = WholeAnswer(n=n, max_event=max_event)
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    for i in range(0, len(data), 7):
        assert answer.feed(data[i : i + 7]) == []
    return answer.eof()


def test_a_whole_completion_is_one_finished_delta_for_each_choice() -> None:
    document = {
        "object": "chat.completion",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "length"},
            {"index": 1, "message": {"role": "assistant", "content": "b"}},
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    assert whole(document, n=2) == [
        Delta("a", finish_reason="length"),
        Delta("b", index=1, finish_reason="stop", usage=Usage(1, 2)),
    ]


def test_a_whole_completion_must_hold_every_choice() -> None:
    with pytest.raises(IncompleteError, match="holds 1 choices, not 2"):
        whole({"choices": [{"index": 0, "message": {"content": "a"}}]}, n=2)
    with pytest.raises(IncompleteError):
        whole({})


def test_an_error_document_is_what_it_reports() -> None:
    with pytest.raises(ReportedError, match="no credit"):
        whole({"error": {"message": "no credit"}})


def test_half_a_document_and_one_too_large_are_errors() -> None:
    with pytest.raises(WireError, match="not a chat completion"):
        whole(b'{"choices": [')
    with pytest.raises(WireError, match="larger than 10 bytes"):
        whole(b" " * 11, max_event=10)


def test_the_content_type_chooses_the_decoder() -> None:
    assert isinstance(answer_decoder("application/json"), WholeAnswer)
    assert isinstance(answer_decoder("text/event-stream"), StreamedAnswer)
    assert isinstance(answer_decoder("text/plain"), StreamedAnswer)

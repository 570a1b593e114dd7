from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.types import Usage
from streamroute.wire.errors import IncompleteError, ReportedError, WireError
from streamroute.wire.sse import DONE_EVENT, encode_event
from streamroute.wire.tap import Tap, WholeTap, with_field

ABOUT = {"id": "up-1", "object": "chat.completion.chunk", "created": 7, "model": "m-1"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def event(**fields: Any) -> bytes:
    return encode_event(json.dumps({**ABOUT, **fields}, ensure_ascii=False).encode())


def choice(index: int = 0, finish_reason: str | None = None, *, usage: Any = None, **delta: Any) -> bytes:
    return event(choices=[{"index": index, "delta": delta, "finish_reason": finish_reason}], usage=usage)


NOTHING = Usage(0, 0)
ROLE = choice(role="assistant", content="")
WORD = choice(content="Hallå ")
STOP = choice(finish_reason="stop")
TOLD = event(choices=[], usage=USAGE)


def passed(*reads: bytes, field: bytes | None = None, usage: Usage = NOTHING) -> tuple[bytes, Tap]:
    """All that a client gets of a stream that ends well."""
    tap = Tap()
    out = b"".join([tap.feed(read) for read in reads])
    tap.eof()
    return out + tap.tail(field, usage), tap


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(bounds) if a < b]


def findings(tap: Tap) -> tuple[Any, ...]:
    return (tap.tokens, tap.usage, tap.finish_reason, tap.reply_id, tap.complete, tap.done)


# -- bytes ------------------------------------------------------------------------------------------------------------

PIECES = st.one_of(
    st.text(max_size=6).map(lambda text: choice(content=text)),
    st.sampled_from(
        [
            ROLE,
            choice(reasoning_content="hm"),
            choice(tool_calls=[{"index": 0, "function": {"arguments": "{"}}]),
            b": keep-alive\n\n",
            b"event: ping\ndata:\n\n",
            b'id: 4\ndata: {"choices": []}\n\n',
            b'data: {"choices":\ndata: [{"delta": {"content": "two lines"}}]}\n\n',
            choice(content="x", usage=USAGE),
        ]
    ),
)


@given(st.lists(PIECES, max_size=8), st.lists(st.integers(0, 5000), max_size=12), st.sampled_from([b"\n", b"\r\n"]))
def test_no_cut_changes_what_is_found_and_the_bytes_are_the_upstreams(
    pieces: list[bytes], places: list[int], line: bytes
) -> None:
    stream = b"".join([*pieces, STOP, DONE_EVENT]).replace(b"\n", line)
    whole, at_once = passed(stream)
    assert whole == stream
    for reads in (cut(stream, places), cut(stream, list(range(len(stream))))):
        out, tap = passed(*reads)
        assert out == stream
        assert findings(tap) == findings(at_once)


@given(st.lists(PIECES, max_size=8))
def test_an_event_leaves_as_soon_as_it_is_whole(pieces: list[bytes]) -> None:
    tap = Tap()
    assert tap.feed(WORD) == WORD
    for piece in pieces:
        assert tap.feed(piece[:-1]) == b""
        assert tap.feed(piece[-1:]) == piece


@pytest.mark.parametrize(
    "nothing",
    [
        ROLE,
        choice(content=None),
        choice(content="", tool_calls=[]),
        b": keep-alive\n\n",
        b"data:\n\n",
        event(choices=[]),
        event(choices=[], usage=USAGE),
    ],
)
def test_nothing_leaves_before_the_first_content_and_then_all_of_it(nothing: bytes) -> None:
    tap = Tap()
    assert tap.feed(nothing) == b""
    assert not tap.spoke
    kept = b"" if nothing == event(choices=[], usage=USAGE) else nothing
    assert tap.feed(WORD + WORD) == kept + WORD + WORD
    assert tap.spoke


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"content": [{"type": "text", "text": "x"}]},
        {"refusal": "no"},
        {"tool_calls": [{"index": 0, "id": "a"}]},
        {"function_call": {"name": "f"}},
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
    ],
)
def test_whatever_says_something_is_content(delta: dict[str, Any]) -> None:
    tap = Tap()
    assert tap.feed(choice(**delta)) == choice(**delta)
    assert (tap.spoke, tap.tokens) == (True, 1)


def test_every_event_of_a_read_is_counted() -> None:
    tap = Tap()
    for reads, tokens in ((WORD, 1), (WORD * 3, 4), (WORD + b": x\n\n" + WORD, 6)):
        assert tap.feed(reads) == reads
        assert tap.tokens == tokens


def test_a_text_completion_is_content_too() -> None:
    tap = Tap()
    said = event(choices=[{"text": "x", "index": 0, "finish_reason": None}])
    assert tap.feed(said) == said


# -- ends -------------------------------------------------------------------------------------------------------------


def test_the_end_is_held_back_from_the_last_finish_reason_on() -> None:
    tap = Tap()
    assert tap.feed(WORD + STOP) == WORD
    assert tap.complete
    assert tap.feed(b": still here\n\n" + DONE_EVENT) == b""
    assert tap.over
    tap.eof()
    assert tap.tail(None, NOTHING) == STOP + b": still here\n\n" + DONE_EVENT


def test_a_choice_that_goes_on_when_another_has_finished_is_not_held_back() -> None:
    tap = Tap()
    first = WORD + choice(1, content="b") + STOP
    assert tap.feed(first) == first
    assert [tap.complete] == [False]
    assert tap.feed(choice(1, content="c")) == choice(1, content="c")
    assert tap.feed(choice(1, finish_reason="length")) == b""
    assert [tap.complete] == [True]
    assert tap.finish_reason == "stop"  # the first choice's
    late = choice(2, content="d")
    assert tap.feed(late) == choice(1, finish_reason="length") + late  # one that nothing was known of
    assert [tap.complete] == [False]


def test_an_answer_is_complete_once_every_choice_that_was_asked_for_has_finished() -> None:
    tap = Tap(n=2)
    assert tap.feed(WORD + STOP) == WORD + STOP
    assert [tap.complete] == [False]
    assert tap.feed(choice(1, content="b") + choice(1, finish_reason="stop")) == choice(1, content="b")
    assert [tap.complete] == [True]
    halved = Tap(n=2)
    halved.feed(WORD + STOP + DONE_EVENT)
    with pytest.raises(IncompleteError):
        halved.eof()


@pytest.mark.parametrize("index", [2, -1])
def test_a_choice_that_was_not_asked_for_is_an_error(index: int) -> None:
    tap = Tap(n=2)
    assert tap.feed(WORD + choice(index, content="x")) == WORD
    with pytest.raises(WireError, match=f"choice {index} of 2"):
        tap.eof()


def test_a_byte_order_mark_is_not_passed_on() -> None:
    """For it may come after a comment of ours."""
    assert passed(b"\xef\xbb\xbf" + WORD, STOP, DONE_EVENT)[0] == WORD + STOP + DONE_EVENT


def test_a_stream_without_done_gets_one() -> None:
    out, tap = passed(WORD, STOP)
    assert out == WORD + STOP + DONE_EVENT
    assert not tap.done


def test_nothing_after_done_counts() -> None:
    tap = Tap()
    assert tap.feed(WORD + STOP + DONE_EVENT + WORD) == WORD
    assert tap.feed(WORD) == b""
    assert tap.tokens == 1


@pytest.mark.parametrize(
    ("reads", "says"),
    [
        ([WORD], "ended before a finish_reason"),
        ([WORD, DONE_EVENT], "said that it was done before a finish_reason"),
        ([DONE_EVENT], "said that it was done before a finish_reason"),
        ([], "ended before a finish_reason"),
        ([WORD, STOP[:-1]], "ended before a finish_reason"),
    ],
)
def test_an_end_that_is_none_is_told(reads: list[bytes], says: str) -> None:
    tap = Tap()
    for read in reads:
        tap.feed(read)
    with pytest.raises(IncompleteError, match=says):
        tap.eof()


@pytest.mark.parametrize(
    ("frame", "kind", "says"),
    [
        (event(error={"message": "out of memory", "code": 5}), ReportedError, "out of memory"),
        (b'event: error\ndata: {"message": "gone"}\n\n', ReportedError, "gone"),
        (encode_event(b'{"object": "error", "message": "old"}'), ReportedError, "old"),
        (encode_event(b'{"choices": 5}'), WireError, "not a chat completion"),
        (b"data: {half\n\n", WireError, "not a chat completion"),
        (b"data: <html>\n\n", WireError, "not a chat completion"),
        (choice(content="\ue000").replace("\ue000".encode(), b"\xff"), WireError, "not a chat completion"),
        (WORD.replace(b": [", b":\n["), WireError, "not a chat completion"),
        (WORD.replace(b": [", b":\r["), WireError, "not a chat completion"),
        (b'data: {"choices":' + b"[" * 10_000 + b"\n\n", WireError, "not a chat completion"),
    ],
)
def test_an_error_is_known_after_what_came_before_it(frame: bytes, kind: type[WireError], says: str) -> None:
    for reads in ([WORD + frame + WORD], [WORD, frame + WORD], [WORD, frame, WORD]):
        tap = Tap()
        assert b"".join([tap.feed(read) for read in reads]) == WORD
        assert tap.over
        assert tap.feed(WORD) == b""
        with pytest.raises(kind, match=says):
            tap.eof()


def test_after_the_end_of_the_answer_only_a_reported_error_costs_it() -> None:
    assert passed(WORD, STOP, b"data: {half\n\n")[0] == WORD + STOP + DONE_EVENT
    tap = Tap()
    tap.feed(WORD + STOP + event(error={"message": "out of memory"}))
    with pytest.raises(ReportedError, match="out of memory"):
        tap.eof()


def test_what_is_not_an_event_stream_is_told() -> None:
    tap = Tap()
    tap.feed(b"<html>\n\n</html>")
    with pytest.raises(WireError, match="not an event stream"):
        tap.eof()


def test_an_event_without_end_is_an_error() -> None:
    tap = Tap(max_event=100)
    assert tap.feed(WORD + b"data: ") == WORD
    tap.feed(b"x" * 50)
    assert not tap.over
    tap.feed(b"x" * 50)
    with pytest.raises(WireError, match="larger than 100 bytes"):
        tap.eof()


# -- usage ------------------------------------------------------------------------------------------------------------


def documents(stream: bytes) -> list[Any]:
    return [
        json.loads(block.removeprefix(b"data: ")) for block in stream.split(b"\n\n") if block.startswith(b"data: {")
    ]


def test_usage_that_was_not_asked_for_is_left_out() -> None:
    out, tap = passed(WORD + STOP, TOLD + DONE_EVENT)
    assert out == WORD + STOP + DONE_EVENT
    assert tap.usage == Usage(3, 2)


def test_usage_that_was_asked_for_bears_the_field() -> None:
    out, _ = passed(WORD + STOP, TOLD + DONE_EVENT, field=b'{"route":"auto"}')
    assert out.startswith(WORD + STOP)
    assert out.endswith(DONE_EVENT)
    last = documents(out)[-1]
    assert last == {**ABOUT, "choices": [], "usage": USAGE, "streamroute": {"route": "auto"}}


def test_usage_beside_the_finish_reason_bears_the_field() -> None:
    end = choice(finish_reason="stop", usage=USAGE)
    out, tap = passed(WORD, end, DONE_EVENT, field=b"{}")
    assert tap.usage == Usage(3, 2)
    assert documents(out)[-1] == {**json.loads(end[6:]), "streamroute": {}}
    assert len(documents(out)) == 2
    assert passed(WORD, end, DONE_EVENT)[0] == WORD + end + DONE_EVENT  # not asked for: as it came


@pytest.mark.parametrize("before", [WORD, choice(content="x", usage=USAGE), WORD + choice(content="x", usage=USAGE)])
def test_usage_that_was_not_told_is_made_like_the_upstreams_chunks(before: bytes) -> None:
    out, _ = passed(ROLE, before, STOP, DONE_EVENT, field=b"{}", usage=Usage(4, 1, counted=False))
    assert documents(out)[-1] == {
        **ABOUT,
        "choices": [],
        "usage": {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5},
        "streamroute": {},
    }


@pytest.mark.parametrize(
    "odd",
    [[], "5", {"prompt_tokens": "5"}, {}, {"prompt_tokens": -1}, {"prompt_tokens": 1.5}, {"prompt_tokens": 10**9 + 1}],
)
def test_usage_that_cannot_be_is_told_by_us_instead(odd: Any) -> None:
    out, tap = passed(WORD, STOP, event(choices=[], usage=odd), DONE_EVENT, field=b"{}", usage=Usage(4, 1))
    assert tap.usage is None
    *before, last = documents(out)
    assert [document["usage"] for document in before] == [None, None]
    assert last["usage"] == {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}


def test_no_usage_is_none() -> None:
    nothing = event(choices=[], usage=None)
    out, tap = passed(WORD, nothing, STOP, DONE_EVENT)
    assert (tap.usage, out) == (None, WORD + nothing + STOP + DONE_EVENT)


@pytest.mark.parametrize(
    "told", [b'data:{"choices":[],\ndata:"usage":%b}\nid: {7}\n\n', b'data: {"usage":%b}\nid: {7}\n\n']
)
def test_the_field_gets_into_usage_however_it_is_written(told: bytes) -> None:
    out, _ = passed(WORD, STOP, told % json.dumps(USAGE).encode(), DONE_EVENT, field=b"[1]")
    blocks = out.removesuffix(DONE_EVENT).split(b"\n\n")
    last = json.loads(blocks[-2].replace(b"\ndata: ", b"").removeprefix(b"data: "))
    assert (last["usage"], last["streamroute"]) == (USAGE, [1])


def test_what_cannot_be_imitated_is_not() -> None:
    odd = WORD.replace(b'"m-1"', b'"m-1", "odd": "\xff"')
    out, _ = passed(odd, STOP, DONE_EVENT, field=b"{}")
    assert json.loads(out.split(b"\n\n")[-3][6:])["streamroute"] == {}


# -- whole replies ----------------------------------------------------------------------------------------------------


def test_a_whole_reply_is_looked_at() -> None:
    message = {"role": "assistant", "content": "Hello!"}
    body = json.dumps({**ABOUT, "choices": [{"message": message, "finish_reason": "stop"}], "usage": USAGE}).encode()
    found = WholeTap(body)
    assert (found.reply_id, found.finish_reason, found.usage, found.tokens) == ("up-1", "stop", Usage(3, 2), 2)
    assert found.spoke
    assert json.loads(with_field(body, b"[1]")) == {**json.loads(body), "streamroute": [1]}


def test_embeddings_are_a_whole_reply() -> None:
    body = b'{"object": "list", "data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 4, "total_tokens": 4}}\n'
    found = WholeTap(body)
    assert (found.usage, found.tokens, found.spoke) == (Usage(4, 0), 0, False)
    assert json.loads(with_field(body, b"{}"))["streamroute"] == {}


def test_the_field_gets_into_an_empty_object() -> None:
    assert with_field(b"{ }\n", b"{}") == b'{ "streamroute":{}}\n'


@pytest.mark.parametrize(("choices", "n"), [([], 1), ([{}], 2), ([{"index": 1}], 1), ([{}, {"index": 2}], 2)])
def test_a_whole_reply_has_the_choices_that_were_asked_for(choices: list[dict[str, Any]], n: int) -> None:
    with pytest.raises(IncompleteError, match=f"not {n}"):
        WholeTap(json.dumps({"choices": choices}).encode(), n=n)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>", WireError),
        (b"[]", WireError),
        (b"", WireError),
        (b'{"error": {"message": "no"}}', ReportedError),
        (b'{"object": "error", "message": "no"}', ReportedError),
    ],
)
def test_a_whole_reply_that_is_none_is_told(body: bytes, kind: type[WireError]) -> None:
    with pytest.raises(kind):
        WholeTap(body)

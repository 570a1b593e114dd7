"""The decoder against a second one, written line by line from the standard and fed all at once."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.wire.errors import WireError
from streamroute.wire.sse import DONE, DONE_EVENT, Event, SSEDecoder, encode_comment, encode_event


def by_the_standard(stream: bytes) -> list[Event]:
    """WHATWG HTML 9.2.5 and 9.2.6, as they are written."""
    stream = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events = []
    data, name, heard = b"", b"", False
    for line in stream.split(b"\n")[:-1]:
        if not line:
            if heard:
                events.append(Event(data.removesuffix(b"\n"), name))
            data, name, heard = b"", b"", False
        elif not line.startswith(b":"):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                data += value + b"\n"
                heard = True
            elif field == b"event":
                name = value
    return events


def decode(*chunks: bytes) -> list[Event]:
    decoder = SSEDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(bounds)]


LINE_END = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINE = st.one_of(
    st.sampled_from(
        [b"", b"data: {}", b"data:x", b"data", b"data:  two", b": ping", b":", b"event: error", b"id: 3", b"retry: 9"]
    ),
    st.binary(max_size=6),
)
STREAM = st.builds(
    lambda bom, lines: (b"\xef\xbb\xbf" if bom else b"") + b"".join(line + end for line, end in lines),
    st.booleans(),
    st.lists(st.tuples(LINE, LINE_END), max_size=30),
)


@given(STREAM, st.lists(st.integers(0, 10_000), max_size=20))
def test_any_cut_of_any_stream_gives_the_events_of_the_standard(stream: bytes, places: list[int]) -> None:
    assert decode(*cut(stream, places)) == by_the_standard(stream)


@given(STREAM)
def test_bytes_one_by_one_give_the_same_events(stream: bytes) -> None:
    assert decode(*(stream[i : i + 1] for i in range(len(stream)))) == by_the_standard(stream)


@given(st.lists(st.binary(max_size=40), max_size=6), st.binary(max_size=200), st.lists(st.integers(0, 999), max_size=9))
def test_where_a_limit_strikes_does_not_depend_on_the_cut(small: list[bytes], large: bytes, places: list[int]) -> None:
    stream = b"".join(encode_event(data) for data in [*small, large, *small])

    def outcome(chunks: list[bytes]) -> tuple[list[Event], bool]:
        decoder, events = SSEDecoder(max_event=100), []
        try:
            for chunk in chunks:
                events += decoder.feed(chunk)
        except WireError:
            return events, True
        # The error may come with the next call only, but it must be there.
        return events, decoder.eof()

    assert outcome(cut(stream, places)) == outcome([stream])


@given(st.binary(max_size=60), st.sampled_from([b"", b"error"]))
def test_what_is_encoded_is_decoded_with_its_line_ends_made_plain(data: bytes, name: bytes) -> None:
    plain = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert decode(encode_event(data, name=name)) == [Event(plain, name)]


def test_an_event_is_there_with_its_last_byte() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [Event(b"a")]
    assert not decoder.eof()


def test_a_carriage_return_ends_the_line_without_waiting_for_a_line_feed() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r\r") == [Event(b"a")]
    assert decoder.feed(b"\ndata: b\r\n\r") == [Event(b"b")]
    assert decoder.feed(b"\n") == []
    assert not decoder.eof()


def test_keep_alives_are_no_events() -> None:
    assert decode(encode_comment(b"ping"), encode_comment(), b"\n\n\n") == []


def test_done_is_an_event_like_any_other() -> None:
    assert decode(DONE_EVENT) == [Event(DONE)]


@pytest.mark.parametrize(
    ("stream", "partial"),
    [(b"", False), (b"\n", False), (b"data: a\n\n", False), (b"data: a\n", True), (b"data: a", True), (b"\xef", True)],
)
def test_the_end_tells_whether_it_cut_an_event(stream: bytes, partial: bool) -> None:
    decoder = SSEDecoder()
    decoder.feed(stream)
    assert decoder.eof() is partial


def test_an_event_without_end_is_an_error_and_not_memory() -> None:
    decoder = SSEDecoder(max_event=1000)
    for _ in range(1000):
        assert decoder.feed(b"x") == []
    with pytest.raises(WireError, match="larger than 1000 bytes"):
        decoder.feed(b"x")
    with pytest.raises(WireError):
        decoder.feed(b"\n\ndata: late\n\n")
    assert len(decoder._rest) == 0


def test_the_events_before_one_too_large_are_not_lost() -> None:
    decoder = SSEDecoder(max_event=20)
    assert decoder.feed(b"data: a\n\ndata: " + b"x" * 20 + b"\n\ndata: b\n\n") == [Event(b"a")]
    with pytest.raises(WireError):
        decoder.feed(b"")


def test_an_event_of_just_the_limit_passes() -> None:
    assert SSEDecoder(max_event=20).feed(b"data: " + b"x" * 14 + b"\n\n") == [Event(b"x" * 14)]

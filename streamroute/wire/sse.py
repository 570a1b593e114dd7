"""Server-sent events, bytes to events and back, without I/O.

Source: WHATWG HTML, section 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream". Fields other than
`data` and `event` are read and dropped: a chat completion is never resumed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from streamroute.wire.errors import WireError

__all__ = (
    "BOM",
    "CR",
    "DONE",
    "DONE_EVENT",
    "LF",
    "MAX_EVENT",
    "Event",
    "SSEDecoder",
    "encode_comment",
    "encode_event",
    "parse_block",
)

MAX_EVENT: Final = 4 * 1024 * 1024
"""Default limit of one event, in bytes."""

DONE: Final = b"[DONE]"
"""The data with which OpenAI's streams end."""

DONE_EVENT: Final = b"data: [DONE]\n\n"

CR, LF = 13, 10  # as numbers: `in` finds one byte ten times sooner than a string of one
BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event. `data` has its lines joined by a line feed; `name` is empty where the stream names none."""

    data: bytes
    name: bytes = b""


class SSEDecoder:
    """Incremental decoder: `feed` it bytes as they come, cut anywhere, and it returns the events that they complete.

    `max_event` bounds in bytes what one event, comments in it included, may hold. A larger one is an `error`, which is
    raised once the events before it were returned, and for ever after.
    """

    __slots__ = ("_after_cr", "_at_start", "_max", "_rest", "error")

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        self._max = max_event
        self._rest = bytearray()
        self._at_start = True
        self._after_cr = False
        self.error: WireError | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """Raises `WireError` for an event over the limit."""
        if self.error is not None:
            raise self.error
        if self._at_start:
            chunk = self._without_bom(chunk)
        if self._after_cr or CR in chunk:
            chunk = self._with_line_feeds(chunk)
        # An event ends at a blank line. Most reads are whole events: only what is left over is ever copied aside.
        if self._rest:
            seen = len(self._rest)
            self._rest += chunk
            if self._rest.find(b"\n\n", seen - 1) < 0:
                return self._checked([])
            chunk = bytes(self._rest)
            self._rest.clear()
        blocks = chunk.split(b"\n\n")
        rest = blocks.pop()
        events: list[Event] = []
        for block in blocks:
            if len(block) > self._max and len(block.lstrip(b"\n")) > self._max:
                self.error = self._too_large()
                return self._checked(events)
            event = parse_block(block)
            if event is not None:
                events.append(event)
        if rest:
            self._rest += rest
            return self._checked(events)
        return events

    def eof(self) -> bool:
        """Whether the stream ended inside an event. As the standard asks, what there is of it is dropped."""
        return self.error is not None or bool(self._rest.strip(b"\n"))

    def _checked(self, events: list[Event]) -> list[Event]:
        if len(self._rest) > self._max and len(self._rest.strip(b"\n")) > self._max:
            self.error = self._too_large()
        if self.error is not None:
            self._rest.clear()
            if not events:
                raise self.error
        return events

    def _too_large(self) -> WireError:
        return WireError(f"an event of the stream is larger than {self._max} bytes")

    def _without_bom(self, chunk: bytes) -> bytes:
        """Only the very first bytes can be a byte order mark, and they may come one by one."""
        start = bytes(self._rest) + chunk
        self._rest.clear()
        if len(start) < len(BOM) and BOM.startswith(start):
            self._rest += start
            return b""
        self._at_start = False
        return start.removeprefix(BOM)

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """A carriage return ends the line at once; a line feed right after it, even in the next read, belongs to it."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        self._after_cr = self._after_cr or chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def parse_block(block: bytes) -> Event | None:
    """One block of lines, which end in line feeds, to its event; None when it holds no data."""
    if block.startswith(b"data: ") and LF not in block:
        return Event(block[6:])
    name = b""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return Event(b"\n".join(data), name) if data else None


def encode_event(data: bytes, *, name: bytes = b"") -> bytes:
    """The bytes of one event. `name` must be one line."""
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    head = b"event: " + name + b"\n" if name else b""
    return head + b"".join([b"data: " + line + b"\n" for line in lines]) + b"\n"


def encode_comment(text: bytes = b"") -> bytes:
    """A keep-alive: bytes that every client ignores. `text` must be one line."""
    return b": " + text + b"\n\n"

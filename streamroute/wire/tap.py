"""What passes by: the bytes of an answer that go to the client as they came, looked at on the way. Without I/O.

The end of a stream is held back, so that the ledger can be written before a client knows that its answer is over, and
so that the usage can be left out or added to. All that comes before it leaves as soon as an event of it is whole.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from streamroute.core.types import CHARACTERS_PER_TOKEN, Usage
from streamroute.wire.chunk import UNEXPLAINED, decode_chunk, decode_error, usage_of
from streamroute.wire.errors import UNREADABLE, IncompleteError, ReportedError, WireError
from streamroute.wire.sse import BOM, CR, DONE, DONE_EVENT, LF, MAX_EVENT, encode_event, parse_block

__all__ = ("Findings", "Tap", "WholeTap", "with_field")


class _Delta(msgspec.Struct, gc=False):
    # Any: what is odd in them is the client's to see, not a reason to break off. A thought is passed on like an answer.
    content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    audio: Any = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    text: Any = None
    finish_reason: Any = None


class _Chunk(msgspec.Struct, gc=False):
    id: Any = None
    object: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_CHUNK: Final = msgspec.json.Decoder(_Chunk)
_DOCUMENT: Final = msgspec.json.Decoder(dict[str, Any])
# A line ends with CR LF, LF or CR; two in a row end an event. Atomic: a CR LF is never taken for two.
_BORDER: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_USUAL: Final = b"data: "


class Findings:
    """What is known of an answer. `tokens` is our estimate, `usage` what the upstream told; `reply_id` the answer's own
    id. `spoke`: the last bytes said something."""

    __slots__ = ("finish_reason", "reply_id", "spoke", "tokens", "usage")

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.reply_id: str | None = None
        self.spoke = False
        self.tokens = 0
        self.usage: Usage | None = None

    def _told(self, chunk: _Chunk) -> bool:
        """Whether it tells usage that can be, which is noted."""
        usage = usage_of(chunk.usage)
        self.usage = usage or self.usage
        return usage is not None


class Tap(Findings):
    """A stream. `feed` it the bytes, cut anywhere: it returns those that may be passed on, whole events as they came.

    Nothing is returned before the first content, which is not a role, an empty delta, a keep-alive or an error; nor of
    what follows once every choice has finished. `complete`: they have. `over`: there is nothing more to read. `error`:
    what is wrong with the stream, known once what came before it was returned. `n` is how many choices were asked for,
    None where that is not known.
    """

    __slots__ = (
        "_began",
        "_ends",
        "_example",
        "_finished",
        "_heard",
        "_held",
        "_max",
        "_n",
        "_passing",
        "_rest",
        "_usage",
        "_usage_at",
        "complete",
        "done",
        "error",
    )

    def __init__(self, *, n: int | None = None, max_event: int = MAX_EVENT) -> None:
        super().__init__()
        self._n = n
        self.complete = False
        self.done = False
        self.error: WireError | None = None
        self._max = max_event
        self._rest = bytearray()
        self._held: list[bytes] = []
        self._passing = False  # content has come, and not every choice has finished
        self._finished: dict[int, bool] = {}  # of every choice that said something
        self._usage = b""  # the event that tells it and nothing else
        self._usage_at: int | None = None  # where in `_held` an event tells it besides something else
        self._example = b""  # the first chunk, for one of ours to be like it
        self._ends = b""
        self._heard = self._began = False

    @property
    def over(self) -> bool:
        return self.done or self.error is not None

    def feed(self, data: bytes) -> bytes:
        if self._passing and not self._rest and self._is_plain(data):  # nearly always
            self.spoke = True
            return data
        self.spoke = False
        if self.over:
            return b""
        self._heard = True
        return self._passed(self._cut(data))

    def eof(self) -> None:
        """The bytes have ended. Raises the `error`, unless it came after the end of the answer and reports nothing, and
        `IncompleteError` unless the answer is complete."""
        if self.error is not None and not (self.complete and not isinstance(self.error, ReportedError)):
            raise self.error
        if self._heard and not self._began:
            raise WireError("not an event stream")
        if not self.complete:
            said = "said that it was done" if self.done else "ended"
            raise IncompleteError(f"the stream {said} before a finish_reason")

    def tail(self, field: bytes | None, usage: Usage) -> bytes:
        """What was held back, to end the stream with. With `field`, a JSON value, the usage has it as `streamroute`,
        and is told if the upstream did not; without, an event that tells only the usage is left out."""
        events = self._held
        if field is not None:
            if self._usage:
                events = [*events, with_field(self._usage, field)]
            elif self._usage_at is not None:
                events[self._usage_at] = with_field(events[self._usage_at], field)
            else:
                events = [*events, self._made(field, usage)]
        return b"".join([*events, self._ends or DONE_EVENT])

    def _is_plain(self, data: bytes) -> bool:
        """Whether these bytes are whole events in the usual spelling that all say something and nothing else. Only then
        are they counted: all others are looked at again, and more closely."""
        if not data.endswith(b"\n\n"):
            return False
        blocks = data.split(b"\n\n")
        blocks.pop()
        for block in blocks:
            if not block.startswith(b"data: ") or LF in block or CR in block:  # JSON may hold line ends; lines, none
                return False
            try:
                chunk = _CHUNK.decode(block[6:])
            except UNREADABLE:
                return False
            choices = chunk.choices
            if not choices or len(choices) > 1 or chunk.usage is not None or chunk.error is not None:
                return False
            choice = choices[0]
            if choice.finish_reason is not None or choice.index not in self._finished or not _says(choice):
                return False
        if self.done or self.error is not None:
            return False
        self.tokens += len(blocks)
        return True

    # -- bytes to events ----------------------------------------------------------------------------------------------

    def _cut(self, data: bytes) -> list[bytes]:
        """The events that are whole now, each with its blank line."""
        rest = self._rest
        seen = max(0, len(rest) - 3)  # a border may have begun in the read before
        rest += data
        events: list[bytes] = []
        start = 0
        while (border := _BORDER.search(rest, max(seen, start))) is not None:
            end = border.end()
            if end == len(rest) and rest[-1] == CR:
                break  # the line feed that belongs to it may be on its way
            events.append(bytes(rest[start:end]))
            start = end
        del rest[:start]
        if len(rest) > self._max:
            events.append(b"")  # stands for what is too large
        return events

    def _passed(self, events: list[bytes]) -> bytes:
        """Those that can go, and what had waited for them."""
        out: list[bytes] = []
        for event in events:
            # A byte order mark is not passed on: bytes of ours may have gone before it.
            raw = event if self._began else event.removeprefix(BOM)
            if self._look(raw):
                if self._held:
                    out += self._held
                    self._held.clear()
                    self._usage_at = None
                out.append(raw)
        return out[0] if len(out) == 1 else b"".join(out)

    # -- events to findings -------------------------------------------------------------------------------------------

    def _look(self, raw: bytes) -> bool:
        """Take note of one event; True where it can go at once, else it has been put where it belongs."""
        if self.over:
            return False
        try:
            if not raw:
                raise WireError(f"an event of the stream is larger than {self._max} bytes")
            return self._note(raw)
        except WireError as error:
            self.error = error
            return False

    def _note(self, raw: bytes) -> bool:
        if raw.startswith(_USUAL) and len(raw.splitlines()) == 2:
            try:
                chunk = _CHUNK.decode(raw[6:])
            except UNREADABLE:
                return self._odd(raw)
            return self._read(chunk, raw)
        return self._odd(raw)

    def _odd(self, raw: bytes) -> bool:
        """An event that is not one line of JSON."""
        event = parse_block(raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").strip(b"\n"))
        if event is None or not event.data.strip():
            return self._ordinary(raw)
        self._began = True
        if event.data == DONE:
            self.done = True
            self._ends = raw
            return False
        if event.name == b"error":
            message, code = decode_error(event.data)
            raise ReportedError(message or UNEXPLAINED, code=code)
        try:
            chunk = _CHUNK.decode(event.data)
        except UNREADABLE as error:
            raise WireError(f"not a chat completion: {error}") from error
        return self._read(chunk, raw, event.data)

    def _read(self, chunk: _Chunk, raw: bytes, data: bytes = b"") -> bool:
        _check(chunk, data or raw[6:])
        choices = chunk.choices
        if not self._example:
            self._begin(chunk, data or raw[6:])
        told = chunk.usage is not None and self._told(chunk)
        if told and data:
            raw = encode_event(data)  # one that can be added to
        if not choices:
            if chunk.usage is None:
                return self._ordinary(raw)
            self._usage = raw if told else b""  # usage that cannot be is told by us instead
            return False
        finished, n = self._finished, self._n
        for choice in choices:
            if n is not None and not 0 <= choice.index < n:
                raise WireError(f"choice {choice.index} of {n} was never asked for")
            reason = choice.finish_reason
            if _says(choice):
                self.tokens += 1
                self.spoke = True
                finished.setdefault(choice.index, False)
            if reason:
                finished[choice.index] = True
                if choice.index == 0:
                    self.finish_reason = str(reason)
            if reason or self.complete:
                self.complete = len(finished) >= (n or 1) and all(finished.values())
        self._passing = not self.complete and (self._passing or self.spoke)
        if told and not self._passing:
            self._usage_at = len(self._held)
        return self._ordinary(raw)

    def _ordinary(self, raw: bytes) -> bool:
        """Goes with the content that it is among."""
        if not self._passing:
            self._held.append(raw)
        return self._passing

    def _begin(self, chunk: _Chunk, data: bytes) -> None:
        self._began = True
        if isinstance(chunk.id, str) and chunk.id and self.reply_id is None:
            self.reply_id = chunk.id
        if chunk.choices:
            self._example = data

    def _made(self, field: bytes, usage: Usage) -> bytes:
        """A chunk that tells the usage, like the upstream's own chunks."""
        try:
            like = _DOCUMENT.decode(self._example) if self._example else {}
        except UNREADABLE:  # in a field that nobody has looked at
            like = {}
        document: dict[str, Any] = {name: like[name] for name in ("id", "object", "created", "model") if name in like}
        counts = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
        total = usage.prompt_tokens + usage.completion_tokens
        document |= {"choices": [], "usage": {**counts, "total_tokens": total}, "streamroute": msgspec.Raw(field)}
        return b"data: %b\n\n" % msgspec.json.encode(document)


class WholeTap(Findings):
    """A reply that is one JSON document, with `n` choices where that is known. Raises `WireError` for one that is not,
    `ReportedError` for an error."""

    __slots__ = ()

    def __init__(self, body: bytes, *, n: int | None = None) -> None:
        super().__init__()
        try:
            body.decode()  # what is skipped is not looked at, and clients would fail over it
            chunk = _CHUNK.decode(body)
        except UNREADABLE as error:
            raise WireError(f"not a completion: {error}") from error
        _check(chunk, body)
        self.reply_id = chunk.id if isinstance(chunk.id, str) and chunk.id else None
        self._told(chunk)
        characters = 0
        if n is not None and {choice.index for choice in chunk.choices or ()} != set(range(n)):
            raise IncompleteError(f"the completion holds {len(chunk.choices or ())} choices, not {n}")
        for choice in chunk.choices or ():
            self.spoke = self.spoke or _says(choice)
            said = choice.text if choice.message is None else choice.message.content
            characters += len(said) if isinstance(said, str) else 0
            if choice.index == 0 and choice.finish_reason:
                self.finish_reason = str(choice.finish_reason)
        self.tokens = -(-characters // CHARACTERS_PER_TOKEN)


def with_field(document: bytes, field: bytes) -> bytes:
    """A JSON object, or an event that holds one, with the JSON value `field` as `streamroute`."""
    end = document.rindex(b"}")
    comma = b"" if document[:end].rstrip().endswith(b"{") else b","
    return b'%b%b"streamroute":%b%b' % (document[:end], comma, field, document[end:])


def _check(chunk: _Chunk, data: bytes) -> None:
    if (chunk.error is not None and chunk.error != []) or chunk.object == "error":
        decode_chunk(data)  # which says it in its words
        raise ReportedError(UNEXPLAINED)


def _says(choice: _Choice) -> bool:
    said = choice.delta or choice.message
    if said is None:
        return bool(choice.text)
    if said.content:
        return True
    return bool(
        said.tool_calls or said.refusal or said.reasoning_content or said.reasoning or said.function_call or said.audio
    )

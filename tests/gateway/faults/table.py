"""What a model server can do wrong, and what becomes of the leg that it does it to.

A leg ends `NEVER` (it fails before its first content), `TORN` (after it), `LATE` (it says that it failed once it had
said all: a sample is one all the same), `WHOLE` (its answer is whole whatever happened) or `EMPTY` (without having said
anything). `outcomes.py` says what that means for the route and its client.
"""

from __future__ import annotations

import enum
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.support.faulty_server import DONE, HANG, LAST_CHUNK, ROLE, Play, body, chunk, event, finish, head, last, say
from tests.support.faulty_server import usage as told

JSON = "application/json"
PARTS = ("It is", " Cänberra 🦘.")
"""What the faulty leg says, where it says anything. Half of it is what was said before a fault in the middle."""
TEXT = "".join(PARTS)


class End(enum.Enum):
    NEVER = "never"
    TORN = "torn"
    LATE = "late"
    WHOLE = "whole"
    EMPTY = "empty"


@dataclass(frozen=True)
class Fault:
    """`play` plays it to a leg that says `parts`. `status` is what a client sees where the leg was the only one, and
    `again` whether the request is tried again. `counted`: the upstream told usage that can be. `passes`: where bytes
    are passed on, the refusal is."""

    name: str
    end: End
    play: Callable[[Sequence[str]], Play]
    status: int = 502
    again: bool = False
    counted: bool = True
    passes: bool = False
    retry_after: str | None = None

    def __str__(self) -> str:
        return self.name


def streamed(parts: Sequence[str]) -> bytes:
    return ROLE + b"".join(map(say, parts)) + finish() + told(10, len(parts)) + DONE


def healthy(parts: Sequence[str], *, after: float = 0.0) -> Play:
    data = ROLE + b"".join(map(say, parts)) + finish() + told(10, len(parts)) + DONE
    return Play([after, head(), last(data)] if after else [head(), last(data)])


def _before(*steps: bytes | float, end: str = "close") -> Callable[[Sequence[str]], Play]:
    """Instead of a reply."""
    return lambda parts: Play(steps, end)  # type: ignore[arg-type]


def _reply(*steps: bytes | float, end: str = "close") -> Callable[[Sequence[str]], Play]:
    """After the head and the role."""
    return lambda parts: Play([head(), chunk(ROLE), *steps], end)  # type: ignore[arg-type]


def _middle(*steps: bytes | float, end: str = "close") -> Callable[[Sequence[str]], Play]:
    """After half of the answer."""
    return lambda parts: Play([head(), chunk(ROLE), chunk(say(parts[0])), 0.5, *steps], end)  # type: ignore[arg-type]


def _finished(*steps: bytes | float, end: str = "close", usage: bytes | None = None) -> Callable[[Sequence[str]], Play]:
    """After the whole answer and its finish reason."""

    def play(parts: Sequence[str]) -> Play:
        said = ROLE + b"".join(map(say, parts)) + finish() + (usage or b"")
        return Play([head(), chunk(said), *steps], end)  # type: ignore[arg-type]

    return play


def _told(usage: bytes) -> Callable[[Sequence[str]], Play]:
    return _finished(last(usage + DONE))


def _all(change: Callable[[bytes], bytes], **headers: str) -> Callable[[Sequence[str]], Play]:
    """A whole stream, its bytes changed."""
    return lambda parts: Play([head(**headers), last(change(streamed(parts)))])


def _bytewise(parts: Sequence[str]) -> Play:
    return Play([head(), *[chunk(bytes([byte])) for byte in streamed(parts)], LAST_CHUNK])


def completion(parts: Sequence[str], *, usage: object = None, index: int = 0) -> bytes:
    """A whole answer, as JSON."""
    message = {"role": "assistant", "content": "".join(parts)}
    usage = usage or {"prompt_tokens": 10, "completion_tokens": len(parts)}
    choices = [{"index": index, "message": message, "finish_reason": "stop"}]
    return json.dumps({"choices": choices, "usage": usage}, ensure_ascii=False).encode()


def document(parts: Sequence[str]) -> Play:
    return Play(body(completion(parts)))


def _documents(
    change: Callable[[bytes], bytes], *, kind: str = JSON, **headers: str
) -> Callable[[Sequence[str]], Play]:
    """A whole answer, its bytes changed."""
    return lambda parts: Play(body(change(completion(parts)), kind=kind, **headers))


def _cut(*steps: bytes | float, end: str = "close", at: int | None = 40) -> Callable[[Sequence[str]], Play]:
    """After part of a whole answer."""
    return lambda parts: Play([head(kind=JSON), chunk(completion(parts)[:at]), 0.5, *steps], end)  # type: ignore[arg-type]


def _with_usage(prompt: object, completed: object) -> Callable[[Sequence[str]], Play]:
    told = {"prompt_tokens": prompt, "completion_tokens": completed}
    return lambda parts: Play(body(completion(parts, usage=told)))


def _document_bytewise(parts: Sequence[str]) -> Play:
    return Play([head(kind=JSON), *[chunk(bytes([byte])) for byte in completion(parts)], LAST_CHUNK])


REFUSAL = {"error": {"message": "said no", "type": "error", "param": None, "code": None}}


def _refusal(status: str, **headers: str) -> Callable[[Sequence[str]], Play]:
    return _before(*body(json.dumps(REFUSAL).encode(), status, **headers))


def _error(message: str, code: str | int | None = None) -> bytes:
    return event({"error": {"message": message, "type": "server_error", "code": code}})


NO_GZIP = body(b"no gzip", kind="text/event-stream", Content_Encoding="gzip")
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
JUNK = b"data: {not json\n\n"
BAD_UTF8 = b'data: {"choices":[{"index":0,"delta":{"content":"\xff\xfe"}}]}\n\n'
PING, EMPTY_DELTA = b": ping\n\n", say("")
OVERSIZED = b"x" * (4 * 1024 * 1024 + 1)
ENDLESS = 40
"""So often, every half second: longer than any deadline."""


def _endless(what: bytes) -> list[bytes | float]:
    return [step for _ in range(ENDLESS) for step in (chunk(what), 0.5)]


NEVER, TORN, LATE, WHOLE, EMPTY = End

UNBEGUN: tuple[Fault, ...] = (
    # Before the headers.
    Fault("cut before the headers", NEVER, _before(), again=True),
    Fault("reset before the headers", NEVER, _before(end="reset"), again=True),
    Fault("stall before the headers", NEVER, _before(HANG), 504),
    Fault("cut in the headers", NEVER, _before(b"HTTP/1.1 200 OK\r\nContent-"), again=True),
    Fault("stall in the headers", NEVER, _before(b"HTTP/1.1 200 OK\r\nContent-", HANG), 504),
    Fault("no HTTP", NEVER, _before(b"220 mail.example ESMTP\r\n\r\n"), again=True),
    Fault("endless headers", NEVER, _before(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), again=True),
    # Statuses.
    Fault("400", NEVER, _refusal("400 Bad Request"), 400, passes=True),
    Fault("401", NEVER, _refusal("401 Unauthorized"), 502),
    Fault("403", NEVER, _refusal("403 Forbidden"), 502),
    Fault("404", NEVER, _refusal("404 Not Found"), 502),
    Fault("413", NEVER, _refusal("413 Too Large"), 413, passes=True),
    Fault("422", NEVER, _refusal("422 Unprocessable"), 422, passes=True),
    Fault("429", NEVER, _refusal("429 Too Many"), 429, again=True),
    Fault("429 soon", NEVER, _refusal("429 Too Many", Retry_After="1"), 429, again=True, retry_after="1"),
    Fault("429 late", NEVER, _refusal("429 Too Many", Retry_After="60"), 429, retry_after="60"),
    Fault("429 in ms", NEVER, _refusal("429 Too Many", retry_after_ms="1500"), 429, again=True, retry_after="2"),
    Fault("500", NEVER, _refusal("500 Oops"), again=True),
    Fault("503 soon", NEVER, _refusal("503 Busy", Retry_After="1"), again=True),
    Fault("503 late", NEVER, _refusal("503 Busy", Retry_After="Wed, 01 Jan 2098 00:00:00 GMT"), again=True),
    Fault("503 in HTML", NEVER, _before(*body(HTML, "503 Busy", kind="text/html")), again=True),
    Fault("redirect", NEVER, _before(*body(b"", "302 Found", Location="http://169.254.169.254/"))),
    Fault("error body that stalls", NEVER, _before(head("400 Bad Request"), chunk(b"no"), HANG), 400),
    # Bodies that are none.
    Fault("no body", NEVER, _before(head(), last()), again=True),
    Fault("HTML with a 200", NEVER, _before(*body(HTML, kind="text/html")), again=True),
    Fault("JSON of another kind", NEVER, _before(*body(b'{"hello": 1}')), again=True),
    Fault("a stream called JSON", NEVER, _all(lambda data: data, kind="application/json"), again=True),
    Fault("broken gzip", NEVER, _before(*NO_GZIP), again=True),
    Fault("error document with a 200", NEVER, _before(*body(b'{"error": {"message": "overloaded"}}')), again=True),
)
"""Before an answer has begun, streamed or not."""

_STREAMED: tuple[Fault, ...] = (
    # Before the first content.
    Fault("cut before content", NEVER, _reply(), again=True),
    Fault("end before content", NEVER, _reply(LAST_CHUNK), again=True),
    Fault("reset before content", NEVER, _reply(end="reset"), again=True),
    Fault("stall before content", NEVER, _reply(HANG), 504),
    Fault("done before content", NEVER, _reply(last(DONE)), again=True),
    Fault("finish without content", EMPTY, _reply(last(finish() + told(10, 0) + DONE))),
    Fault("junk before content", NEVER, _reply(last(JUNK + DONE)), again=True),
    Fault("bad UTF-8 before content", NEVER, _reply(last(BAD_UTF8 + DONE)), again=True),
    Fault("error frame before content", NEVER, _reply(last(_error("it broke"))), again=True),
    Fault("overload frame before content", NEVER, _reply(last(_error("Overloaded"))), again=True),
    Fault("rate limit frame", NEVER, _reply(last(_error("slow down", "rate_limit_exceeded"))), 429, again=True),
    Fault("refusing frame", NEVER, _reply(last(_error("too long", 400))), 400),
    Fault("named error event", NEVER, _reply(last(b'event: error\ndata: {"message": "it broke"}\n\n')), again=True),
    Fault("a choice nobody asked for", NEVER, _reply(last(say("It", index=1))), again=True),
    Fault("keep-alives for ever", NEVER, _reply(*_endless(PING)), 504),
    Fault("empty deltas for ever", NEVER, _reply(*_endless(EMPTY_DELTA)), 504),
    Fault("oversized comment", NEVER, _reply(chunk(b": " + OVERSIZED), HANG), again=True),
    Fault("oversized event", NEVER, _reply(chunk(b"data: " + OVERSIZED), HANG), again=True),
    # In the middle of the answer.
    Fault("cut in the middle", TORN, _middle()),
    Fault("end in the middle", TORN, _middle(LAST_CHUNK)),
    Fault("reset in the middle", TORN, _middle(end="reset")),
    Fault("stall in the middle", TORN, _middle(HANG)),
    Fault("cut in an event", TORN, _middle(chunk(say(" Canberra.")[:30]))),
    Fault("done in the middle", TORN, _middle(last(DONE))),
    Fault("junk in the middle", TORN, _middle(last(JUNK + DONE))),
    Fault("bad UTF-8 in the middle", TORN, _middle(last(BAD_UTF8 + DONE))),
    Fault("broken chunk size", TORN, _middle(b"zz\r\n")),
    Fault("error frame in the middle", TORN, _middle(last(_error("it broke")))),
    Fault("rate limit in the middle", TORN, _middle(last(_error("slow down", 429)))),
    Fault("named error in the middle", TORN, _middle(last(b"event: error\ndata: it broke\n\n"))),
    Fault("another choice in between", TORN, _middle(last(say(" B", index=1) + say(" Canberra.") + finish() + DONE))),
    Fault("keep-alives in the middle", TORN, _middle(*_endless(PING))),
    Fault("empty deltas in the middle", TORN, _middle(*_endless(EMPTY_DELTA))),
    Fault("oversized event in the middle", TORN, _middle(chunk(b"data: " + OVERSIZED), HANG)),
    # After the finish reason, before [DONE].
    Fault("cut after the finish", WHOLE, _finished(), counted=False),
    Fault("end after the finish", WHOLE, _finished(LAST_CHUNK), counted=False),
    Fault("reset after the finish", WHOLE, _finished(0.01, end="reset"), counted=False),
    Fault("stall after the finish", WHOLE, _finished(HANG), counted=False),
    Fault("junk after the finish", WHOLE, _finished(last(JUNK)), counted=False),
    Fault("error frame after the finish", LATE, _finished(last(_error("it broke"))), counted=False),
    Fault("stall after the usage", WHOLE, _finished(HANG, usage=told())),
    # Usage that cannot be.
    Fault("usage below zero", WHOLE, _told(told(-5, -7)), counted=False),
    Fault("usage in words", WHOLE, _told(told("ten", "two")), counted=False),
    Fault("usage in digits", WHOLE, _told(told("10", "2")), counted=False),
    Fault("usage without end", WHOLE, _told(told(10**18, 10**30)), counted=False),
    Fault("usage in parts", WHOLE, _told(told(10.5, 2.5)), counted=False),
    Fault("usage of nothing", WHOLE, _told(told(None, None)), counted=False),
    Fault("usage as a list", WHOLE, _told(event({"choices": [], "usage": [10, 2]})), counted=False),
    Fault("no usage", WHOLE, _told(b""), counted=False),
    # After [DONE].
    Fault("cut after done", WHOLE, _finished(chunk(told() + DONE))),
    Fault("reset after done", WHOLE, _finished(chunk(told() + DONE), 0.01, end="reset")),
    Fault("stall after done", WHOLE, _finished(chunk(told() + DONE), HANG)),
    Fault("junk after done", WHOLE, _finished(last(told() + DONE + JUNK))),
    # Odd, and right.
    Fault("split at every byte", WHOLE, _bytewise),
    Fault("CRLF", WHOLE, _all(lambda data: data.replace(b"\n", b"\r\n"))),
    Fault("CR", WHOLE, _all(lambda data: data.replace(b"\n", b"\r"))),
    Fault("byte order mark", WHOLE, _all(lambda data: b"\xef\xbb\xbf" + data)),
    Fault("comments in between", WHOLE, _all(lambda data: data.replace(b"data: {", b": ping\nid: 7\ndata: {"))),
    Fault("no space", WHOLE, _all(lambda data: data.replace(b"data: ", b"data:"))),
    Fault("data in lines", WHOLE, _all(lambda data: data.replace(b'data: {"choices"', b'data: {\ndata: "choices"'))),
    Fault("called text", WHOLE, _all(lambda data: data, kind="text/plain")),
    Fault("called nothing", WHOLE, _all(lambda data: data, kind="")),
    Fault("gzip", WHOLE, _all(gzip.compress, Content_Encoding="gzip")),
    Fault("whole at once", WHOLE, document),
)
FAULTS = (*UNBEGUN, *_STREAMED)

_WHOLE: tuple[Fault, ...] = (
    # A reply that is one document, where that is what was asked for.
    Fault("stream for a document", NEVER, _all(lambda data: data), again=True),
    Fault("cut in the document", NEVER, _cut(), again=True),
    Fault("end in the document", NEVER, _cut(LAST_CHUNK), again=True),
    Fault("reset in the document", NEVER, _cut(end="reset"), again=True),
    Fault("stall in the document", NEVER, _cut(HANG), 504),
    Fault("spaces for ever", NEVER, _cut(*_endless(b" ") * 2), 504),
    Fault("broken chunk size in the document", NEVER, _cut(b"zz\r\n"), 504),  # which aiohttp keeps to itself
    Fault("cut after the document", NEVER, _cut(at=None), again=True),
    Fault("stall after the document", NEVER, _cut(HANG, at=None), 504),
    Fault("junk after the document", NEVER, _documents(lambda data: data + JUNK), again=True),
    Fault("bad UTF-8 in the document", NEVER, _documents(lambda data: data.replace(b" ", b"\xff")), again=True),
    Fault("a list", NEVER, _documents(lambda data: b"[" + data + b"]"), again=True),
    Fault("nested too deep", NEVER, _documents(lambda data: b'{"x":' * 10_000 + data + b"}" * 10_000), again=True),
    Fault("no choices", NEVER, _before(*body(b'{"choices": []}')), again=True),
    Fault("choices in words", NEVER, _before(*body(b'{"choices": "none"}')), again=True),
    Fault("an empty object", NEVER, _before(*body(b"{}")), again=True),
    Fault("only a choice nobody asked for", NEVER, lambda parts: Play(body(completion(parts, index=1))), again=True),
    Fault(
        "rate limit document", NEVER, _before(*body(b'{"error": {"message": "slow", "code": 429}}')), 429, again=True
    ),
    Fault("refusing document", NEVER, _before(*body(b'{"error": {"message": "long", "code": "400"}}')), 400),
    Fault("an older error document", NEVER, _before(*body(b'{"object": "error", "message": "no"}')), again=True),
    Fault("a document of nothing", EMPTY, lambda _: document(())),
    # Usage that cannot be, and none.
    Fault("document's usage below zero", WHOLE, _with_usage(-5, -7), counted=False),
    Fault("document's usage in words", WHOLE, _with_usage("ten", "two"), counted=False),
    Fault("document's usage without end", WHOLE, _with_usage(10**18, 10**30), counted=False),
    Fault("document's usage of nothing", WHOLE, _with_usage(None, None), counted=False),
    Fault("document's usage as a list", WHOLE, lambda parts: Play(body(completion(parts, usage=[1]))), counted=False),
    # Odd, and right.
    Fault("document byte by byte", WHOLE, _document_bytewise),
    Fault("spaces around the document", WHOLE, _documents(lambda data: b"\n " + data + b"\r\n")),
    Fault("document called text", WHOLE, _documents(lambda data: data, kind="text/plain")),
    Fault("document called a stream", WHOLE, _documents(lambda data: data, kind="text/event-stream")),
    Fault("document called nothing", WHOLE, _documents(lambda data: data, kind="")),
    Fault("document in gzip", WHOLE, _documents(gzip.compress, Content_Encoding="gzip")),
)
WHOLE_FAULTS = (*UNBEGUN, *_WHOLE)
"""Where a document is what was asked for."""

REFUSED = Fault("connection refused", NEVER, _before(), again=True)

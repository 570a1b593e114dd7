"""We as a client: one chunk of a streamed chat completion, or a whole one, as what the router reads of it.

Only what the router reads is decoded; the rest is skipped without being built, which is most of the speed. Source:
OpenAI API reference, "The chat completion chunk object" and "The chat completion object"; where servers in the field
differ from it, the comment at the field says how.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from streamroute.core.types import Delta, TokenLogprob, Usage
from streamroute.wire.errors import UNREADABLE, ReportedError, WireError

__all__ = ("Choice", "Chunk", "decode_chunk", "decode_error", "to_delta", "to_usage", "usage_of")


class _Part(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None


class _TopLogprob(msgspec.Struct, gc=False):
    token: str
    logprob: float


class _TokenLogprob(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: list[_TopLogprob] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_TokenLogprob] | None = None


class _Message(msgspec.Struct):
    # Mistral sends lists of parts, in which "thinking" is not answer text.
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: msgspec.Raw = msgspec.Raw()
    # `reasoning_content` and `reasoning` are left unread: a thought is not an answer.


class Choice(msgspec.Struct):
    index: int = 0
    delta: _Message | None = None
    message: _Message | None = None
    # Evidence, not answer: decoded by itself, so that an odd value in it costs no more than the evidence.
    logprobs: msgspec.Raw = msgspec.Raw()
    finish_reason: str | None = None


_Tokens = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
"""No request has more: a number beyond is an error of the server's, which must not become an amount of money."""


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: _Tokens | None = None
    completion_tokens: _Tokens | None = None


class Chunk(msgspec.Struct):
    choices: list[Choice] | None = None
    # Bookkeeping, not answer: decoded by itself, so that an odd number in it costs no more than the number.
    usage: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    # Older vLLM puts an error's fields at the top: {"object": "error", "message": ...}.
    object: str | None = None
    message: msgspec.Raw = msgspec.Raw()


class _ErrorBody(msgspec.Struct):
    message: str | None = None
    code: str | int | None = None
    type: str | None = None


class _ErrorDocument(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw()
    message: msgspec.Raw = msgspec.Raw()
    detail: msgspec.Raw = msgspec.Raw()


# A decoder is immutable and costs more to make than to use.
_CHUNK: Final = msgspec.json.Decoder(Chunk)
_USAGE: Final = msgspec.json.Decoder(_Usage)
_LOGPROBS: Final = msgspec.json.Decoder(_Logprobs)
_TOOL_CALLS: Final = msgspec.json.Decoder(list[dict[str, Any]])
_ERROR_BODY: Final = msgspec.json.Decoder(_ErrorBody | str)
_ERROR_DOCUMENT: Final = msgspec.json.Decoder(_ErrorDocument)
UNEXPLAINED: Final = "the upstream reported an error"
_ABSENT: Final = (b"", b"null", b"[]")


def decode_error(body: bytes) -> tuple[str, str | None]:
    """What the body of an error reply says: as one line, empty where it says nothing readable, and its machine-readable
    code, where it has one."""
    try:
        document = _ERROR_DOCUMENT.decode(body)
    except UNREADABLE:
        text = body.decode("utf-8", "replace")
        # An HTML page or binary rubbish helps nobody.
        return ("" if text.lstrip().startswith("<") or "\x00" in text else _one_line(text)), None
    for raw in (document.error, document.message, document.detail):
        if bytes(raw) not in _ABSENT:
            return _error_of(raw)
    return "", None


def decode_chunk(data: bytes) -> Chunk:
    """A chunk, or a whole completion. Raises `ReportedError` for an error that it reports, `WireError` for neither."""
    try:
        chunk = _CHUNK.decode(data)
    except UNREADABLE as error:
        raise WireError(f"not a chat completion: {error}") from error
    if bytes(chunk.error) not in _ABSENT:
        raise _error_frame(bytes(chunk.error))
    if chunk.object == "error":
        raise ReportedError(_error_of(chunk.message)[0] or UNEXPLAINED)
    return chunk


def to_delta(choice: Choice) -> Delta:
    """What a choice of a chunk adds, or what a choice of a completion is. Without usage.

    Raises `WireError` for tool calls that are none.
    """
    message = choice.delta or choice.message
    # Some servers send "" until there is a reason.
    finish_reason = choice.finish_reason or None
    logprobs = _logprobs(bytes(choice.logprobs))
    if message is None:
        return Delta(index=choice.index, logprobs=logprobs, finish_reason=finish_reason)
    content = message.content
    if content is None:
        content = ""
    elif not isinstance(content, str):
        content = "".join([part.text or "" for part in content if part.type in ("text", "")])
    calls = bytes(message.tool_calls)
    if calls not in _ABSENT:
        # Skipped until now, and so unchecked: they leave as they came.
        try:
            _TOOL_CALLS.decode(calls)
        except UNREADABLE as error:
            raise WireError(f"not a tool-call array: {error}") from error
    return Delta(
        text=content,
        index=choice.index,
        logprobs=logprobs,
        tool_calls=calls if calls not in _ABSENT else None,
        refusal=message.refusal or None,
        finish_reason=finish_reason,
    )


def _logprobs(raw: bytes) -> tuple[TokenLogprob, ...]:
    if raw in _ABSENT:
        return ()
    try:
        logprobs = _LOGPROBS.decode(raw)
    except UNREADABLE:
        return ()
    return tuple(
        [
            TokenLogprob(t.token, t.logprob, tuple([(top.token, top.logprob) for top in t.top_logprobs or ()]))
            for t in logprobs.content or ()
        ]
    )


def to_usage(chunk: Chunk) -> Usage | None:
    """The usage that a chunk tells, if any that can be."""
    raw = bytes(chunk.usage)
    if raw in _ABSENT:
        return None
    try:
        return _counts(_USAGE.decode(raw))
    except UNREADABLE:
        return None


def usage_of(document: object) -> Usage | None:
    """The usage that a decoded object tells, if any that can be."""
    try:
        return _counts(msgspec.convert(document, _Usage))
    except UNREADABLE:
        return None


def _counts(usage: _Usage) -> Usage | None:
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0)


def _error_frame(data: bytes) -> ReportedError:
    message, code = _error_of(data)
    return ReportedError(message or UNEXPLAINED, code=code)


def _error_of(raw: bytes | msgspec.Raw) -> tuple[str, str | None]:
    """Message and code of an error in any of the shapes it comes in; the raw JSON where it comes in none of them."""
    raw = bytes(raw)
    try:
        error = _ERROR_BODY.decode(raw)
    except UNREADABLE:
        return _one_line(raw.decode("utf-8", "replace")), None
    if isinstance(error, str):
        return _one_line(error), None
    code = None if error.code is None else str(error.code)
    return _one_line(error.message or error.type or code or ""), code


def _one_line(text: str, limit: int = 500) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"

"""We as a server: what we send to OpenAI clients.

Source: OpenAI API reference, "The chat completion chunk object", "The chat completion object", "List models" and the
error shape of its guide. What only we say travels in the top-level field `streamroute`, which stock clients skip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from streamroute.core.types import Delta, TokenLogprob, Usage
from streamroute.wire.collect import Choice

__all__ = ("ChunkEncoder", "encode_completion", "encode_error", "encode_models")


class _TopLogprob(msgspec.Struct, gc=False):
    token: str
    logprob: float
    bytes: list[int]


class _TokenLogprob(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[_TopLogprob]


class _Logprobs(msgspec.Struct):
    content: list[_TokenLogprob]
    refusal: None = None  # typed clients expect the field


class _Delta(msgspec.Struct):
    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    tool_calls: msgspec.Raw | UnsetType = UNSET


class _ChunkChoice(msgspec.Struct):
    index: int
    delta: _Delta
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class _Chunk(msgspec.Struct):
    id: str
    created: int
    model: str
    choices: tuple[_ChunkChoice, ...]
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    usage: _Usage | UnsetType = UNSET
    streamroute: Mapping[str, Any] | UnsetType = UNSET


class _Message(msgspec.Struct):
    content: str | None
    refusal: str | None
    tool_calls: msgspec.Raw | UnsetType = UNSET
    role: Literal["assistant"] = "assistant"


class _Choice(msgspec.Struct):
    index: int
    message: _Message
    logprobs: _Logprobs | None
    finish_reason: str


class _Completion(msgspec.Struct):
    id: str
    created: int
    model: str
    choices: list[_Choice]
    object: Literal["chat.completion"] = "chat.completion"
    usage: _Usage | UnsetType = UNSET
    streamroute: Mapping[str, Any] | UnsetType = UNSET


class ChunkEncoder:
    """The chunks of one streamed reply, each as the bytes of one server-sent event.

    `created` is in seconds since the epoch; `logprobs` says whether the client asked for log-probabilities.
    """

    __slots__ = ("_created", "_encoder", "_id", "_logprobs", "_model")

    def __init__(self, *, id: str, created: int, model: str, logprobs: bool = False) -> None:
        self._id = id
        self._created = created
        self._model = model
        self._logprobs = logprobs
        self._encoder = msgspec.json.Encoder()

    def opening(self, index: int = 0) -> bytes:
        """The first chunk of a choice: it names the role and says nothing."""
        return self._event((_ChunkChoice(index, _Delta(role="assistant", content="")),))

    def delta(self, delta: Delta) -> bytes:
        """One step of the answer. Its usage is left to `usage`."""
        out = _Delta()
        if delta.text:
            out.content = delta.text
        if delta.refusal is not None:
            out.refusal = delta.refusal
        if delta.tool_calls is not None:
            out.tool_calls = msgspec.Raw(delta.tool_calls)
        logprobs = _logprobs(delta.logprobs) if self._logprobs and delta.logprobs else None
        return self._event((_ChunkChoice(delta.index, out, logprobs, delta.finish_reason),))

    def note(self, fields: Mapping[str, Any]) -> bytes:
        """What happened to the route: a chunk whose `streamroute` holds `fields` and whose delta is empty.

        Not one without choices: too many programs read `chunk.choices[0]` of every chunk.
        """
        return self._event((_ChunkChoice(0, _Delta()),), fields=fields)

    def usage(self, usage: Usage, fields: Mapping[str, Any] | None = None) -> bytes:
        """The last chunk before `[DONE]`, without choices, for clients that set `stream_options.include_usage`."""
        return self._event((), usage=usage, fields=fields)

    def _event(
        self, choices: tuple[_ChunkChoice, ...], *, usage: Usage | None = None, fields: Mapping[str, Any] | None = None
    ) -> bytes:
        chunk = _Chunk(self._id, self._created, self._model, choices)
        if usage is not None:
            chunk.usage = _usage(usage)
        if fields is not None:
            chunk.streamroute = fields
        return b"data: %b\n\n" % self._encoder.encode(chunk)


def encode_completion(
    *,
    id: str,
    created: int,
    model: str,
    choices: Sequence[Choice],
    usage: Usage | None = None,
    fields: Mapping[str, Any] | None = None,
    logprobs: bool = False,
) -> bytes:
    """A whole reply. A choice that gave no `finish_reason` is said to have stopped."""
    completion = _Completion(id, created, model, [_choice(choice, logprobs) for choice in choices])
    if usage is not None:
        completion.usage = _usage(usage)
    if fields is not None:
        completion.streamroute = fields
    return msgspec.json.encode(completion)


def encode_error(
    message: str,
    *,
    type: str,
    param: str | None = None,
    code: str | None = None,
    fields: Mapping[str, Any] | None = None,
) -> bytes:
    """OpenAI's error shape, as the body of an error reply or the data of an event inside a stream."""
    document: dict[str, Any] = {"error": {"message": message, "type": type, "param": param, "code": code}}
    if fields is not None:
        document["streamroute"] = fields
    return msgspec.json.encode(document)


def encode_models(names: Iterable[str], *, created: int, owned_by: str = "streamroute") -> bytes:
    """The list of models that a client can name."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": owned_by} for name in names]
    return msgspec.json.encode({"object": "list", "data": data})


def _choice(choice: Choice, logprobs: bool) -> _Choice:
    # OpenAI has null content where the message is a tool call or a refusal.
    message = _Message(choice.text or (None if choice.tool_calls or choice.refusal else ""), choice.refusal)
    if choice.tool_calls is not None:
        message.tool_calls = msgspec.Raw(choice.tool_calls)
    content = _logprobs(choice.logprobs) if logprobs and choice.logprobs else None
    return _Choice(choice.index, message, content, choice.finish_reason or "stop")


def _usage(usage: Usage) -> _Usage:
    return _Usage(usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens + usage.completion_tokens)


def _logprobs(logprobs: Iterable[TokenLogprob]) -> _Logprobs:
    return _Logprobs(
        [
            _TokenLogprob(
                t.token,
                t.logprob,
                list(t.token.encode()),
                [_TopLogprob(token, logprob, list(token.encode())) for token, logprob in t.top],
            )
            for t in logprobs
        ]
    )

"""The body of a chat-completions request: ours to an upstream, and a client's to us.

Source: OpenAI API reference, "Create chat completion". We check what we read and pass everything else on untouched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from streamroute.core.types import Release
from streamroute.errors import BadRequestError
from streamroute.wire.errors import UNREADABLE

__all__ = ("ClientRequest", "RouteOptions", "decode_document", "decode_request", "request_body")


MOST_NAME: Final = 256
"""Characters of a name that is looked for, and said again in an error."""


class RouteOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client may ask of the router: the body's private field `streamroute`.

    `release` says what may be seen of an answer before the verdict on it (None: the route's own choice),
    `on_escalation` what the release mode `auto` may do to a shown answer, `judge` whether it is judged at all (None: it
    is), `tier` the name of the tier to start with. With `trace` a stream also tells what is being found out about the
    answer.
    """

    release: Release | None = None
    on_escalation: Literal["retract", "append", "continue"] | None = None
    judge: bool | None = None
    tier: Annotated[str, Meta(max_length=MOST_NAME)] | None = None
    trace: bool = False


class ClientRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A client's request, checked. `params` is the rest of its body, without the fields that are told apart here;
    `document` is all of it."""

    model: str
    messages: tuple[dict[str, Any], ...]
    params: dict[str, Any]
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    options: RouteOptions = RouteOptions()
    document: dict[str, Any] = {}

    @property
    def has_media(self) -> bool:
        """Whether a message holds anything but text: images, audio, files."""
        parts = (part for m in self.messages if isinstance(m.get("content"), list) for part in m["content"])
        return any(part["type"] not in ("text", "refusal") for part in parts)


def request_body(
    *,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    params: Mapping[str, Any],
    n: int = 1,
    include_usage: bool = True,
) -> dict[str, Any]:
    """The body that asks `model` for a stream. What we have to say ourselves wins over `params`."""
    body = {**params, "model": model, "messages": messages, "stream": True}
    if n > 1:
        body["n"] = n
    else:
        body.pop("n", None)
    if include_usage:
        body["stream_options"] = {**(params.get("stream_options") or {}), "include_usage": True}
    else:
        body.pop("stream_options", None)
    return body


_Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class _Part(msgspec.Struct):
    type: Annotated[str, Meta(min_length=1)]
    text: str | UnsetType = UNSET


class _Message(msgspec.Struct):
    role: _Role
    content: str | list[_Part] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    function_call: dict[str, Any] | None = None
    refusal: str | None = None
    audio: dict[str, Any] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Body(msgspec.Struct):
    """What is checked of a body. `null` is as good as absent, as it is at OpenAI."""

    model: Annotated[str, Meta(min_length=1, max_length=MOST_NAME)]
    messages: Annotated[list[_Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    streamroute: RouteOptions | None = None
    # From here on read by the models only: of a wrong type they would fail later, and once for every leg. What values
    # they may take is each server's own affair.
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, float] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    functions: list[dict[str, Any]] | None = None
    modalities: list[str] | None = None
    response_format: dict[str, Any] | None = None
    audio: dict[str, Any] | None = None
    user: str | None = None


_DOCUMENT: Final = msgspec.json.Decoder(dict[str, Any])
# 1.0 is an integer in JSON, whatever Python calls it.
_INTEGERS: Final = ("n", "max_tokens", "max_completion_tokens", "seed", "top_logprobs")
_OURS: Final = ("model", "messages", "stream", "stream_options", "n", "streamroute")


def decode_document(body: bytes) -> dict[str, Any]:
    """A client's body, as the JSON object that it must be. Raises `BadRequestError`."""
    try:
        return _DOCUMENT.decode(body)
    except msgspec.ValidationError as error:
        if "out of range" in str(error):
            raise BadRequestError("the body holds a number that is too large", code="invalid_value") from error
        raise BadRequestError("the body must be a JSON object", code="invalid_type") from error
    except UNREADABLE as error:
        raise BadRequestError(f"the body is not valid JSON: {error}", code="invalid_json") from error


def decode_request(body: bytes) -> ClientRequest:
    """A client's body, checked and taken apart.

    Raises `BadRequestError` whose `param` names the field as OpenAI does (`messages[0].content`), None when the body as
    a whole is not a JSON object.
    """
    document = decode_document(body)
    for field in _INTEGERS:
        value = document.get(field)
        if isinstance(value, float) and value.is_integer():
            document[field] = int(value)
    try:
        checked = msgspec.convert(document, _Body)
    except msgspec.ValidationError as error:
        raise _bad_field(error) from error
    for position, message in enumerate(checked.messages):
        _check_content(message, f"messages[{position}]")
    stream_options = checked.stream_options or _StreamOptions()
    return ClientRequest(
        model=checked.model,
        messages=tuple(document["messages"]),
        params={field: value for field, value in document.items() if field not in _OURS},
        stream=bool(checked.stream),
        include_usage=bool(stream_options.include_usage),
        n=checked.n or 1,
        options=checked.streamroute or RouteOptions(),
        document=document,
    )


def _check_content(message: _Message, where: str) -> None:
    """Every message must say something; only an assistant may have said it otherwise than in `content`."""
    content = message.content
    if not content:
        said_otherwise = message.tool_calls or message.function_call or message.refusal or message.audio
        # What a tool gave back may well be empty, and an assistant's earlier turn is history, not a question.
        if said_otherwise or (content is not None and message.role in ("assistant", "tool", "function")):
            return
        problem = "must not be empty" if content is not None else "is missing"
        raise BadRequestError(f"{where}.content {problem}", param=f"{where}.content", code="empty_content")
    if isinstance(content, str):
        if not content.strip() and message.role == "user":
            raise BadRequestError(f"{where}.content must not be empty", param=f"{where}.content", code="empty_content")
        return
    for position, part in enumerate(content):
        if part.type == "text" and part.text is UNSET:
            raise BadRequestError(
                f"{where}.content[{position}].text is missing",
                param=f"{where}.content[{position}].text",
                code="missing_field",
            )


# What JSON calls the types that msgspec names in Python's words.
_JSON_TYPES: Final = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_SHOWN: Final = ("retract", "append", "continue")
_ALLOWED: Final = {"role": get_args(_Role), "release": tuple(Release), "on_escalation": _SHOWN}


def _bad_field(error: msgspec.ValidationError) -> BadRequestError:
    """msgspec says "<problem> - at `$.messages[0].role`", and names the parent of what is missing or unknown."""
    problem, _, path = str(error).partition(" - at `")
    path = path.rstrip("`").removeprefix("$").removeprefix(".")[:MOST_NAME]
    for marker, says, code in _ABOUT_THE_PARENT:
        if marker in problem:
            field = problem.partition(marker)[2].rstrip("`")[:MOST_NAME]
            path = f"{path}.{field}" if path else field
            return BadRequestError(f"{path} {says}", param=path, code=code)
    if problem.startswith("Invalid enum value"):
        allowed = ", ".join(_ALLOWED[path.rpartition(".")[2]])
        return BadRequestError(f"{path} must be one of {allowed}", param=path, code="invalid_value")
    code = "invalid_type" if ", got `" in problem else "invalid_value"
    problem = re.sub(r"`(.+?)`", _in_json_words, problem)
    return BadRequestError(f"{path}: {problem[:1].lower()}{problem[1:]}", param=path, code=code)


_ABOUT_THE_PARENT: Final = (
    ("missing required field `", "is missing", "missing_field"),
    ("contains unknown field `", "is not a known field", "unknown_field"),
)


def _in_json_words(types: re.Match[str]) -> str:
    return " or ".join(_JSON_TYPES.get(word, word) for word in types[1].split(" | "))

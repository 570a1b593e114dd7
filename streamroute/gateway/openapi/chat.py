"""POST /v1/chat/completions: the request as far as the gateway reads it, the whole reply, the chunks of a stream.

Source: OpenAI API reference: "Create chat completion", "The chat completion object", "The chat completion chunk object"
What a request may hold beyond this is the model's own affair: it is passed on untouched.
"""

from __future__ import annotations

from typing import Final

from streamroute.gateway.openapi.failures import failures
from streamroute.gateway.openapi.parts import (
    BOOLEAN,
    COUNT,
    INTEGER,
    NUMBER,
    STRING,
    Schema,
    array,
    either,
    json,
    nullable,
    of,
    record,
    ref,
    said,
)
from streamroute.gateway.openapi.routing import HEADERS, PARAMETERS
from streamroute.wire.request import MOST_NAME

__all__ = ("PATHS", "SCHEMAS")

_FILLED: Final[Schema] = {"type": "string", "minLength": 1}
_SAYS_SOMETHING: Final[Schema] = {"type": "string", "pattern": r"\S"}
_PARTS: Final = array(ref("ContentPart"), minItems=1)
_CALLS: Final = array(record({"type": STRING}, optional=["type"]))

_PART: Final[Schema] = {
    "type": "object",
    "description": "Text, or an image, audio, a file: whatever is not text is not judged.",
    "properties": {"type": _FILLED, "text": STRING},
    "required": ["type"],
    "if": {"properties": {"type": {"const": "text"}}},
    "then": {"required": ["text"]},
}


def _message(role: str, content: Schema, *, optional: bool = False) -> Schema:
    return record({"role": {"const": role}, "content": content}, optional=["content"] if optional else [])


_ASSISTANT: Final = record(
    {
        "role": {"const": "assistant"},
        "content": nullable(either(STRING, array(ref("ContentPart")))),
        "refusal": nullable(STRING),
        "tool_calls": nullable(_CALLS),
        "function_call": nullable({"type": "object"}),
        "audio": nullable({"type": "object"}),
    },
    optional=["content", "refusal", "tool_calls", "function_call", "audio"],
    text="What was answered before: in words, or by a call, a refusal or audio.",
) | {
    "anyOf": [
        {"required": ["content"], "properties": {"content": {"type": ["string", "array"]}}},
        {"required": ["tool_calls"], "properties": {"tool_calls": {"type": "array", "minItems": 1}}},
        {"required": ["function_call"], "properties": {"function_call": {"type": "object", "minProperties": 1}}},
        {"required": ["refusal"], "properties": {"refusal": {"type": "string", "minLength": 1}}},
        {"required": ["audio"], "properties": {"audio": {"type": "object", "minProperties": 1}}},
    ]
}

_MESSAGE: Final[Schema] = {
    "oneOf": [
        _message("user", either(_SAYS_SOMETHING, _PARTS)),
        _message("system", either(_FILLED, _PARTS)),
        _message("developer", either(_FILLED, _PARTS)),
        _ASSISTANT,
        _message("tool", either(STRING, array(ref("ContentPart")))),
        _message("function", either(STRING, array(ref("ContentPart")))),
    ]
}

_REQUEST: Final[Schema] = {
    "type": "object",
    "description": "Of the properties that are listed the gateway checks the type; all others are passed on untouched.",
    "properties": {
        "model": of(
            {**_FILLED, "maxLength": MOST_NAME}, "A route, or a tier, which is then not judged: see /v1/models."
        ),
        "messages": array(ref("Message"), minItems=1),
        "stream": nullable(of(BOOLEAN, "true: chunks as server-sent events.")),
        "stream_options": nullable(
            {"type": "object", "properties": {"include_usage": nullable(of(BOOLEAN, "A last chunk with the usage."))}}
        ),
        "n": nullable({"type": "integer", "minimum": 1, "maximum": 128}),
        "streamroute": nullable(ref("RouteOptions")),
        **{name: nullable(NUMBER) for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty")},
        **{name: nullable(INTEGER) for name in ("max_tokens", "max_completion_tokens", "seed", "top_logprobs")},
        "stop": nullable(either(STRING, array(STRING))),
        "logprobs": nullable(BOOLEAN),
        "logit_bias": nullable({"type": "object", "additionalProperties": NUMBER}),
        "tools": nullable(array({"type": "object"})),
        "tool_choice": nullable(either(STRING, {"type": "object"})),
        "functions": nullable(array({"type": "object"})),
        "modalities": nullable(array(STRING)),
        "audio": nullable({"type": "object"}),
        "response_format": nullable({"type": "object"}),
        "user": nullable(STRING),
    },
    "required": ["model", "messages"],
}

_TOP: Final = record({"token": STRING, "logprob": NUMBER, "bytes": nullable(array(COUNT))}, optional=["bytes"])
_LOGPROBS: Final = nullable(
    record(
        {
            "content": nullable(
                array(
                    record(
                        {
                            "token": STRING,
                            "logprob": NUMBER,
                            "bytes": nullable(array(COUNT)),
                            "top_logprobs": array(_TOP),
                        },
                        optional=["bytes", "top_logprobs"],
                    )
                )
            ),
            "refusal": nullable(array({"type": "object"})),
        },
        optional=["refusal"],
    )
)
_TOOL_CALLS: Final = array({"type": "object"})

_USAGE: Final = record(
    {"prompt_tokens": COUNT, "completion_tokens": COUNT, "total_tokens": COUNT},
    text="The tokens of the answer that stands; those of every leg are in `streamroute.legs`.",
)

_COMPLETION: Final = record(
    {
        "id": STRING,
        "object": {"const": "chat.completion"},
        "created": INTEGER,
        "model": STRING,
        "choices": array(
            record(
                {
                    "index": COUNT,
                    "message": record(
                        {
                            "role": {"const": "assistant"},
                            "content": nullable(STRING),
                            "refusal": nullable(STRING),
                            "tool_calls": _TOOL_CALLS,
                        },
                        optional=["tool_calls", "refusal"],
                    ),
                    "logprobs": _LOGPROBS,
                    "finish_reason": STRING,
                },
                optional=["logprobs"],
            )
        ),
        "usage": ref("Usage"),
        "streamroute": ref("Route"),
    },
    optional=["usage", "streamroute"],
)

_DELTA: Final = record(
    {
        "role": {"const": "assistant"},
        "content": nullable(STRING),
        "refusal": nullable(STRING),
        "tool_calls": _TOOL_CALLS,
    },
    optional=["role", "content", "refusal", "tool_calls"],
)

_CHUNK: Final = record(
    {
        "id": STRING,
        "object": {"const": "chat.completion.chunk"},
        "created": INTEGER,
        "model": STRING,
        "choices": array(
            record(
                {"index": COUNT, "delta": _DELTA, "logprobs": _LOGPROBS, "finish_reason": nullable(STRING)},
                optional=["logprobs", "finish_reason"],
            )
        ),
        "usage": nullable(ref("Usage")),
        "streamroute": of(either(ref("Note"), ref("Route")), "A note; in the chunk of the usage, the whole route."),
    },
    optional=["usage", "streamroute"],
    text="The data of one event of a stream.",
)

SCHEMAS: Final[dict[str, Schema]] = {
    "ChatRequest": _REQUEST,
    "Message": _MESSAGE,
    "ContentPart": _PART,
    "ChatCompletion": _COMPLETION,
    "ChatCompletionChunk": _CHUNK,
    "Usage": _USAGE,
}

# As OpenAPI has it of sequences, the schema is that of one event.
_STREAM: Final[Schema] = {
    "schema": record(
        {
            "data": either(
                {"const": "[DONE]"},
                {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": either(ref("ChatCompletionChunk"), ref("Error")),
                },
            )
        },
        text="Server-sent events, the last of them [DONE]. After an error there is none.",
    )
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/chat/completions": {
        "post": {
            "operationId": "createChatCompletion",
            "summary": "Answer a conversation, by the cheapest tier that seems to know",
            "parameters": PARAMETERS,
            "requestBody": {"required": True, "content": json(ref("ChatRequest"))},
            "responses": {
                "200": said("The answer.", {**json(ref("ChatCompletion")), "text/event-stream": _STREAM}, HEADERS),
                **failures(400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 502, 503, 504),
            },
        }
    }
}

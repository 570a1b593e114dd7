"""The other paths: models, feedback, what was decided, what the gateway is doing."""

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
    enum,
    json,
    nullable,
    of,
    record,
    ref,
    said,
)

__all__ = ("PATHS", "SCHEMAS")

_FILLED: Final[Schema] = {"type": "string", "minLength": 1}

_MODEL: Final = record(
    {
        "id": of(STRING, "The name to ask for."),
        "object": {"const": "model"},
        "created": INTEGER,
        "owned_by": STRING,
        "streamroute": {
            "oneOf": [
                record({"kind": {"const": "route"}, "tiers": array(STRING)}),
                record({"kind": {"const": "tier"}, "model": STRING}),
            ]
        },
    }
)

_FEEDBACK: Final[Schema] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 256, "description": "That of the reply's body."},
        "correct": BOOLEAN,
    },
    "required": ["id", "correct"],
    "additionalProperties": False,
}

_EMBEDDINGS: Final = record(
    {
        "object": {"const": "list"},
        "model": STRING,
        "data": array(record({"object": STRING, "index": COUNT, "embedding": either(array(NUMBER), STRING)})),
        "usage": {"type": "object"},
    },
    optional=["usage", "model"],
)
_TEXT: Final = record(
    {
        "id": STRING,
        "object": {"const": "text_completion"},
        "choices": array(record({"index": COUNT, "text": STRING, "finish_reason": nullable(STRING)})),
    }
)


def _asking(more: dict[str, Schema]) -> Schema:
    """A request that is passed on."""
    return {"type": "object", "properties": {"model": _FILLED, **more}, "required": ["model", *more]}


SCHEMAS: Final[dict[str, Schema]] = {
    "Model": _MODEL,
    "Models": record({"object": {"const": "list"}, "data": array(ref("Model"))}),
    "FeedbackRequest": _FEEDBACK,
    "Feedback": record({"object": {"const": "feedback"}, "id": STRING, "correct": BOOLEAN}),
    "Health": record({"status": enum("ok", "draining"), "running": of(COUNT, "Requests that are being answered.")}),
    "EmbeddingsRequest": _asking({"input": either(STRING, {"type": "array"})}),
    "Embeddings": _EMBEDDINGS,
    "CompletionRequest": _asking({"prompt": either(STRING, {"type": "array"})}),
    "Completion": _TEXT,
    "Board": record(
        {
            "now": of(NUMBER, "Seconds since the epoch."),
            "uptime": of(NUMBER, "Seconds; this and the next two of the process that answers."),
            "in_flight": COUNT,
            "draining": BOOLEAN,
            "routes": array({"type": "object"}),
            "all": of({"type": "object"}, "The sums over the routes."),
            "recent": array({"type": "object"}, description="The last requests, newest first."),
        },
        text="Money in the currency of the prices, times in seconds, null for what is not known.",
    ),
    "Decision": {
        "type": "object",
        "description": "All about one request but its texts.",
        "required": ["object", "id", "legs"],
        "properties": {"object": {"const": "decision"}, "id": STRING, "legs": array({"type": "object"})},
    },
}


def _get(id: str, summary: str, response: Schema, *statuses: int, **more: object) -> Schema:
    return {
        "get": {
            "operationId": id,
            "summary": summary,
            "responses": {"200": response, **failures(*statuses)},
            **more,
        }
    }


def _post(id: str, summary: str, asked: str, response: Schema, *statuses: int) -> Schema:
    return {
        "post": {
            "operationId": id,
            "summary": summary,
            "requestBody": {"required": True, "content": json(ref(asked))},
            "responses": {"200": response, **failures(*statuses)},
        }
    }


def _named(name: str, text: str) -> list[Schema]:
    return [{"name": name, "in": "path", "required": True, "schema": _FILLED, "description": text}]


_PUBLIC: Final[list[Schema]] = [{}]
_ASKING: Final = (400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 502, 503, 504)
_PASSED_STREAM: Final[Schema] = {"text/event-stream": {"schema": STRING}}

PATHS: Final[dict[str, Schema]] = {
    "/v1/completions": _post(
        "createCompletion",
        "Complete a text, by the tier that serves it",
        "CompletionRequest",
        said("As that tier gave it.", {**json(ref("Completion")), **_PASSED_STREAM}),
        *_ASKING,
    ),
    "/v1/embeddings": _post(
        "createEmbeddings",
        "Embed texts, by the tier that serves it",
        "EmbeddingsRequest",
        said("As that tier gave it.", json(ref("Embeddings"))),
        *_ASKING,
    ),
    "/v1/models": _get(
        "listModels", "The routes and their tiers", said("All there are.", json(ref("Models"))), 401, 408, 429, 500, 503
    ),
    "/v1/models/{model}": _get(
        "retrieveModel",
        "One route or tier",
        said("What is known of it.", json(ref("Model"))),
        *(401, 404, 408, 429, 500, 503),
        parameters=_named("model", "A name of /v1/models."),
    ),
    "/v1/feedback": _post(
        "giveFeedback",
        "Say whether an answer was right",
        "FeedbackRequest",
        said("It is written down.", json(ref("Feedback"))),
        *(400, 401, 403, 408, 413, 415, 429, 500, 503),
    ),
    "/v1/decisions/{id}": _get(
        "retrieveDecision",
        "What became of one request, and what it cost",
        said("All but its texts.", json(ref("Decision"))),
        *(401, 403, 404, 408, 429, 500, 503),
        parameters=_named("id", "The request's id, or that of the reply's body."),
    ),
    "/v1/board": _get(
        "board",
        "The numbers of the page /ui",
        said("Decisions, rates, costs.", json(ref("Board"))),
        *(401, 403, 408, 429, 500, 503),
    ),
    "/metrics": _get(
        "metrics",
        "The same for Prometheus",
        said("In its text format.", {"text/plain": {"schema": STRING}}),
        *(401, 403, 408, 429, 500, 503),
    ),
    "/ui": _get(
        "page", "A page to chat by and to watch decisions", said("HTML.", {"text/html": {"schema": STRING}}), 500, 503
    ),
    "/healthz": _get(
        "health",
        "Whether the gateway takes requests",
        said("It does.", json(ref("Health"))),
        500,
        security=_PUBLIC,
    ),
    "/openapi.json": _get(
        "openapi", "This document", said("OpenAPI 3.1.", json({"type": "object"})), 500, 503, security=_PUBLIC
    ),
}
PATHS["/healthz"]["get"]["responses"]["503"] = said("It is stopping.", json(ref("Health")))
PATHS["/ui"]["get"]["security"] = _PUBLIC
PATHS["/ui/"] = {"get": {**PATHS["/ui"]["get"], "operationId": "pageToo"}}

"""POST /v1/completions and /v1/embeddings: passed through to the tier that serves them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from streamroute.errors import BadRequestError
from streamroute.gateway.access.admission import admitted
from streamroute.gateway.access.body import body_of
from streamroute.gateway.keys import CATALOGUE, CLIENT, NOTES
from streamroute.gateway.passthrough import passed_through
from streamroute.wire.openai import ClientRequest, decode_document

__all__ = ("completions", "embeddings")

_ASKS: Final = {"completions": "prompt", "embeddings": "input"}


def _handler(endpoint: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        asked = _decoded(await body_of(request), endpoint)
        assigned = request.app[CATALOGUE].serving(asked.model, endpoint, request[CLIENT])
        request[NOTES].update(model=asked.model, stream=asked.stream)
        # No other tier answers in its place: another model's vectors are in another space.
        return await passed_through(await admitted(request, asked, assigned), endpoint, [assigned.start_tier])

    return handle


completions = _handler("completions")
embeddings = _handler("embeddings")


def _decoded(body: bytes, endpoint: str) -> ClientRequest:
    """What we must know of it; all else is the upstream's to check. Raises `BadRequestError`."""
    document = decode_document(body)
    model, stream, options = document.get("model"), document.get("stream"), document.get("stream_options")
    if "model" not in document:
        raise BadRequestError("model is missing", param="model", code="missing_field")
    if not isinstance(model, str):
        raise BadRequestError("model: expected string", param="model", code="invalid_type")
    if not (stream is None or isinstance(stream, bool)):
        raise BadRequestError("stream: expected boolean", param="stream", code="invalid_type")
    if not (options is None or isinstance(options, dict)):
        raise BadRequestError("stream_options: expected object", param="stream_options", code="invalid_type")
    streams = bool(stream) and endpoint == "completions"
    return ClientRequest(
        model=model,
        messages=({"role": "user", "content": _text(document.get(_ASKS[endpoint]))},),
        params={},
        stream=streams,
        include_usage=streams and bool((options or {}).get("include_usage")),
        document=document,
    )


def _text(asked: Any) -> str:
    """What the length of the prompt is estimated by."""
    if isinstance(asked, list):
        return " ".join(part for part in asked if isinstance(part, str))
    return asked if isinstance(asked, str) else ""

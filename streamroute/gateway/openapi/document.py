"""The document of one application: what is known of the paths that it has."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import msgspec
from aiohttp import web

from streamroute.gateway.openapi import chat, failures, pages, routing

__all__ = ("PATHS", "SCHEMAS", "add_openapi", "document_of")

PATHS = {**chat.PATHS, **pages.PATHS}
SCHEMAS = {**chat.SCHEMAS, **routing.SCHEMAS, **failures.SCHEMAS, **pages.SCHEMAS}
_TEXT = """An OpenAI-compatible router: a cheap model answers, samples of it are judged beside it, and where they
disagree a larger model answers instead. Any OpenAI client works with it. What only this gateway says is in the field
`streamroute` and in the headers `x-streamroute-*`; what only it can be told is in the same field and headers of a
request."""


def document_of(app: web.Application) -> dict[str, Any]:
    """OpenAPI 3.1 of the paths and methods that `app` has."""
    served = {
        (route.resource.canonical, route.method.lower()) for route in app.router.routes() if route.resource is not None
    }
    paths = {
        path: found
        for path, operations in PATHS.items()
        if (found := {method: each for method, each in operations.items() if (path, method) in served})
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "streamroute", "version": metadata.version("streamroute"), "description": _TEXT},
        "security": [{"key": []}, {}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "Where the gateway asks for a key."}
            },
        },
    }


def add_openapi(app: web.Application) -> None:
    """Serve the document at /openapi.json; of the paths that the application has when it is first asked."""
    body: bytes | None = None

    async def openapi(request: web.Request) -> web.Response:
        nonlocal body
        if body is None:
            body = msgspec.json.encode(document_of(request.app))
        return web.Response(body=body, content_type="application/json")

    app.router.add_get("/openapi.json", openapi)

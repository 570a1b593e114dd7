"""The aiohttp application: its paths, and what surrounds every request: identity, the key, errors, the log line."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from streamroute.config.compose import ServedRoute
from streamroute.gateway.auth import authorize
from streamroute.gateway.catalogue import Catalogue
from streamroute.gateway.chat import chat_completions
from streamroute.gateway.errors import CLIENT_CLOSED, problem_of
from streamroute.gateway.feedback import feedback
from streamroute.gateway.inflight import InFlight
from streamroute.gateway.journal import Journal
from streamroute.gateway.keys import CATALOGUE, CLIENT, IN_FLIGHT, JOURNAL, LEDGER, NOTES, REQUEST_ID, SHADOWS
from streamroute.gateway.ledger.entries import Ledger
from streamroute.gateway.ledger.unkept import Unkept
from streamroute.gateway.log import Logger, json_logger
from streamroute.gateway.media import expect_json
from streamroute.gateway.openapi.document import add_openapi
from streamroute.gateway.shadows import Shadows

__all__ = ("create_app",)

_SAFE_ID = re.compile(r"[A-Za-z0-9._:/@+=-]{1,128}")
_PUBLIC = ("/healthz", "/openapi.json")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(
    routes: Mapping[str, ServedRoute],
    *,
    api_key: str | None = None,
    max_body_bytes: int = 16 * 1024 * 1024,
    log: Logger | None = None,
    journal: Journal | None = None,
    shadows: Shadows | None = None,
    ledger: Ledger | None = None,
) -> web.Application:
    """The gateway over open routes; `journal` and `ledger` are what is kept of them, `shadows` runs beside them.

    To be run with `handler_cancellation=True`: without it a client that leaves before the first token would leave the
    upstream generating.
    """
    app = web.Application(client_max_size=max_body_bytes, middlewares=[_envelope(api_key, log or json_logger())])
    app[CATALOGUE] = Catalogue(routes)
    app[IN_FLIGHT] = InFlight()
    app[JOURNAL] = journal or Journal()
    app[LEDGER] = ledger or Unkept()
    app.on_response_prepare.append(_name_request)
    app.router.add_post("/v1/chat/completions", chat_completions)
    app.router.add_get("/v1/models", _models)
    app.router.add_get("/v1/models/{model:.+}", _model)
    if shadows is not None:
        app[SHADOWS] = shadows
    if app[JOURNAL].feedback is not None:
        app.router.add_post("/v1/feedback", feedback)
    app.router.add_get("/healthz", _healthz)
    add_openapi(app)
    return app


def _envelope(api_key: str | None, log: Logger) -> Any:
    @web.middleware
    async def envelope(request: web.Request, handler: _Handler) -> web.StreamResponse:
        began = time.perf_counter()
        given = request.headers.get("x-request-id", "")
        request[REQUEST_ID] = given if _SAFE_ID.fullmatch(given) else f"req_{uuid.uuid4().hex}"
        notes = request[NOTES] = {"id": request[REQUEST_ID], "method": request.method, "path": request.path}
        status = CLIENT_CLOSED
        try:
            response = await guarded(request, handler)
            status = notes.pop("status", response.status)
            return response
        finally:
            notes.update(status=status, seconds=round(time.perf_counter() - began, 6))
            (log.debug if request.path == "/healthz" else log.info)("request", **notes)

    async def guarded(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            if request.path not in _PUBLIC:
                request[CLIENT] = authorize(request.headers, api_key)
            expect_json(request)
            return await handler(request)
        except Exception as error:
            problem = problem_of(error)
            request[NOTES]["error"] = problem.message
            if problem.code == "internal_error":
                log.exception("internal error", id=request[REQUEST_ID])
            return problem.response()

    return envelope


async def _name_request(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["x-request-id"] = request[REQUEST_ID]


async def _models(request: web.Request) -> web.Response:
    return _json({"object": "list", "data": request.app[CATALOGUE].models()})


async def _model(request: web.Request) -> web.Response:
    return _json(request.app[CATALOGUE].known(request.match_info["model"]))


async def _healthz(request: web.Request) -> web.Response:
    in_flight = request.app[IN_FLIGHT]
    state = "draining" if in_flight.draining else "ok"
    return _json({"status": state, "running": len(in_flight)}, status=503 if in_flight.draining else 200)


def _json(document: Mapping[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), status=status, content_type="application/json")

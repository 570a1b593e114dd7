"""The aiohttp application: its paths, and what surrounds every request: identity, the key, errors, the log line."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from streamroute.config.compose import ServedRoute
from streamroute.config.settings import KeySettings, LimitSettings, Settings
from streamroute.gateway.access.auth import PUBLIC
from streamroute.gateway.access.media import expect_json
from streamroute.gateway.chat import chat_completions
from streamroute.gateway.decisions import decision
from streamroute.gateway.endpoints import completions, embeddings
from streamroute.gateway.errors import CLIENT_CLOSED, RETRY_AFTER, Problem, logged, problem_of, stopping
from streamroute.gateway.feedback import feedback
from streamroute.gateway.journal import Journal
from streamroute.gateway.keys import (
    BEGUN,
    CATALOGUE,
    CLIENT,
    GENERATIONS,
    IN_FLIGHT,
    JOURNAL,
    KEEP_ALIVE,
    LEDGER,
    LIMITS,
    LOG_TEXTS,
    NOTES,
    REPLIES,
    REQUEST_ID,
    SHADOWS,
    STARTED,
    TRACING,
)
from streamroute.gateway.ledger.entries import Ledger
from streamroute.gateway.ledger.ledger import SqliteLedger
from streamroute.gateway.log import Logger, json_logger
from streamroute.gateway.observe.board import board
from streamroute.gateway.observe.measures import label_of
from streamroute.gateway.observe.metrics import metrics
from streamroute.gateway.observe.tracing import PassedOn, Tracing
from streamroute.gateway.openapi.document import add_openapi
from streamroute.gateway.page import add_page
from streamroute.gateway.process.generation import Generation, Generations, Keyrings
from streamroute.gateway.process.inflight import InFlight
from streamroute.gateway.shadows import Shadows
from streamroute.wire.sse import encode_event

__all__ = ("create_app",)

_SAFE_ID = re.compile(r"[A-Za-z0-9._:/@+=-]{1,128}")
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
    keep_alive: float = 15.0,
    generations: Generations | None = None,
    keys: Sequence[KeySettings] = (),
    limits: LimitSettings | None = None,
    log_texts: bool = False,
    tracing: Tracing | None = None,
) -> web.Application:
    """The gateway over open routes; `journal`, `ledger` and `tracing` are what is kept of them, `shadows` runs beside
    them. Without a ledger there is one in memory. After `keep_alive` seconds of silence a streaming client gets a
    comment.

    `api_key` opens everything, each of `keys` what it says; without any it is open to all. Where `generations` are
    given, routes and keys are those of the newest, and `routes` of the first. With `log_texts` prompts and answers
    stand in the log.

    To be run with `handler_cancellation=True`: without it a client that leaves before the first token would leave the
    upstream generating.
    """
    generations = generations or Generations(Generation(Settings(keys=tuple(keys)), routes))
    keyrings = Keyrings(generations, api_key)
    app = web.Application(
        client_max_size=max_body_bytes, middlewares=[_envelope(keyrings, log or json_logger(texts=log_texts))]
    )
    app[LIMITS] = limits or LimitSettings()
    app[LOG_TEXTS] = log_texts
    app[GENERATIONS] = generations
    app[CATALOGUE] = generations.catalogue
    app[IN_FLIGHT] = InFlight()
    app[JOURNAL] = journal or Journal()
    if ledger is None:
        ledger = SqliteLedger.in_memory()
        app.on_cleanup.append(_closing(ledger))
    app[LEDGER] = ledger
    app[KEEP_ALIVE] = keep_alive
    app[REPLIES] = Counter()
    app[STARTED] = time.monotonic()
    app[TRACING] = tracing or PassedOn()
    app.on_response_prepare.append(_name_request)
    app.router.add_post("/v1/chat/completions", chat_completions)
    app.router.add_post("/v1/completions", completions)
    app.router.add_post("/v1/embeddings", embeddings)
    app.router.add_get("/v1/models", _models)
    app.router.add_get("/v1/models/{model:.+}", _model)
    if shadows is not None:
        app[SHADOWS] = shadows
    if app[JOURNAL].feedback is not None:
        app.router.add_post("/v1/feedback", feedback)
    app.router.add_get("/v1/decisions/{id:.+}", decision)
    app.router.add_get("/healthz", _healthz)
    add_page(app)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/v1/board", board)
    add_openapi(app)
    return app


def _closing(ledger: Ledger) -> Callable[[web.Application], Awaitable[None]]:
    async def close(app: web.Application) -> None:
        await ledger.aclose()

    return close


def _envelope(keyrings: Keyrings, log: Logger) -> Any:
    @web.middleware
    async def envelope(request: web.Request, handler: _Handler) -> web.StreamResponse:
        began = time.perf_counter()
        given = request.headers.get("x-request-id", "")
        request[REQUEST_ID] = given if _SAFE_ID.fullmatch(given) else f"req_{uuid.uuid4().hex}"
        notes = request[NOTES] = {"id": request[REQUEST_ID], "method": request.method, "path": request.path}
        status = CLIENT_CLOSED
        generations = request.app[GENERATIONS]
        generation = generations.enter()
        try:
            response = await guarded(request, handler)
            status = notes.pop("status", response.status)
            return response
        finally:
            generations.leave(generation)
            request.app[REPLIES][status, label_of(notes["code"]) if notes.get("code") else ""] += 1
            notes.update(status=status, seconds=round(time.perf_counter() - began, 6))
            (log.debug if request.path == "/healthz" else log.info)("request", **notes)

    async def guarded(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            if request.path not in PUBLIC:
                if request.app[IN_FLIGHT].draining:
                    raise stopping()
                request[CLIENT] = keyrings.current.client(request.headers)
            expect_json(request)
            return await handler(request)
        except Exception as error:
            problem = problem_of(error)
            request[NOTES].update(error=logged(error, texts=request.app[LOG_TEXTS]), code=problem.code)
            if problem.code == "internal_error":
                log.exception("internal error", id=request[REQUEST_ID])
            problem = dataclasses.replace(problem, request_id=request[REQUEST_ID])
            begun = request.get(BEGUN)
            return problem.response() if begun is None else await _broken_off(begun, problem, request)

    return envelope


async def _broken_off(response: web.StreamResponse, problem: Problem, request: web.Request) -> web.StreamResponse:
    """A reply that has begun cannot become another one: it ends with an error frame, and its connection with it."""
    request[NOTES]["status"] = problem.status
    with contextlib.suppress(ConnectionError, RuntimeError):  # the client has gone, or the end was written
        await response.write(encode_event(problem.body))
    if request.transport is not None:
        request.transport.close()
    return response


async def _name_request(request: web.Request, response: web.StreamResponse) -> None:
    request[BEGUN] = response
    response.headers["x-request-id"] = request[REQUEST_ID]
    if request.app[IN_FLIGHT].draining:
        response.force_close()
        response.headers["Connection"] = "close"


async def _models(request: web.Request) -> web.Response:
    return _json({"object": "list", "data": request.app[CATALOGUE].models(request[CLIENT])})


async def _model(request: web.Request) -> web.Response:
    return _json(request.app[CATALOGUE].known(request.match_info["model"], request[CLIENT]))


async def _healthz(request: web.Request) -> web.Response:
    in_flight = request.app[IN_FLIGHT]
    said = {"status": "draining" if in_flight.draining else "ok", "running": len(in_flight)}
    response = _json(said, status=503 if in_flight.draining else 200)
    if in_flight.draining:
        response.headers["Retry-After"] = RETRY_AFTER
    return response


def _json(document: Mapping[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), status=status, content_type="application/json")

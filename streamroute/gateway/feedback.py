"""What users say of answers, and the records that it is said of."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
from aiohttp import web

from streamroute.calibration.labels import Feedback
from streamroute.core.types import Leg
from streamroute.errors import BadRequestError
from streamroute.gateway.access.body import body_of
from streamroute.gateway.errors import Problem, RefusedError
from streamroute.gateway.journal import known_again
from streamroute.gateway.keys import JOURNAL, NOTES
from streamroute.gateway.telling import evidence_fields
from streamroute.routing.stream import Route
from streamroute.upstreams.base import Message

__all__ = ("feedback", "keep_record")

MOST_ID = 256


def keep_record(request: web.Request, route: Route, messages: Sequence[Message], id: str) -> None:
    """Appends the record of a judged route, under the id of its reply. No text is kept: of the question only a hash, by
    which it is known again. A record that cannot be written is noted, and harms no reply."""
    journal = request.app[JOURNAL]
    if journal.records is None or route.evidence is None or route.verdict is None:
        return
    larger = None if not route.tier else route.leg(Leg(route.tier))
    row = {
        "id": id,
        "question": known_again(messages),
        "evidence": evidence_fields(route.evidence),
        "decision": str(route.verdict.decision),
        "reason": route.verdict.reason,
        "escalated": bool(route.tier),
        "cost": None if larger is None else larger.cost,
    }
    try:
        journal.append(journal.records, msgspec.json.encode(row))
    except OSError as error:
        request[NOTES]["record"] = f"not written: {error.strerror}"


async def feedback(request: web.Request) -> web.Response:
    """POST /v1/feedback {"id", "correct"}: whether the answer with the reply's id was right. Acknowledged once it is
    written. The last word on an id counts."""
    said = _decoded(await body_of(request))
    path = request.app[JOURNAL].feedback
    assert path is not None  # else there is no such path
    try:
        request.app[JOURNAL].append(path, msgspec.json.encode(said))
    except OSError as error:
        problem = Problem(status=503, message="the feedback cannot be kept", type="server_error", code="not_kept")
        raise RefusedError(problem) from error
    request[NOTES]["of"] = said.id
    return web.Response(
        body=msgspec.json.encode({"object": "feedback", "id": said.id, "correct": said.correct}),
        content_type="application/json",
    )


def _decoded(body: bytes) -> Feedback:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("the body is not valid JSON") from error
    if not isinstance(found, dict):
        raise BadRequestError("the body must be a JSON object")
    for name in found:
        if name not in ("id", "correct"):
            raise BadRequestError(f"there is no field {name!r}; there is id and correct", param=str(name))
    if not (isinstance(found.get("id"), str) and 0 < len(found["id"]) <= MOST_ID):
        raise BadRequestError("id must be that of a reply", param="id")
    if not isinstance(found.get("correct"), bool):
        raise BadRequestError("correct must be true or false", param="correct")
    return Feedback(found["id"], found["correct"])

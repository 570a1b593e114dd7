"""What went wrong, in OpenAI's words: every error to a status and a body."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

from streamroute.errors import (
    BadRequestError,
    LedgerError,
    RouteError,
    StreamrouteError,
    UpstreamConnectError,
    UpstreamError,
    UpstreamInterruptedError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from streamroute.wire.errors import WireError
from streamroute.wire.openai import encode_error
from streamroute.wire.retry_after import encode_retry_after

__all__ = ("CLIENT_CLOSED", "RETRY_AFTER", "Problem", "RefusedError", "logged", "problem_of", "refusal", "stopping")

CLIENT_CLOSED = 499
"""nginx's status for a client that left; only ever seen in the log and the ledger."""
RETRY_AFTER = "5"
"""Seconds, to a client of a server that stops: by then there may be another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as a client sees it. `legs` names each leg that failed, `request_id` the request."""

    status: int
    message: str
    type: str
    param: str | None = None
    code: str | None = None
    legs: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    request_id: str | None = None

    @property
    def body(self) -> bytes:
        """OpenAI's error shape; the legs and the request id in the field `streamroute`."""
        fields: dict[str, Any] = {} if self.request_id is None else {"request_id": self.request_id}
        if self.legs:
            fields["legs"] = [{"leg": leg, "error": text} for leg, text in self.legs]
        return encode_error(self.message, type=self.type, param=self.param, code=self.code, fields=fields or None)

    def response(self) -> web.Response:
        return web.Response(
            body=self.body, status=self.status, content_type="application/json", headers=dict(self.headers)
        )


class RefusedError(StreamrouteError):
    """The gateway refuses a request before any route is started."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def refusal(status: int, message: str, *, code: str, param: str | None = None, **headers: str) -> RefusedError:
    """A refusal for the client's own fault. `headers` have underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = "authentication_error" if status == 401 else "invalid_request_error"
    return RefusedError(Problem(status=status, message=message, type=kind, param=param, code=code, headers=named))


def stopping() -> RefusedError:
    """The server takes no more."""
    return refusal(503, "the server is stopping", code="stopping", Connection="close", Retry_After=RETRY_AFTER)


def problem_of(error: Exception) -> Problem:
    """Never tells more of an unexpected error than that it happened: that is for the log."""
    match error:
        case RefusedError():
            return error.problem
        case BadRequestError():
            return Problem(
                status=400, message=str(error), type="invalid_request_error", param=error.param, code=error.code
            )
        case RouteError():
            legs = tuple((leg, str(cause)) for leg, cause in error.causes)
            return dataclasses.replace(_failure(error), message=str(error), legs=legs)
        case LedgerError():  # its words name files
            return Problem(
                status=503, message="the ledger does not answer", type="server_error", code="ledger_unavailable"
            )
        case WireError():
            return Problem(status=502, message=str(error), type="upstream_error", code="bad_answer")
        case web.HTTPRequestEntityTooLarge():
            return Problem(
                status=413,
                message="the body is larger than this server takes",
                type="invalid_request_error",
                code="body_too_large",
            )
        case RequestPayloadError():
            return Problem(
                status=400, message="the body cannot be read", type="invalid_request_error", code="unreadable_body"
            )
        case ConnectionResetError():  # those of upstreams are `UpstreamError`s
            return Problem(
                status=CLIENT_CLOSED, message="the client has left", type="invalid_request_error", code="client_left"
            )
        case web.HTTPException():
            return _http(error)
        case _:
            return Problem(status=500, message="internal error", type="server_error", code="internal_error")


_REFUSALS = frozenset({400, 413, 422})
"""What a model says to a request that it cannot serve. Not 404: that its model is not there is the operator's fault,
and so are 401 and 403, for the key is the gateway's."""


def _failure(error: RouteError) -> Problem:
    """Whose fault it is that there is no answer, by what became of the legs that were to give it. The message is left
    to fill in."""
    status, kind, code = 502, "upstream_error", "every_leg_failed"
    headers = {}
    faults = {_fault(cause) for cause in error.answers}
    waits = [wait for cause in error.answers if (wait := getattr(cause, "retry_after", None)) is not None]
    if error.shown:
        code = "answer_broke_off"
    elif faults == {"refused"}:
        refusals = [cause for cause in error.answers if isinstance(cause, UpstreamStatusError)]
        statuses = {cause.meaning for cause in refusals}
        status, kind = statuses.pop() if len(statuses) == 1 else 400, "invalid_request_error"
        code = next((cause.code for cause in reversed(refusals) if cause.code), "refused_by_model")
    elif faults == {"throttled"}:
        status, kind, code = 429, "rate_limit_error", "rate_limit_exceeded"
        headers = {"Retry-After": encode_retry_after(max(waits))} if waits else {}
    elif faults == {"slow"}:
        status, code = 504, "upstream_timeout"
    elif faults and faults <= {"resting", "throttled"}:
        status, code = 503, "upstreams_unavailable"
        headers = {"Retry-After": encode_retry_after(min(waits))}  # the first that may be asked again may serve
    return Problem(status=status, message="", type=kind, code=code, headers=headers)


def _fault(cause: Exception) -> str:
    match cause:
        case UpstreamStatusError() if cause.meaning in _REFUSALS:
            return "refused"
        case UpstreamStatusError() if cause.meaning == 429:
            return "throttled"
        case UpstreamTimeoutError():
            return "slow"
        case UpstreamUnavailableError():
            return "resting"
        case _:
            return "broken"


def logged(error: Exception, *, texts: bool = False) -> str:
    """An error for the log and the ledger: as the client is told of it, but nothing that an upstream said, which may
    repeat the prompt. With `texts` that too."""
    if isinstance(error, RouteError) and not texts:
        what = "the answer broke off" if error.shown else "every leg failed"
        return f"{what} ({'; '.join(f'{leg}: {_of_a_leg(cause)}' for leg, cause in error.causes)})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, LedgerError):
        return str(error)
    if isinstance(error, UpstreamError | WireError) and not texts:
        return _of_a_leg(error)
    return problem_of(error).message


def _of_a_leg(error: Exception) -> str:
    match error:
        case UpstreamStatusError():
            return f"status {error.status}"
        case UpstreamConnectError() | UpstreamTimeoutError() | UpstreamInterruptedError():
            return str(error)  # our own words
        case _:
            return type(error).__name__


def _http(error: web.HTTPException) -> Problem:
    """What aiohttp itself refuses: unknown paths and methods."""
    headers = {name: value for name, value in error.headers.items() if name.lower() == "allow"}
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    message, code = error.reason, None
    if isinstance(error, web.HTTPNotFound):
        message, code = "there is nothing at this path; there is /v1/chat/completions and /v1/models", "unknown_path"
    elif isinstance(error, web.HTTPMethodNotAllowed):
        message = f"{error.method} is not possible here, only {', '.join(sorted(error.allowed_methods))}"
        code = "method_not_allowed"
    return Problem(status=error.status, message=message, type=kind, code=code, headers=headers)

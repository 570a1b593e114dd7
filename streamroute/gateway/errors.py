"""What went wrong, in OpenAI's words: every error to a status and a body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

from streamroute.errors import BadRequestError, RouteError, StreamrouteError
from streamroute.wire.errors import WireError
from streamroute.wire.openai import encode_error

__all__ = ("CLIENT_CLOSED", "Problem", "RefusedError", "problem_of", "refusal", "stopping")

CLIENT_CLOSED = 499
"""nginx's status for a client that left; only ever seen in the log and the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as a client sees it. `legs` names each leg that failed."""

    status: int
    message: str
    type: str
    param: str | None = None
    code: str | None = None
    legs: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """OpenAI's error shape; the legs in the field `streamroute`."""
        legs = [{"leg": leg, "error": text} for leg, text in self.legs]
        fields = {"legs": legs} if legs else None
        return encode_error(self.message, type=self.type, param=self.param, code=self.code, fields=fields)

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
    return refusal(503, "the server is stopping", code="stopping", Connection="close", Retry_After="5")


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
            return Problem(
                status=502,
                message=str(error),
                type="upstream_error",
                code="answer_broke_off" if error.shown else "every_leg_failed",
                legs=tuple((leg, str(cause)) for leg, cause in error.causes),
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

"""Every reply that is an error has one shape, OpenAI's; each status has its causes."""

from __future__ import annotations

from typing import Final

from streamroute.gateway.openapi.parts import STRING, Schema, array, json, nullable, of, record, ref, said

__all__ = ("SCHEMAS", "failures")

_LEG_ERROR: Final = record({"leg": of(STRING, "The tier, or one of its probes."), "error": STRING})

SCHEMAS: Final[dict[str, Schema]] = {
    "Error": record(
        {
            "error": record(
                {
                    "message": STRING,
                    "type": of(STRING, "Such as invalid_request_error, authentication_error, upstream_error."),
                    "param": nullable(of(STRING, "The field, or the header, that is wrong.")),
                    "code": nullable(of(STRING, "For programs, such as model_not_found.")),
                }
            ),
            "streamroute": record(
                {"request_id": STRING, "legs": of(array(_LEG_ERROR), "Where models were asked: what each said.")},
                optional=["request_id", "legs"],
            ),
        },
        optional=["streamroute"],
    )
}

_REQUEST_ID: Final[Schema] = {
    "x-request-id": {"schema": STRING, "description": "The request's own id where it brought one, else a new one."}
}
_RETRY_AFTER: Final[Schema] = {"Retry-After": {"schema": STRING, "description": "Seconds to wait."}}
_CAUSES: Final = {
    400: "The request is not valid; `param` names the field, and nothing was started. Or the model refuses it.",
    401: "A key is asked for, and none, or a wrong one, was sent.",
    403: "This key may not ask for that.",
    404: "There is no such thing.",
    408: "The request took too long to come in.",
    413: "The body is larger than `server.max_body_bytes`.",
    415: "The body is that of a form, and not JSON.",
    422: "The model refuses the request.",
    429: "Too many requests, or a budget is spent.",
    500: "A defect of the gateway. What it is, is in its log under the request's id.",
    502: "No model could finish an answer; `streamroute.legs` says what each failed of.",
    503: "The gateway is stopping, or cannot write down what it was asked to, or no model may be asked at present.",
    504: "No model answered in time.",
}


def failures(*statuses: int) -> dict[str, Schema]:
    """Responses by status, each with the error shape."""
    return {
        str(status): said(
            _CAUSES[status],
            json(ref("Error")),
            {**_REQUEST_ID, **(_RETRY_AFTER if status in (429, 503) else {})},
        )
        for status in statuses
    }

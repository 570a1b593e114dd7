"""Of what type a body may say that it is."""

from __future__ import annotations

from aiohttp import web

from streamroute.gateway.errors import refusal

__all__ = ("expect_json",)

_FORMS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data")
"""What a browser sends for any page to any address without asking first."""


def expect_json(request: web.Request) -> None:
    """Raises a 415 refusal for the body of a form, and for one of no type that a web page sends. All others are taken
    for JSON: clients mislabel it."""
    if request.method != "POST":
        return
    typed = "Content-Type" in request.headers
    if request.content_type in _FORMS if typed else "Origin" in request.headers:
        raise refusal(
            415,
            f"the body must be JSON, sent as application/json, not as {request.content_type}",
            code="unsupported_media_type",
        )

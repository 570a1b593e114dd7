"""Of what type a body may say that it is."""

from __future__ import annotations

from aiohttp import web

from streamroute.gateway.errors import refusal

__all__ = ("expect_json",)

_FORMS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data")
"""What a browser sends for any page to any address without asking first."""


def expect_json(request: web.Request) -> None:
    """Raises a 415 refusal for the body of a form. All other types are taken for JSON: clients mislabel it."""
    if request.method == "POST" and "Content-Type" in request.headers and request.content_type in _FORMS:
        raise refusal(
            415,
            f"the body must be JSON, sent as application/json, not as {request.content_type}",
            code="unsupported_media_type",
        )

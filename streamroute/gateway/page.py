"""GET /ui: a chat that shows how its answers come about, and the board. One file that asks for nothing but this server.

It is served to everyone: there is nothing in it that the source does not have. What it shows it asks for with the key
that its user gives it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Self

from aiohttp import web

__all__ = ("PATHS", "Page", "add_page")

PATHS = ("/ui", "/ui/")
_INLINE = {kind: re.compile(rf"<{kind}>(.*?)</{kind}>".encode(), re.DOTALL) for kind in ("script", "style")}


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML file, and the headers that let its own scripts and styles run and no others (by their hashes)."""

    body: bytes
    headers: Mapping[str, str]

    @classmethod
    def of(cls, body: bytes) -> Self:
        sources = {kind: " ".join(map(_source, found.findall(body))) or "'none'" for kind, found in _INLINE.items()}
        policy = {
            "default-src": "'none'",
            "script-src": sources["script"],
            "style-src": sources["style"],
            "img-src": "data:",  # its icon
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
            "require-trusted-types-for": "'script'",
        }
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
            "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        return cls(body, headers)

    @classmethod
    def load(cls) -> Self:
        return cls.of((files("streamroute.gateway") / "ui" / "index.html").read_bytes())


def add_page(app: web.Application) -> None:
    """Reads the file, and serves it under `PATHS`."""
    page = Page.load()
    for path in PATHS:
        app.router.add_get(path, partial(_page, page))


async def _page(page: Page, request: web.Request) -> web.Response:
    known = request.headers.get("If-None-Match", "")
    if page.headers["ETag"] in known:
        return web.Response(status=304, headers=page.headers)
    return web.Response(body=page.body, headers=page.headers)


def _source(inline: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline).digest()).decode()}'"

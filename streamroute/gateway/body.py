"""The body of a request: whole, in time, and not nested deeper than anyone needs."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from aiohttp import web

from streamroute.errors import BadRequestError
from streamroute.gateway.errors import refusal
from streamroute.gateway.keys import LIMITS

__all__ = ("body_of", "check_depth")


async def body_of(request: web.Request) -> bytes:
    """All of it. Raises a 408 refusal where it does not come in time, `BadRequestError` where it is nested too deep,
    and what aiohttp raises for one that is too large or cannot be unpacked."""
    limits = request.app[LIMITS]
    try:
        async with asyncio.timeout(limits.body_seconds):
            body = await request.read()
    except TimeoutError:
        raise refusal(
            408, f"the body did not come within {limits.body_seconds:g} s", code="body_timeout", Connection="close"
        ) from None
    check_depth(body, limits.depth)
    return body


# The closing quote is optional, and nothing is given back: an unended string is one match, not one for each quote.
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_OTHERS: Final = bytes(set(range(256)) - set(b"[]{}"))


def check_depth(body: bytes, depth: int) -> None:
    """Raises `BadRequestError` for JSON with more than `depth` lists and objects in each other. Before it is decoded,
    and without recursion: what is too deep would break in one place or another. Not JSON is for the decoder to say."""
    if body.count(b"[") + body.count(b"{") <= depth:
        return
    brackets = _STRINGS.sub(b"", body).translate(_SQUARE, _OTHERS)
    for _ in range(depth):  # each turn takes the innermost away
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise BadRequestError(f"the body is nested more than {depth} levels deep", code="too_deep")

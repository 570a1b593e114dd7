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


_TELLING: Final = b'"[]{}'
_REST: Final = bytes(set(range(256)) - set(_TELLING))
_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_ESCAPES: Final = re.compile(rb"\\.", re.DOTALL)
_STRINGS: Final = re.compile(rb'"[^"]*+"?')  # where one does not end, all that follows is in it
_BLOCK: Final = 1 << 16


def check_depth(body: bytes, depth: int) -> None:
    """Raises `BadRequestError` for JSON with more than `depth` lists and objects in each other. Before it is decoded,
    and without recursion: what is too deep would break in one place or another. Not JSON is for the decoder to say.

    Takes 16 MiB of anything in well under a second: each step is one pass of C over fewer bytes than the one before.
    """
    if body.count(b"[") + body.count(b"{") <= depth:
        return
    import numpy as np  # most bodies are shallow

    # What is escaped tells nothing; of the rest only quotes and brackets are left. Two quotes with nothing between them
    # end a string and begin one, or the other way round: as good as none.
    telling = _ESCAPES.sub(b"", body).translate(_SQUARE, _REST).replace(b'""', b"")
    brackets = _STRINGS.sub(b"", telling)
    level = 0
    for start in range(0, len(brackets), _BLOCK):
        block = np.frombuffer(brackets, np.uint8, min(_BLOCK, len(brackets) - start), start)
        levels = level + np.cumsum(ord("\\") - block.astype(np.int64))  # "[" is one below it, "]" one above
        if levels.max() > depth:
            raise BadRequestError(f"the body is nested more than {depth} levels deep", code="too_deep")
        level = int(levels[-1])

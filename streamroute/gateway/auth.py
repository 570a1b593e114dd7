"""Who may ask: one key for all, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from streamroute.config.settings import KeySettings
from streamroute.gateway.errors import refusal

__all__ = ("Client", "authorize", "require_board")


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks. `key` is None for the one key that may ask for everything, and where no key is asked for."""

    key: KeySettings | None = None

    @property
    def name(self) -> str | None:
        return None if self.key is None else self.key.name


def authorize(headers: Mapping[str, str], api_key: str | None) -> Client:
    """Raises a 401 refusal unless `headers` bear the key. Without a key everyone may ask."""
    if api_key is None:
        return Client()
    scheme, _, presented = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not presented.strip():
        raise refusal(
            401, "no API key: send it as `Authorization: Bearer KEY`", code="missing_api_key", WWW_Authenticate="Bearer"
        )
    # As bytes: strings beyond ASCII cannot be compared in constant time.
    if not hmac.compare_digest(presented.strip().encode("utf-8", "surrogateescape"), api_key.encode()):
        raise refusal(401, "this API key is not valid here", code="invalid_api_key", WWW_Authenticate="Bearer")
    return Client()


def require_board(request: web.Request) -> None:
    """Raises a 403 refusal where the client's key may not read the numbers of all."""
    from streamroute.gateway.keys import CLIENT  # which names `Client`

    key = request[CLIENT].key
    if key is not None and not key.board:
        raise refusal(403, f"the key {key.name!r} may not read this: it needs `board = true`", code="not_allowed")

"""Who may ask: one key for all, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from streamroute.gateway.errors import refusal

__all__ = ("authorize",)


def authorize(headers: Mapping[str, str], api_key: str | None) -> None:
    """Raises a 401 refusal unless `headers` bear the key. Without a key everyone may ask."""
    if api_key is None:
        return
    scheme, _, presented = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not presented.strip():
        raise refusal(
            401, "no API key: send it as `Authorization: Bearer KEY`", code="missing_api_key", WWW_Authenticate="Bearer"
        )
    # As bytes: strings beyond ASCII cannot be compared in constant time.
    if not hmac.compare_digest(presented.strip().encode("utf-8", "surrogateescape"), api_key.encode()):
        raise refusal(401, "this API key is not valid here", code="invalid_api_key", WWW_Authenticate="Bearer")

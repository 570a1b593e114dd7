"""Who may ask, and for what: the one key from the environment, and the hashed keys of the configuration.

A key that `new_key` makes has 256 random bits: nobody can try them all, however fast the hash. So the hash at rest is
plain SHA-256; a slow one, as passwords need, would only let strangers keep us busy.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from streamroute.config.settings import KeySettings
from streamroute.gateway.errors import Problem, RefusedError, refusal

__all__ = ("CLIENT", "EVERYONE", "PUBLIC", "Client", "Keyring", "hash_of", "new_key", "require_board")

PUBLIC: Final = frozenset({"/healthz", "/ui", "/ui/", "/openapi.json"})
"""What needs no key: it tells nothing of anybody's requests."""

_PREFIX: Final = "sr-"
_HASH: Final = "sha256:"


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks. `key` is None for the one key that may ask for everything, and where no key is asked for."""

    key: KeySettings | None = None

    @property
    def name(self) -> str | None:
        return None if self.key is None else self.key.name

    @property
    def board(self) -> bool:
        """Whether it may see the requests of others, and the figures of all."""
        return self.key is None or self.key.board

    def may_ask(self, model: str) -> bool:
        """Whether it may ask for the route or tier of this name."""
        return self.key is None or not self.key.routes or model in self.key.routes

    def require(self, *models: str | None) -> None:
        """Raises a 403 refusal unless it may ask for all of them; None is nothing to ask for."""
        for model in models:
            if model is not None and not self.may_ask(model):
                raise _denied(f"the key {self.name!r} may not ask for {model!r}", param="model")


EVERYONE: Final = Client()
"""Who asks where no key is asked for."""

CLIENT: Final = web.RequestKey("client", Client)
"""Who asks."""


class Keyring:
    """The keys that open the gateway: `master` everything, the others what their settings say. Without any, everyone
    may ask for everything."""

    def __init__(self, keys: Sequence[KeySettings] = (), *, master: str | None = None) -> None:
        self._known = [(key.hash.encode(), Client(key)) for key in keys]
        if master is not None:
            self._known.append((hash_of(master).encode(), Client()))

    def client(self, headers: Mapping[str, str]) -> Client:
        """Whose key `headers` bear: in `Authorization: Bearer`, `api-key` or `x-api-key`, the first that is there.

        Raises a 401 refusal for no key, and for one that is not known.
        """
        if not self._known:
            return EVERYONE
        presented = _presented(headers)
        if not presented:
            raise refusal(
                401,
                "no API key: send it as `Authorization: Bearer KEY`",
                code="missing_api_key",
                WWW_Authenticate="Bearer",
            )
        given, found = hash_of(presented).encode(), None
        # All are compared, each in constant time: how long it takes says nothing of which it was, or how near.
        for known, client in self._known:
            if hmac.compare_digest(known, given):
                found = client
        if found is None:
            raise refusal(401, "this API key is not valid here", code="invalid_api_key", WWW_Authenticate="Bearer")
        return found


def new_key() -> str:
    """A key that cannot be guessed."""
    return _PREFIX + secrets.token_urlsafe(32)


def hash_of(key: str) -> str:
    """What a configuration holds instead of `key`."""
    # Header bytes that are not UTF-8 come as surrogates: they are some other key, not an error.
    return _HASH + hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def require_board(request: web.Request) -> None:
    """Raises a 403 refusal unless the client may see the requests of others, and the figures of all."""
    if not request[CLIENT].board:
        raise _denied(f"the key {request[CLIENT].name!r} may not see this: it has no `board = true`")


def _presented(headers: Mapping[str, str]) -> str:
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    named = (headers.get("api-key", ""), headers.get("x-api-key", ""))
    given = (bearer if scheme.lower() == "bearer" else "", *named)
    return next((key for one in given if (key := one.strip())), "")


def _denied(message: str, *, param: str | None = None) -> RefusedError:
    return RefusedError(
        Problem(status=403, message=message, type="permission_error", param=param, code="permission_denied")
    )

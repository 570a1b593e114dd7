"""Where the errors of the network become errors of a leg, and secrets stay inside."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Final

import aiohttp

from streamroute.errors import (
    UpstreamConnectError,
    UpstreamError,
    UpstreamInterruptedError,
    UpstreamProtocolError,
    UpstreamStatusError,
)
from streamroute.wire.retry_after import retry_after_of

__all__ = ("Border", "beside")

# In this order: the first that fits.
_TRANSLATION: Final[tuple[tuple[type[Exception], type[UpstreamError], str], ...]] = (
    (aiohttp.ClientConnectorDNSError, UpstreamConnectError, "the host name cannot be resolved: {error}"),
    (aiohttp.ClientSSLError, UpstreamConnectError, "no TLS connection: {error}"),
    (aiohttp.ClientConnectorError, UpstreamConnectError, "{error}"),
    (aiohttp.InvalidURL, UpstreamConnectError, "not an address: {error}"),
    (aiohttp.ClientResponseError, UpstreamProtocolError, "not an HTTP reply: {error.message}"),
    (Exception, UpstreamInterruptedError, "{broke_off}"),
)


_HALF_HIDDEN: Final = re.compile(r"[\w-]*\*{3,}[\w*-]*|\bsk-[\w-]{8,}")


class Border:
    """Makes the errors of the upstream `name`. None of its messages holds the `api_key`, what looks like the half of
    one, or a header that looks like a secret: servers like to repeat the key that they refuse."""

    def __init__(self, name: str, *, api_key: str | None, headers: Mapping[str, str]) -> None:
        self.name = name
        telling = ("auth", "key", "token", "secret", "cookie")
        named = [value for header, value in headers.items() if any(word in header.lower() for word in telling)]
        self._secrets = tuple(secret for secret in (api_key, *named) if secret)

    def redact(self, message: str) -> str:
        for secret in self._secrets:
            message = message.replace(secret, "***")
        return _HALF_HIDDEN.sub("***", message)

    def error(self, kind: type[UpstreamError], message: str) -> UpstreamError:
        return kind(self.redact(message), upstream=self.name)

    def status(
        self, status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> UpstreamStatusError:
        """`headers` are those of the reply."""
        return UpstreamStatusError(
            self.redact(f"HTTP {status}: {message}"),
            upstream=self.name,
            status=status,
            code=code,
            retry_after=retry_after_of(headers or {}, now=time.time()),
        )

    def translated(self, error: aiohttp.ClientError | OSError, *, broke_off: str) -> UpstreamError:
        """`broke_off` says what it means when the connection was lost."""
        kind, message = next((ours, message) for theirs, ours, message in _TRANSLATION if isinstance(error, theirs))
        return self.error(kind, message.format(error=error, broke_off=broke_off))


def beside(given: Mapping[str, str], own: Iterable[str]) -> dict[str, str]:
    """Those headers of a request that do not take the place of the upstream's `own`, in whatever case they are."""
    names = {name.lower() for name in own}
    return {name: value for name, value in given.items() if name.lower() not in names}

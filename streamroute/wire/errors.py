"""What can be wrong with bytes. These errors never leave the package: each border translates them into its own."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ("UNREADABLE", "IncompleteError", "ReportedError", "WireError")

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not the JSON that is asked for: it lets bad UTF-8 and deep nesting speak for
themselves."""


class WireError(ValueError):
    """Bytes that do not follow the protocol."""


class IncompleteError(WireError):
    """The bytes ended before the protocol's end."""


class ReportedError(WireError):
    """The peer followed the protocol to say that it failed. `code` is its machine-readable code, where it gave one."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code

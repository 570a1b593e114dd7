"""What can be wrong with bytes. These errors never leave the package: each border translates them into its own."""

from __future__ import annotations

__all__ = ("IncompleteError", "ReportedError", "WireError")


class WireError(ValueError):
    """Bytes that do not follow the protocol."""


class IncompleteError(WireError):
    """The bytes ended before the protocol's end."""


class ReportedError(WireError):
    """The peer followed the protocol to say that it failed. `code` is its machine-readable code, where it gave one."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code

"""What there is to say of a configuration: the value that every check yields."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ("Finding", "Severity")


class Severity(enum.StrEnum):
    """`ERROR`: cannot be served so. `WARNING`: can be, but is probably not what is meant. `OK`: looked at, fine."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    subject: str
    message: str

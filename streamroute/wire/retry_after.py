"""When a peer asks to be asked again: `Retry-After`, in both of its forms, and the one in milliseconds.

Source: RFC 9110, section 10.2.3; `retry-after-ms` is OpenAI's and Azure's, finer, and wins over the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ("encode_retry_after", "retry_after_of")

_LONGEST: Final = 366 * 24 * 3600.0
"""What asks for more, in seconds, means something else."""


def retry_after_of(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds to wait, from `now` (seconds since the epoch); None where the headers do not say, or not readably. A time
    that is past is no wait. `headers` must find their names in any case, as those of HTTP libraries do."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    told = headers.get("Retry-After")
    if told is None:
        return None
    seconds = _number(told)
    return seconds if seconds is not None else _until(told, now)


def encode_retry_after(seconds: float) -> str:
    """Whole seconds, as the header wants them: never sooner than it should be, never at once."""
    return str(max(1, math.ceil(seconds)))


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number <= _LONGEST else None


def _until(text: str, now: float) -> float | None:
    try:
        seconds = parsedate_to_datetime(text.strip()).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds) if seconds <= _LONGEST else None

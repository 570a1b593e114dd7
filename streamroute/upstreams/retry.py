"""When a request that failed is worth repeating, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from streamroute.errors import (
    UpstreamConnectError,
    UpstreamInterruptedError,
    UpstreamProtocolError,
    UpstreamStatusError,
    UpstreamTimeoutError,
)

__all__ = ("RetryPolicy",)

_PASSING: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""States that another try may not meet. All other refusals are of the request itself."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` is how often a request is repeated; `wait` and `longest` are in seconds; `random` gives numbers in
    [0, 1).

    The wait is drawn evenly between nothing and `wait`, twice as much after each failure, `longest` at most: requests
    that failed together do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter", full
    jitter). A server that says when it wants to be asked again is asked no sooner; if that is beyond `longest`, not at
    all.
    """

    attempts: int = 1
    wait: float = 0.25
    longest: float = 5.0
    random: Callable[[], float] = random.random

    def delay(self, attempt: int, error: Exception) -> float | None:
        """Seconds to wait before the next try, once the `attempt`-th, counted from 1, failed with `error` before its
        first content; None to give up."""
        if attempt > self.attempts or not _passes(error):
            return None
        jitter = self.random() * min(self.longest, self.wait * 2.0 ** (attempt - 1))
        told = error.retry_after if isinstance(error, UpstreamStatusError) else None
        if told is None:
            return jitter
        return None if told > self.longest else told + self.random() * min(self.wait, self.longest)


def _passes(error: Exception) -> bool:
    match error:
        case UpstreamStatusError():
            return error.meaning in _PASSING
        case UpstreamTimeoutError():
            return error.connecting  # later the time is gone
        case _:
            return isinstance(error, UpstreamConnectError | UpstreamInterruptedError | UpstreamProtocolError)

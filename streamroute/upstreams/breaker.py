"""Leaves a server alone that fails again and again."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable

from streamroute.errors import (
    UpstreamConnectError,
    UpstreamInterruptedError,
    UpstreamProtocolError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

__all__ = ("Breaker", "BreakerState")


class BreakerState(enum.StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Opens after `failures` in a row, for `seconds`; then one request tries the server while all others wait for what
    becomes of it. `clock` is in seconds, of any origin; `name` is the upstream's.

    What counts: no connection, timeouts, answers that break off or are none, and statuses of 500 and more. A refusal
    is an answer: the server is well. A 429 is neither: it is no failure, for it is mostly about one key and says itself
    when to come back, but it does not make the failures before it undone.

    Ask `check` before each request and tell how it went, by `succeeded`, `failed` or `left`; `spoke` may come before
    any of them, and makes `left` needless. `trial` is what `check` gave. A trial that is never told of keeps the others
    out for `seconds` at most.
    """

    def __init__(
        self, failures: int = 5, seconds: float = 15.0, *, name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._seconds = seconds
        self._name = name
        self._clock = clock
        self._failures = 0
        self._closed_until: float | None = None  # None: it is not open
        self._trying = False

    @property
    def state(self) -> BreakerState:
        if self._closed_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._clock() < self._closed_until and not self._trying else BreakerState.HALF_OPEN

    def check(self) -> bool:
        """Raises `UpstreamUnavailableError` where the server is not to be asked. Otherwise it is to be asked now; True
        when the request is the one that tries it."""
        until = self._closed_until
        if until is None:
            return False
        now = self._clock()
        if now < until:
            raise UpstreamUnavailableError(
                f"not asked: it failed {self._failures} times in a row; to be tried again in {until - now:.1f} s",
                upstream=self._name,
                retry_after=until - now,
            )
        self._trying = True
        self._closed_until = now + self._seconds
        return True

    def spoke(self) -> None:
        """The answer has begun: others need not wait for its end."""
        if self._trying:
            self.succeeded()

    def succeeded(self) -> None:
        """The answer is whole, or the server is well enough to refuse."""
        self._failures = 0
        self._closed_until = None
        self._trying = False

    def failed(self, error: Exception, *, trial: bool = True) -> None:
        """The request failed. Errors that say nothing of the server are ignored."""
        status = error.meaning if isinstance(error, UpstreamStatusError) else 500
        if status < 500 and status != 429:
            self.succeeded()
        elif status == 429 or not isinstance(error, _FAILURES):
            self.left(trial=trial)
        else:
            self._failures += 1
            if self._trying or (self._closed_until is None and self._failures >= self._limit):
                self._closed_until = self._clock() + self._seconds
            self._trying = False

    def left(self, *, trial: bool = True) -> None:
        """Nobody waits for the answer any more: nothing is known of it, and another request may be the trial."""
        if trial and self._trying:
            self._trying = False
            self._closed_until = self._clock()


_FAILURES = (
    UpstreamConnectError,
    UpstreamTimeoutError,
    UpstreamInterruptedError,
    UpstreamProtocolError,
    UpstreamStatusError,
)

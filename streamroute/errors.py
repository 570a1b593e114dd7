"""Every error that leaves the package.

    StreamrouteError
    |-- ConfigError            a setting is missing, unknown or of the wrong type: names file, key and what was expected
    |-- BadRequestError        the caller's request cannot be served as it is: names the field
    |-- DataFileError          a file of rows cannot be read as such: names file, line and field
    |-- ModelFileError         a model file is missing, incomplete or not the bytes its manifest promises
    |-- UpstreamError          one leg failed: names the upstream
    |   |-- UpstreamConnectError     nothing answered
    |   |-- UpstreamUnavailableError was not asked: it failed too often just now
    |   |-- UpstreamStatusError      answered with an error status or an error frame
    |   |-- UpstreamTimeoutError     too slow: names the phase
    |   |-- UpstreamProtocolError    answered with something that is not a chat completion
    |   `-- UpstreamInterruptedError broke off before the end of its answer
    |-- ScorerError            the judge could not compare the samples
    |   `-- ScorerOverloaded           it had no time for them: too much waits, a deadline passed, or it is closed
    |-- LedgerError            the ledger could not be written or read
    |-- RouteError             every leg that could have answered failed: carries each leg's error
    `-- LocalProtocolError     a bug in the caller: an event that cannot happen in this state

No ExceptionGroup leaves the package.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = (
    "BadRequestError",
    "ConfigError",
    "DataFileError",
    "LedgerError",
    "LocalProtocolError",
    "ModelFileError",
    "RouteError",
    "ScorerError",
    "ScorerOverloaded",
    "StreamrouteError",
    "UpstreamConnectError",
    "UpstreamError",
    "UpstreamInterruptedError",
    "UpstreamProtocolError",
    "UpstreamStatusError",
    "UpstreamTimeoutError",
    "UpstreamUnavailableError",
)


class StreamrouteError(Exception):
    """Base of all errors of this package."""


class ConfigError(StreamrouteError):
    """A setting is wrong. The message names where it stands and what was expected."""


class BadRequestError(StreamrouteError):
    """The request cannot be served; `param` names the offending field, `code` is machine-readable."""

    def __init__(self, message: str, *, param: str | None = None, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class DataFileError(StreamrouteError):
    """A file of rows is missing, broken or of another form. The message names the file and, where one is at fault, the
    line and its field."""


class ModelFileError(StreamrouteError):
    """A model file is missing or is not what its manifest entry promises."""


class UpstreamError(StreamrouteError):
    """One leg failed. `upstream` is the name under which the tier was configured."""

    def __init__(self, message: str, *, upstream: str) -> None:
        super().__init__(f"{upstream}: {message}")
        self.upstream = upstream


class UpstreamConnectError(UpstreamError):
    """No connection to the upstream could be made."""


class UpstreamUnavailableError(UpstreamError):
    """The upstream was not asked: it failed so often that it is left alone for `retry_after` seconds more."""

    def __init__(self, message: str, *, upstream: str, retry_after: float) -> None:
        super().__init__(message, upstream=upstream)
        self.retry_after = retry_after


class UpstreamStatusError(UpstreamError):
    """The upstream answered with an error. `status` is its HTTP status, 200 for an error frame inside a stream; `code`
    its own word for the error, where it has one. `retry_after`: the seconds after which it wants to be asked again,
    None where it does not say."""

    def __init__(
        self, message: str, *, upstream: str, status: int, code: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, upstream=upstream)
        self.status = status
        self.code = code
        self.retry_after = retry_after

    @property
    def meaning(self) -> int:
        """The HTTP status that says what is wrong: of an error frame, the one that its code or its words stand for, 500
        where they stand for none."""
        if self.status >= 300:
            return self.status
        if self.code is not None and self.code.isdecimal() and 400 <= int(self.code) < 600:
            return int(self.code)
        words = f"{self.code} {self}".lower().replace("_", " ").replace("-", " ")
        return next((status for status, signs in _MEANINGS if any(sign in words for sign in signs)), 500)


_MEANINGS = (
    (429, ("rate limit", "ratelimit", "too many requests")),
    (503, ("overload", "unavailable", "at capacity", "try again")),
)
"""What error frames say of a state that passes; the field has no common code for it."""


class UpstreamTimeoutError(UpstreamError):
    """The upstream was too slow in the phase that the message names. With `connecting` nothing was asked of it yet."""

    def __init__(self, message: str, *, upstream: str, connecting: bool = False) -> None:
        super().__init__(message, upstream=upstream)
        self.connecting = connecting


class UpstreamProtocolError(UpstreamError):
    """The upstream's bytes are not a chat completion."""


class UpstreamInterruptedError(UpstreamError):
    """The upstream's stream broke off before it said that it was done."""


class ScorerError(StreamrouteError):
    """The judge failed; routes fall back to their `on_uncertain`."""


class ScorerOverloaded(ScorerError):  # noqa: N818 - a state that passes, not a fault
    """The judge did not start, or did not end, what it was asked: its queue was full, something more urgent took the
    place, the deadline passed before the turn came, or it was closed."""


class LedgerError(StreamrouteError):
    """What happened could not be written to the ledger, or not be read from it. The message says why."""


class RouteError(StreamrouteError):
    """No leg could finish the answer. `causes` holds (leg name, error) for each that failed, `answers` the errors of
    those that were to give the answer, which probes were not. `shown` is True when part of an answer had reached the
    reader."""

    def __init__(
        self, causes: Sequence[tuple[str, Exception]], *, shown: bool, answers: Sequence[Exception] | None = None
    ) -> None:
        listed = "; ".join(_named(leg, str(error)) for leg, error in causes)
        super().__init__(f"every leg failed ({listed})" if not shown else f"the answer broke off ({listed})")
        self.causes = tuple(causes)
        self.answers = tuple(error for _, error in causes) if answers is None else tuple(answers)
        self.shown = shown


class LocalProtocolError(StreamrouteError):
    """An event was fed to a cascade that cannot accept it."""


def _named(leg: str, error: str) -> str:
    """An upstream names itself in its errors, and mostly bears the name of its leg: once is enough."""
    return error if error.startswith(f"{leg}: ") else f"{leg}: {error}"

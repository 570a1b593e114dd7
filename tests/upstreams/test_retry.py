"""Which failures are worth another try, and how long it waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.errors import (
    UpstreamConnectError,
    UpstreamError,
    UpstreamInterruptedError,
    UpstreamProtocolError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from streamroute.upstreams.retry import RetryPolicy

BROKE = UpstreamInterruptedError("broke off", upstream="cheap")


def status(number: int, message: str = "no", **told: float | str | None) -> UpstreamStatusError:
    return UpstreamStatusError(message, upstream="cheap", status=number, **told)  # type: ignore[arg-type]


def policy(drawn: float = 0.5, **settings: float) -> RetryPolicy:
    return RetryPolicy(**{"attempts": 3, "wait": 1.0, "longest": 5.0, **settings}, random=lambda: drawn)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        UpstreamConnectError("nobody there", upstream="cheap"),
        BROKE,
        UpstreamProtocolError("gibberish", upstream="cheap"),
        UpstreamTimeoutError("timed out connecting", upstream="cheap", connecting=True),
        *[status(number) for number in (408, 409, 425, 429, 500, 502, 503, 504)],
        status(200, "The server is overloaded"),
        status(200, "Rate limit reached for requests"),
        status(200, "no", code="rate_limit_exceeded"),
        status(200, "no", code="503"),
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again(error: UpstreamError) -> None:
    assert policy().delay(1, error) == 0.5


@pytest.mark.parametrize(
    "error",
    [
        UpstreamTimeoutError("timed out waiting for the first token", upstream="cheap"),
        UpstreamUnavailableError("not asked", upstream="cheap", retry_after=1.0),
        UpstreamError("cannot be written as JSON", upstream="cheap"),
        *[status(number) for number in (302, 400, 401, 402, 403, 404, 413, 422, 451, 501)],
        status(200, "no", code="400"),
        ValueError("a bug"),
    ],
    ids=str,
)
def test_what_stays_is_not(error: Exception) -> None:
    assert policy().delay(1, error) is None


def test_the_wait_is_drawn_from_a_range_that_doubles_up_to_its_longest() -> None:
    assert [policy(1.0, attempts=4).delay(attempt, BROKE) for attempt in (1, 2, 3, 4, 5)] == [1.0, 2.0, 4.0, 5.0, None]
    assert policy(0.0).delay(3, BROKE) == 0.0


def test_no_attempts_are_no_retries() -> None:
    assert policy(attempts=0).delay(1, BROKE) is None


@pytest.mark.parametrize(("told", "waits"), [(0.0, 0.5), (2.0, 2.5), (5.0, 5.5), (5.1, None)])
def test_a_server_that_says_when_is_asked_no_sooner_or_not_at_all(told: float, waits: float | None) -> None:
    assert policy().delay(1, status(429, retry_after=told)) == waits


@given(st.integers(1, 20), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 100))
def test_a_wait_is_never_below_what_was_told_nor_far_beyond_the_longest(
    attempt: int, drawn: float, told: float | None
) -> None:
    waits = policy(drawn, attempts=20).delay(attempt, status(503, retry_after=told))
    if waits is not None:
        assert (told or 0.0) <= waits <= 5.0 + 1.0

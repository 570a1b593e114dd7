"""A server that fails in a row is left alone, then tried by one request."""

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
from streamroute.upstreams.breaker import Breaker, BreakerState

BROKE = UpstreamInterruptedError("broke off", upstream="cheap")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def status(number: int) -> UpstreamStatusError:
    return UpstreamStatusError("no", upstream="cheap", status=number)


def made(failures: int = 2) -> tuple[Breaker, Clock]:
    clock = Clock()
    return Breaker(failures, 10.0, name="cheap", clock=clock), clock


def opened() -> tuple[Breaker, Clock]:
    breaker, clock = made()
    breaker.failed(BROKE)
    breaker.failed(BROKE)
    return breaker, clock


@pytest.mark.parametrize(
    "error",
    [
        BROKE,
        UpstreamConnectError("nobody", upstream="cheap"),
        UpstreamProtocolError("gibberish", upstream="cheap"),
        UpstreamTimeoutError("slow", upstream="cheap"),
        status(500),
        status(503),
        status(200),  # an error frame that says nothing else
    ],
    ids=str,
)
def test_failures_in_a_row_open_it_at_once_for_all(error: UpstreamError) -> None:
    breaker, clock = made()
    breaker.failed(error)
    breaker.check()
    breaker.failed(error)
    assert breaker.state is BreakerState.OPEN
    clock.now += 4
    with pytest.raises(UpstreamUnavailableError, match=r"failed 2 times in a row; .* again in 6\.0 s") as caught:
        breaker.check()
    assert caught.value.retry_after == 6.0


@pytest.mark.parametrize("error", [status(400), status(401), status(404), status(422)], ids=str)
def test_a_refusal_is_an_answer(error: UpstreamError) -> None:
    breaker, _ = made()
    breaker.failed(BROKE)
    breaker.failed(error)
    breaker.failed(BROKE)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("error", [status(429), UpstreamError("not JSON", upstream="cheap"), ValueError()], ids=str)
def test_what_says_nothing_of_the_server_neither_opens_nor_heals(error: Exception) -> None:
    breaker, _ = made()
    for _ in range(5):
        breaker.failed(error)
    breaker.check()
    breaker.failed(BROKE)
    breaker.failed(error)
    breaker.failed(BROKE)
    assert breaker.state is BreakerState.OPEN


def test_an_answer_between_two_failures_keeps_it_closed() -> None:
    breaker, _ = made()
    for _ in range(5):
        breaker.failed(BROKE)
        breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_after_its_time_one_request_tries_the_server() -> None:
    breaker, clock = opened()
    clock.now += 10
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.check() is True
    with pytest.raises(UpstreamUnavailableError):
        breaker.check()


def test_a_trial_that_speaks_closes_it_before_its_end() -> None:
    breaker, clock = opened()
    clock.now += 10
    breaker.check()
    breaker.spoke()
    assert breaker.state is BreakerState.CLOSED
    assert breaker.check() is False


def test_a_trial_that_fails_opens_it_for_as_long_again() -> None:
    breaker, clock = opened()
    clock.now += 10
    breaker.check()
    breaker.failed(BROKE, trial=True)
    clock.now += 9
    with pytest.raises(UpstreamUnavailableError):
        breaker.check()


@pytest.mark.parametrize("left", [True, False], ids=["left", "throttled"])
def test_a_trial_of_which_nothing_is_known_leaves_it_to_the_next(left: bool) -> None:
    breaker, clock = opened()
    clock.now += 10
    breaker.check()
    if left:
        breaker.left()
    else:
        breaker.failed(status(429))
    assert breaker.check() is True


def test_a_trial_that_is_never_told_of_does_not_keep_the_others_out_for_ever() -> None:
    breaker, clock = opened()
    clock.now += 10
    breaker.check()
    clock.now += 10
    assert breaker.check() is True


def test_an_older_request_that_is_left_does_not_end_the_trial() -> None:
    breaker, clock = opened()
    clock.now += 10
    breaker.check()
    breaker.left(trial=False)
    breaker.failed(status(429), trial=False)
    with pytest.raises(UpstreamUnavailableError):
        breaker.check()


def test_failures_while_it_is_open_do_not_prolong_it() -> None:
    breaker, clock = opened()
    clock.now += 9
    breaker.failed(BROKE, trial=False)
    clock.now += 1
    assert breaker.check() is True


steps = st.lists(
    st.tuples(st.sampled_from(["succeeded", "spoke", "broke", "throttled", "refused", "left"]), st.floats(0, 20)),
    max_size=30,
)


@given(steps)
def test_whatever_happens_it_is_asked_again_in_time(happened: list[tuple[str, float]]) -> None:
    breaker, clock = made()
    for what, later in happened:
        clock.now += later
        try:
            trial = breaker.check()
        except UpstreamUnavailableError:
            continue
        match what:
            case "broke" | "throttled" | "refused":
                breaker.failed({"broke": BROKE, "throttled": status(429), "refused": status(400)}[what], trial=trial)
            case "left":
                breaker.left(trial=trial)
            case _:
                getattr(breaker, what)()
    clock.now += 10.0
    breaker.check()

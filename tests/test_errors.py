"""What errors say."""

from __future__ import annotations

import pytest

from streamroute.errors import RouteError, UpstreamError, UpstreamStatusError


def test_a_route_error_names_each_leg_once() -> None:
    causes = [("cheap", UpstreamError("reset", upstream="cheap")), ("large", UpstreamError("gone", upstream="gpt"))]
    assert str(RouteError(causes, shown=False)) == "every leg failed (cheap: reset; large: gpt: gone)"
    assert str(RouteError(causes[:1], shown=True)) == "the answer broke off (cheap: reset)"


@pytest.mark.parametrize(
    ("status", "code", "message", "meaning"),
    [
        (404, "429", "overloaded", 404),
        (200, "429", "no", 429),
        (200, "400", "overloaded", 400),
        (200, "1302", "no", 500),
        (200, "rate_limit_exceeded", "no", 429),
        (200, None, "Too Many Requests", 429),
        (200, None, "overloaded_error", 503),
        (200, None, "The engine is at capacity, try again later", 503),
        (200, None, "it broke", 500),
    ],
)
def test_an_error_frame_means_what_its_code_or_its_words_stand_for(
    status: int, code: str | None, message: str, meaning: int
) -> None:
    assert UpstreamStatusError(message, upstream="m", status=status, code=code).meaning == meaning


def test_answers_are_all_causes_unless_told() -> None:
    error = UpstreamError("gone", upstream="m")
    assert RouteError([("m", error)], shown=False).answers == (error,)
    assert RouteError([("m", error)], shown=False, answers=[]).answers == ()

"""What a client is told when no leg could answer: whose fault it was, and when to come back."""

from __future__ import annotations

import pytest

from streamroute.errors import (
    RouteError,
    UpstreamError,
    UpstreamInterruptedError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from streamroute.gateway.errors import problem_of
from streamroute.testing import Script, ScriptedUpstream
from streamroute.upstreams._border import Border
from tests.gateway.served import QUESTION, larger, serving, virtually


def status(number: int, **told: object) -> UpstreamStatusError:
    return UpstreamStatusError(f"HTTP {number}: said", upstream="m", status=number, **told)  # type: ignore[arg-type]


SLOW = UpstreamTimeoutError("timed out waiting for the first token", upstream="m")
BROKE = UpstreamInterruptedError("broke off", upstream="m")


def resting(seconds: float) -> UpstreamUnavailableError:
    return UpstreamUnavailableError("not asked", upstream="m", retry_after=seconds)


@pytest.mark.parametrize(
    ("causes", "told", "kind", "code", "retry_after"),
    [
        ([status(400), status(400)], 400, "invalid_request_error", "refused_by_model", None),
        ([status(413)], 413, "invalid_request_error", "refused_by_model", None),
        ([status(422), status(422)], 422, "invalid_request_error", "refused_by_model", None),
        ([status(400), status(422)], 400, "invalid_request_error", "refused_by_model", None),
        ([status(400), status(400, code="too_long")], 400, "invalid_request_error", "too_long", None),
        ([status(429), status(429)], 429, "rate_limit_error", "rate_limit_exceeded", None),
        ([status(429, retry_after=2.5), status(429)], 429, "rate_limit_error", "rate_limit_exceeded", "3"),
        ([status(429, retry_after=2), status(429, retry_after=9)], 429, "rate_limit_error", "rate_limit_exceeded", "9"),
        ([status(200, code="rate_limit_exceeded")], 429, "rate_limit_error", "rate_limit_exceeded", None),
        ([SLOW, SLOW], 504, "upstream_error", "upstream_timeout", None),
        ([resting(7.2), resting(3.2)], 503, "upstream_error", "upstreams_unavailable", "4"),
        ([resting(7.2), status(429)], 503, "upstream_error", "upstreams_unavailable", "8"),
        ([status(401)], 502, "upstream_error", "every_leg_failed", None),
        ([status(403), status(403)], 502, "upstream_error", "every_leg_failed", None),
        ([status(404)], 502, "upstream_error", "every_leg_failed", None),
        ([status(500), status(503, retry_after=1)], 502, "upstream_error", "every_leg_failed", None),
        ([status(200)], 502, "upstream_error", "every_leg_failed", None),
        ([status(400), BROKE], 502, "upstream_error", "every_leg_failed", None),
        ([status(429), SLOW], 502, "upstream_error", "every_leg_failed", None),
        ([SLOW, resting(1.0)], 502, "upstream_error", "every_leg_failed", None),
        ([ValueError("a policy's bug")], 502, "upstream_error", "every_leg_failed", None),
        ([], 502, "upstream_error", "every_leg_failed", None),
    ],
)
def test_the_status_says_whose_fault_it_was(
    causes: list[Exception], told: int, kind: str, code: str, retry_after: str | None
) -> None:
    error = RouteError([(f"tier{i}", cause) for i, cause in enumerate(causes)], shown=False)
    problem = problem_of(error)
    assert (problem.status, problem.type, problem.code) == (told, kind, code)
    assert problem.headers.get("Retry-After") == retry_after
    assert [leg for leg, _ in problem.legs] == [f"tier{i}" for i in range(len(causes))]
    assert problem.message == str(error)


def test_probes_have_no_say_but_are_named() -> None:
    error = RouteError([("cheap", SLOW), ("cheap probe 0", BROKE)], shown=False, answers=[SLOW])
    problem = problem_of(error)
    assert problem.status == 504
    assert [leg for leg, _ in problem.legs] == ["cheap", "cheap probe 0"]


def test_an_answer_that_broke_off_is_that_whatever_broke_it() -> None:
    problem = problem_of(RouteError([("large", status(429, retry_after=3))], shown=True))
    assert (problem.status, problem.code, dict(problem.headers)) == (502, "answer_broke_off", {})


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_is_throttled_is_told_when_to_come_back(stream: bool) -> None:
    async def main() -> None:
        throttled = Script([(0.1, "")], error=status(429, retry_after=12.0))
        cheap = ScriptedUpstream(throttled, [Script.failing()], name="cheap")
        async with serving(cheap, larger(throttled)) as served:
            reply = await served.post({"model": "auto", "messages": QUESTION, "stream": stream})
            assert reply.status == 429
            assert reply.headers["Retry-After"] == "12"
            assert reply.error["type"] == "rate_limit_error"
            assert {leg["leg"] for leg in reply.json["streamroute"]["legs"]} >= {"cheap", "large"}

    virtually(main)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Incorrect API key provided: sk-proj-abcdef123456.", "Incorrect API key provided: ***."),
        ("Incorrect API key provided: sk-ab***********wxyz.", "Incorrect API key provided: ***."),
        ("the key letmein is not valid", "the key *** is not valid"),
        ("ask-me-anything is a **bold** name", "ask-me-anything is a **bold** name"),
    ],
)
def test_no_key_nor_half_of_one_is_in_what_an_upstream_says_of_it(said: str, told: str) -> None:
    error: UpstreamError = Border("m", api_key="letmein", headers={}).status(401, said)
    assert str(error) == f"m: HTTP 401: {told}"

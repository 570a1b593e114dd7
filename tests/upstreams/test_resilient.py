"""An upstream that fails now and then: what is tried again, what is not, and what the breaker hears of it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from streamroute.core.types import Delta, TokenLogprob
from streamroute.errors import UpstreamError, UpstreamInterruptedError, UpstreamStatusError, UpstreamUnavailableError
from streamroute.testing import run_virtual
from streamroute.upstreams.base import ChatRequest, Upstream
from streamroute.upstreams.breaker import Breaker, BreakerState
from streamroute.upstreams.resilient import Resilient
from streamroute.upstreams.retry import RetryPolicy
from tests.upstreams.harness import MESSAGES, REQUEST, collect

BROKE = UpstreamInterruptedError("broke off", upstream="cheap")
THROTTLED = UpstreamStatusError("slow down", upstream="cheap", status=429, retry_after=3.0)
REFUSED = UpstreamStatusError("no", upstream="cheap", status=400)
END = Delta(finish_reason="stop")
WHOLE: tuple[Delta | Exception, ...] = (Delta("Canberra"), END)
HANG = Delta("hang")


@dataclass
class Flaky:
    """Plays one script a request, the last one for ever; an error is raised, HANG never ends. An error at the very
    start of a script comes before there is a stream."""

    scripts: Sequence[Sequence[Delta | Exception]]
    name: str = "cheap"
    model: str = "small-1"
    supports_n: bool = True
    asked: list[float] = field(default_factory=list)
    running: int = 0
    closed: bool = False

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        self.asked.append(anyio.current_time())
        script = self.scripts[min(len(self.asked), len(self.scripts)) - 1]
        self.running += 1
        try:
            await anyio.sleep(0.1)
            if isinstance(script[0], Exception):
                raise script[0]
            yield self._play(script)
        finally:
            self.running -= 1

    async def _play(self, script: Sequence[Delta | Exception]) -> AsyncGenerator[Delta]:
        for step in script:
            if isinstance(step, Exception):
                raise step
            if step is HANG:
                await anyio.sleep_forever()
            yield step

    async def aclose(self) -> None:
        self.closed = True


def made(*scripts: Sequence[Delta | Exception], attempts: int = 2, failures: int = 5) -> tuple[Flaky, Resilient]:
    flaky = Flaky(scripts)
    retry = RetryPolicy(attempts, wait=1.0, longest=5.0, random=lambda: 0.5)
    return flaky, Resilient(flaky, retry=retry, breaker=Breaker(failures, 10.0, name="cheap", clock=anyio.current_time))


def virtual(main: Any) -> None:
    run_virtual(main)


SAYING_NOTHING = (Delta(""), Delta(logprobs=(TokenLogprob("x", -1.0),)))


@pytest.mark.parametrize("before", [(), SAYING_NOTHING], ids=["at once", "after deltas that say nothing"])
def test_what_fails_before_its_first_content_is_asked_again(before: tuple[Delta, ...]) -> None:
    async def main() -> None:
        flaky, upstream = made((*before, BROKE), (*before, BROKE), WHOLE)
        retried: list[Exception] = []
        assert await collect(upstream, dataclasses.replace(REQUEST, retrying=retried.append)) == list(WHOLE)
        assert flaky.asked == [0.0, pytest.approx(0.6), pytest.approx(1.7)]
        assert retried == [BROKE, BROKE]
        assert flaky.running == 0

    virtual(main)


def test_what_fails_after_its_first_content_is_not() -> None:
    async def main() -> None:
        flaky, upstream = made((Delta("Can"), BROKE), WHOLE)
        async with upstream.stream(REQUEST) as deltas:
            assert (await anext(deltas)).text == "Can"
            with pytest.raises(UpstreamInterruptedError):
                await anext(deltas)
        assert len(flaky.asked) == 1

    virtual(main)


@pytest.mark.parametrize("delta", [Delta(tool_calls=b"[{}]"), Delta(refusal="no")], ids=["tool call", "refusal"])
def test_a_tool_call_and_a_refusal_are_content(delta: Delta) -> None:
    async def main() -> None:
        flaky, upstream = made((delta, BROKE), WHOLE)
        with pytest.raises(UpstreamInterruptedError):
            await collect(upstream)
        assert len(flaky.asked) == 1

    virtual(main)


def test_the_last_error_is_told_when_all_tries_failed() -> None:
    async def main() -> None:
        flaky, upstream = made((BROKE,), (BROKE,), (REFUSED,))
        with pytest.raises(UpstreamStatusError):
            await collect(upstream)
        assert len(flaky.asked) == 3

    virtual(main)


def test_a_refusal_is_told_at_once() -> None:
    async def main() -> None:
        flaky, upstream = made((REFUSED,))
        with pytest.raises(UpstreamStatusError):
            await collect(upstream)
        assert flaky.asked == [0.0]

    virtual(main)


def test_a_server_that_says_when_is_asked_then() -> None:
    async def main() -> None:
        flaky, upstream = made((THROTTLED,), WHOLE)
        await collect(upstream)
        assert flaky.asked == [0.0, pytest.approx(0.1 + 3.0 + 0.5)]

    virtual(main)


def test_an_empty_answer_is_an_answer() -> None:
    async def main() -> None:
        flaky, upstream = made((END,))
        assert await collect(upstream) == [END]
        assert len(flaky.asked) == 1

    virtual(main)


def test_a_probe_is_asked_once_and_counts_for_the_breaker() -> None:
    async def main() -> None:
        flaky, upstream = made((BROKE,), failures=2)
        probe = ChatRequest(messages=MESSAGES, probe=True)
        for _ in range(2):
            with pytest.raises(UpstreamInterruptedError):
                await collect(upstream, probe)
        with pytest.raises(UpstreamUnavailableError):
            await collect(upstream, probe)
        assert len(flaky.asked) == 2

    virtual(main)


def test_the_failure_that_opened_the_breaker_is_told_and_the_next_request_is_not_asked() -> None:
    async def main() -> None:
        flaky, upstream = made((BROKE,), failures=2)
        with pytest.raises(UpstreamInterruptedError):
            await collect(upstream)
        assert len(flaky.asked) == 2
        with pytest.raises(UpstreamUnavailableError):
            await collect(upstream)
        assert len(flaky.asked) == 2

    virtual(main)


def test_after_its_time_one_request_tries_and_heals_it_with_its_first_word() -> None:
    async def main() -> None:
        flaky, upstream = made((BROKE,), (Delta("Can"), HANG), WHOLE, attempts=0, failures=1)
        with pytest.raises(UpstreamError):
            await collect(upstream)
        await anyio.sleep(10)
        async with upstream.stream(REQUEST):
            assert upstream.breaker.state is BreakerState.CLOSED
            assert await collect(upstream) == list(WHOLE)
        assert flaky.running == 0

    virtual(main)


def test_answers_that_break_off_in_the_middle_open_it_too() -> None:
    async def main() -> None:
        _, upstream = made((Delta("Can"), BROKE), failures=2)
        for _ in range(2):
            with pytest.raises(UpstreamInterruptedError):
                await collect(upstream)
        assert upstream.breaker.state is BreakerState.OPEN

    virtual(main)


def test_an_answer_read_to_its_end_undoes_the_failures_before_it() -> None:
    async def main() -> None:
        _, upstream = made((Delta("Can"), BROKE), WHOLE, (Delta("Can"), BROKE), failures=2)
        for failing in (True, False, True):
            if failing:
                with pytest.raises(UpstreamInterruptedError):
                    await collect(upstream)
            else:
                await collect(upstream)
        assert upstream.breaker.state is BreakerState.CLOSED

    virtual(main)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.65, 0.8], ids=["first try", "the wait", "second try", "mid-stream"])
def test_cancelled_in_any_phase_it_leaves_nothing(seconds: float) -> None:
    async def main() -> None:
        flaky, upstream = made((BROKE,), (Delta("Can"), HANG))
        with anyio.move_on_after(seconds):
            await collect(upstream)
        assert flaky.running == 0
        assert len(asyncio.all_tasks()) == 1

    virtual(main)


def test_a_trial_that_is_cancelled_leaves_the_trying_to_the_next() -> None:
    async def main() -> None:
        _, upstream = made((BROKE,), WHOLE, attempts=0, failures=1)
        with pytest.raises(UpstreamError):
            await collect(upstream)
        await anyio.sleep(10)
        with anyio.move_on_after(0.05):
            await collect(upstream)
        assert await collect(upstream) == list(WHOLE)

    virtual(main)


def test_what_the_reader_raises_comes_back_as_it_is() -> None:
    async def main() -> None:
        flaky, upstream = made(WHOLE)
        with pytest.raises(ZeroDivisionError):
            async with upstream.stream(REQUEST):
                raise ZeroDivisionError
        assert flaky.running == 0
        assert upstream.breaker.state is BreakerState.CLOSED

    virtual(main)


async def test_it_is_the_upstream_that_it_wraps() -> None:
    flaky, upstream = made(WHOLE)
    assert isinstance(upstream, Upstream)
    assert (upstream.name, upstream.model, upstream.supports_n) == ("cheap", "small-1", True)
    assert not hasattr(upstream, "relay")
    await upstream.aclose()
    assert flaky.closed


@dataclass
class Relaying(Flaky):
    """One whose bytes can be passed on: each script is what entering gives or raises."""

    serves: tuple[str, ...] = ("chat",)
    tells_usage: bool = True

    @asynccontextmanager
    async def relay(self, endpoint: str, document: Any) -> AsyncGenerator[str]:
        self.asked.append(anyio.current_time())
        script = self.scripts[min(len(self.asked), len(self.scripts)) - 1]
        if isinstance(script[0], Exception):
            raise script[0]
        yield f"{endpoint} {document}"


def relaying(*scripts: Sequence[Delta | Exception]) -> tuple[Relaying, Resilient]:
    inner = Relaying(scripts)
    breaker = Breaker(2, 10.0, name="cheap", clock=anyio.current_time)
    return inner, Resilient(inner, retry=RetryPolicy(2, 1.0, 5.0, lambda: 0.5), breaker=breaker)


def test_bytes_that_are_passed_on_are_asked_for_again_while_nothing_has_come() -> None:
    async def main() -> None:
        inner, upstream = relaying((BROKE,), WHOLE)
        assert (upstream.serves, upstream.tells_usage) == (("chat",), True)
        async with upstream.relay("chat", 7) as reply:
            assert reply == "chat 7"
        assert inner.asked == [0.0, 0.5]
        assert upstream.breaker.state is BreakerState.CLOSED

    virtual(main)


def test_what_breaks_off_while_it_is_passed_on_counts_and_is_not_asked_for_again() -> None:
    async def main() -> None:
        inner, upstream = relaying(WHOLE)
        for _ in range(2):
            with pytest.raises(UpstreamInterruptedError):
                async with upstream.relay("chat", 7):
                    raise BROKE
        with pytest.raises(UpstreamUnavailableError):
            async with upstream.relay("chat", 7):
                pass
        assert len(inner.asked) == 2
        await anyio.sleep(10)
        async with upstream.relay("chat", 7):
            pass
        assert upstream.breaker.state is BreakerState.CLOSED

    virtual(main)

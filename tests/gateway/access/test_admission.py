"""What the budgets leave of a request: nothing, all of it, or a part that the reply tells of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import openai
import pytest

from streamroute.config.settings import AmplificationSettings, BudgetSettings, KeySettings, RouteSettings
from streamroute.gateway.access.admission import limits_of
from streamroute.gateway.access.auth import hash_of
from streamroute.gateway.ledger.entries import Exceeded, Limits, Standing
from streamroute.gateway.ledger.ledger import SqliteLedger
from streamroute.routing.router import Price
from tests.gateway.ledgers import FakeLedger
from tests.gateway.served import QUESTION, RIGHT, Served, serving, virtually

KEY = "sr-" + "k" * 43


def route(**settings: Any) -> RouteSettings:
    return RouteSettings(name="auto", tiers=("cheap", "large"), **settings)


def key(**settings: Any) -> KeySettings:
    return KeySettings(name="ann", hash=hash_of(KEY), **settings)


def probes_of(served: Served) -> int:
    return sum(call.request.probe for call in served.cheap.calls)


ASK: dict[str, Any] = {"model": "auto", "messages": QUESTION}


def test_the_limits_are_those_of_the_key_and_of_the_route() -> None:
    limited = key(requests_per_minute=60, budget=BudgetSettings(day=1.0, month=20.0))
    spending = route(
        budget=BudgetSettings(day=5.0, month=50.0),
        amplification=AmplificationSettings(calls_per_minute=100, cost_per_minute=0.5, calls_per_request=2),
    )
    assert limits_of(limited, spending) == Limits(
        key_requests=60,
        key_day=1.0,
        key_month=20.0,
        route_day=5.0,
        route_month=50.0,
        extra_calls=100,
        extra_cost=0.5,
    )
    assert limits_of(limited, spending, extras=False).extra_calls is None
    assert limits_of(None, route()) == limits_of(key(), route()) == Limits()


def test_a_request_without_limits_does_not_wait_for_the_ledger() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        async with serving(ledger=ledger, keys=[key()]) as served:
            reply = await served.post(ASK, Authorization=f"Bearer {KEY}")
            assert reply.json["streamroute"]["shed"] == []
            assert "x-streamroute-shed" not in reply.headers
            assert ledger.asked == []
            (account,) = ledger.accounts
            assert (account.entry.key, account.entry.route, account.entry.extra_calls) == ("ann", "auto", 3)
            assert [(outcome.status, outcome.shed) for outcome in account.outcomes] == [(200, ())]

    virtually(main)


def test_a_rate_that_is_exceeded_is_a_429_that_says_when_to_come_again() -> None:
    async def main() -> None:
        ledger = FakeLedger(Exceeded(limit="key_requests", allowed=60, retry_after=2.2))
        async with serving(ledger=ledger, keys=[key(requests_per_minute=60)]) as served:
            reply = await served.post(ASK, Authorization=f"Bearer {KEY}")
            assert (reply.status, reply.error["code"]) == (429, "rate_limit_exceeded")
            assert reply.headers["Retry-After"] == "3"
            assert reply.headers["x-ratelimit-limit-requests"] == "60"
            assert reply.headers["x-ratelimit-remaining-requests"] == "0"
            assert "the key 'ann' may ask 60 times a minute" in reply.error["message"]
            assert "x-should-retry" not in reply.headers
            assert (served.cheap.calls, served.large.calls, ledger.accounts) == ([], [], [])
            client = served.client.with_options(api_key=KEY, max_retries=1)
            with pytest.raises(openai.RateLimitError):
                await client.chat.completions.create(**ASK)
            assert len(ledger.asked) == 3  # it has asked again

    virtually(main)


@pytest.mark.parametrize(
    ("limit", "named"),
    [
        ("key_day", "the key 'ann' is spent: 1.5 a day"),
        ("key_month", "the key 'ann' is spent: 1.5 a month"),
        ("route_day", "the route 'auto' is spent: 1.5 a day"),
        ("route_month", "the route 'auto' is spent: 1.5 a month"),
    ],
)
def test_a_budget_that_is_spent_is_named_and_not_asked_for_again(limit: str, named: str) -> None:
    async def main() -> None:
        ledger = FakeLedger(Exceeded(limit=limit, allowed=1.5, retry_after=3600))
        async with serving(ledger=ledger, keys=[key(budget=BudgetSettings(day=1.5))]) as served:
            client = served.client.with_options(api_key=KEY, max_retries=2)
            with pytest.raises(openai.RateLimitError) as caught:
                await client.chat.completions.create(**ASK)
            assert caught.value.code == "insufficient_quota"
            assert named in caught.value.message
            assert len(ledger.asked) == 1
            assert (served.cheap.calls, served.large.calls) == ([], [])

    virtually(main)


@pytest.mark.parametrize(
    ("calls", "probes", "hedges", "shed"),
    [
        (None, 3, 1, []),
        (4, 3, 1, []),
        (3, 2, 1, ["probes"]),
        (2, 1, 1, ["probes"]),
        (1, 1, 0, ["probes", "hedge"]),
        (0, 0, 1, ["probes", "hedge", "judging"]),
    ],
)
@pytest.mark.parametrize("per", ["request", "minute"])
def test_extra_calls_are_shed_probes_first_then_the_hedge_then_the_judging(
    calls: int | None, per: str, probes: int, hedges: int, shed: Sequence[str]
) -> None:
    async def main() -> None:
        ledger = FakeLedger(Standing(extra_calls=calls if per == "minute" else None))
        settings = route(amplification=AmplificationSettings(**{f"calls_per_{per}": 99 if calls is None else calls}))
        async with serving(ledger=ledger, route=settings, router={"hedge_after": 0.0}) as served:
            reply = await served.post(ASK)
            told = reply.json["streamroute"]
            assert (told["shed"], reply.headers.get("x-streamroute-shed", "")) == (shed, ", ".join(shed))
            assert told["unjudged"] == ("amplification_budget" if "judging" in shed else None)
            assert (probes_of(served), len(served.large.calls)) == (probes, hedges)
            assert reply.json["choices"][0]["message"]["content"] == RIGHT
            assert told["tier"] == ("large" if "judging" in shed else "cheap")
            assert list(ledger.accounts[0].outcomes[0].shed) == shed
            assert served.log.lines[-1].get("shed", []) == shed
            streamed = await served.post({**ASK, "stream": True})
            assert streamed.headers.get("x-streamroute-shed", "") == ", ".join(shed)
            if calls is not None and per == "request":
                assert ledger.accounts[0].entry.extra_calls == calls

    virtually(main)


def test_what_is_not_judged_anyway_asks_for_nothing_and_sheds_nothing() -> None:
    async def main() -> None:
        ledger = FakeLedger()
        settings = route(amplification=AmplificationSettings(calls_per_request=0, calls_per_minute=0))
        async with serving(ledger=ledger, route=settings) as served:
            reply = await served.post({**ASK, "model": "cheap"})
            assert (reply.json["streamroute"]["shed"], ledger.accounts[0].entry.extra_calls) == ([], 0)
            assert ledger.asked == []

    virtually(main)


class PickedShadows:
    """Would shadow every request, and keeps which it was asked to."""

    def __init__(self) -> None:
        self.considered: list[str] = []

    def picks(self, served: Any, id: str) -> bool:
        return True

    def consider(self, served: Any, messages: Any, params: Any, id: str) -> None:
        self.considered.append(id)


@pytest.mark.parametrize(("calls", "shed"), [(None, []), (8, []), (7, ["shadow"]), (2, ["shadow", "probes"])])
def test_a_shadow_counts_among_the_extra_calls_and_is_shed_first(calls: int | None, shed: list[str]) -> None:
    async def main() -> None:
        shadows = PickedShadows()
        settings = route(amplification=AmplificationSettings(calls_per_request=calls))
        async with serving(route=settings, shadows=shadows) as served:
            reply = await served.post(ASK)
            assert reply.json["streamroute"]["shed"] == shed
            assert len(shadows.considered) == (0 if shed else 1)

    virtually(main)


def test_money_for_extras_is_estimated_before_and_cut_down_to_what_there_is() -> None:
    async def main() -> None:
        # 9 tokens of prompt and 96 of answer, at a price of 1 a million for each, are 105 millionths a probe.
        ledger = FakeLedger(Standing(extra_cost=220e-6))
        settings = route(amplification=AmplificationSettings(cost_per_minute=1.0))
        async with serving(
            ledger=ledger, route=settings, prices=(Price(prompt=1.0, completion=1.0), Price())
        ) as served:
            reply = await served.post(ASK)
            assert reply.json["streamroute"]["shed"] == ["probes"]
            assert probes_of(served) == 2
            assert ledger.accounts[0].entry.extra_cost == pytest.approx(3 * 105e-6)
            assert ledger.asked[0].extra_cost == 1.0

    virtually(main)


def test_with_the_ledger_that_is_kept_rates_money_and_extras_run_out() -> None:
    async def main() -> None:
        prices = (Price(prompt=1.0, completion=1.0), Price())
        keys = [key(requests_per_minute=2, budget=BudgetSettings(day=1.0))]
        settings = route(amplification=AmplificationSettings(calls_per_minute=4))
        async with serving(ledger=SqliteLedger.in_memory(), keys=keys, route=settings) as served:
            replies = [await served.post(ASK, Authorization=f"Bearer {KEY}") for _ in range(3)]
            assert [reply.status for reply in replies] == [200, 200, 429]
            assert [reply.json["streamroute"]["shed"] for reply in replies[:2]] == [[], ["probes"]]
            assert replies[2].error["code"] == "rate_limit_exceeded"
            assert 1 <= int(replies[2].headers["Retry-After"]) <= 60
        month, day = key(budget=BudgetSettings(month=1e-9)), route(budget=BudgetSettings(day=1e-9))
        for keys, settings in (([month], route()), ([key()], day)):
            book = SqliteLedger.in_memory()
            async with serving(ledger=book, prices=prices, keys=keys, route=settings) as served:
                replies = [await served.post(ASK, Authorization=f"Bearer {KEY}") for _ in range(2)]
                assert [reply.status for reply in replies] == [200, 429]
                assert replies[1].error["code"] == "insufficient_quota"
                assert replies[1].headers["x-should-retry"] == "false"

    virtually(main)

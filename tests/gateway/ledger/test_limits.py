"""Limits against a naive model of them, and to the second."""

from __future__ import annotations

import asyncio
import calendar
import time
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamroute.gateway.ledger.entries import Account, Exceeded, Limits, Opened, Standing
from streamroute.gateway.ledger.ledger import SqliteLedger
from tests.gateway.ledger.told import NOON, opened, spending

MONTH_END = calendar.timegm((2026, 11, 30, 23, 58, 0))


@dataclass
class Naive:
    """Every request there was, counted again each time."""

    requests: list[tuple[Opened, int, float]] = field(default_factory=list)  # extra calls and money, as they stand
    spent: list[tuple[Opened, float]] = field(default_factory=list)

    def admit(self, entry: Opened, limits: Limits) -> Standing | str:
        now = entry.started
        recent = [one for one in self.requests if one[0].started > now - 60]
        if limits.key_requests is not None and entry.key is not None:
            own = [one for one in recent if one[0].key == entry.key]
            if len(own) >= limits.key_requests:
                return "key_requests"
        day, month = time.gmtime(now)[:3], time.gmtime(now)[:2]
        for limit, name, span in (
            ("key_day", "key", day),
            ("key_month", "key", month),
            ("route_day", "route", day),
            ("route_month", "route", month),
        ):
            allowed = getattr(limits, limit)
            own_name = getattr(entry, name)
            if allowed is None or own_name is None:
                continue
            of = [
                cost
                for one, cost in self.spent
                if getattr(one, name) == own_name and time.gmtime(one.started)[: len(span)] == span
            ]
            if sum(of) >= allowed:
                return str(limit)
        on_route = [one for one in recent if one[0].route == entry.route]
        calls = None if limits.extra_calls is None else max(0, limits.extra_calls - sum(one[1] for one in on_route))
        cost = None if limits.extra_cost is None else max(0.0, limits.extra_cost - sum(one[2] for one in on_route))
        standing = Standing(
            extra_calls=None if calls is None else min(calls, entry.extra_calls),
            extra_cost=None if cost is None else min(cost, entry.extra_cost),
        )
        reserved = entry.extra_calls if standing.extra_calls is None else standing.extra_calls
        money = entry.extra_cost if standing.extra_cost is None else standing.extra_cost
        if limits.extra_calls is None and limits.extra_cost is None:
            reserved, money = entry.extra_calls, entry.extra_cost
        self.requests.append((entry, reserved, money if reserved else 0.0))
        return standing

    def settle(self, index: int, cost: float, calls: int, extra: float) -> None:
        entry = self.requests[index][0]
        self.requests[index] = (entry, calls, extra)
        self.spent.append((entry, cost))


EIGHTHS = st.integers(0, 24).map(lambda n: n / 8)  # sums of them are exact
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("admit"),
            st.sampled_from([0.0, 0.5, 20.0, 59.5, 60.0]),
            st.sampled_from([None, "alice", "bob"]),
            st.sampled_from(["auto", "other"]),
            st.integers(0, 4),
            EIGHTHS,
        ),
        st.tuples(st.just("settle"), st.integers(0, 100), EIGHTHS, st.integers(0, 3), st.just(""), EIGHTHS),
    ),
    max_size=30,
)
MAYBE = st.one_of(st.none(), EIGHTHS)
LIMITS = st.builds(
    Limits,
    key_requests=st.one_of(st.none(), st.integers(1, 4)),
    key_day=MAYBE,
    key_month=MAYBE,
    route_day=MAYBE,
    route_month=MAYBE,
    extra_calls=st.one_of(st.none(), st.integers(0, 6)),
    extra_cost=MAYBE,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, limits=LIMITS)
def test_limits_hold_as_if_everything_were_counted_again_each_time(
    steps: list[tuple[object, ...]], limits: Limits
) -> None:
    async def main() -> None:
        ledger, naive, now = SqliteLedger.in_memory(rows=5), Naive(), float(MONTH_END)
        accounts: list[Account] = []
        unsettled: list[int] = []
        for step in steps:
            match step:
                case ("admit", float(later), key, str(route), int(calls), float(cost)):
                    now += later
                    entry = opened(
                        key=key, route=route, started=now, extra_calls=calls, extra_cost=cost if calls else 0.0
                    )
                    found, expected = await ledger.admit(entry, limits), naive.admit(entry, limits)
                    if isinstance(found, Exceeded):
                        assert found.limit == expected
                        assert 0 < found.retry_after <= 31 * 86_400
                    else:
                        assert found[1] == expected
                        accounts.append(found[0])
                        unsettled.append(len(accounts) - 1)
                case ("settle", int(which), float(cost), int(calls), _, float(extra)) if unsettled:
                    index = unsettled.pop(which % len(unsettled))
                    extra = extra if calls in (1, 2) else 0.0  # by three, eighths are not exact
                    calls = calls if calls in (1, 2) else 0
                    accounts[index].settle(spending(cost + extra, calls, extra))
                    naive.settle(index, cost + extra, calls, extra)
                case _:
                    pass
        await ledger.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("limits", "limit", "retry_after"),
    [
        (Limits(key_requests=2), "key_requests", 30.0),
        (Limits(key_day=1.0), "key_day", 43_170.0),
        (Limits(key_month=1.0), "key_month", 6 * 86_400 + 43_170.0),
        (Limits(route_day=1.0), "route_day", 43_170.0),
        (Limits(route_month=1.0), "route_month", 6 * 86_400 + 43_170.0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_who_waits_as_long_as_told_is_admitted_and_who_comes_before_is_not(
    limits: Limits, limit: str, retry_after: float
) -> None:
    ledger = SqliteLedger.in_memory()
    for _ in range(2):
        ledger.open(opened(key="alice", started=NOON)).settle(spending(0.5))
    asked = opened(key="alice", started=NOON + 30)
    assert await ledger.admit(asked, limits) == Exceeded(
        limit=limit, allowed=1.0 if "requests" not in limit else 2.0, retry_after=retry_after
    )
    early = await ledger.admit(replace(asked, started=asked.started + retry_after - 0.5), limits)
    assert isinstance(early, Exceeded)
    assert not isinstance(await ledger.admit(replace(asked, started=asked.started + retry_after), limits), Exceeded)
    await ledger.aclose()


async def test_the_last_month_of_a_year_ends_with_it() -> None:
    ledger = SqliteLedger.in_memory()
    silvester = float(calendar.timegm((2026, 12, 31, 23, 59, 0)))
    ledger.open(opened(started=silvester)).settle(spending(1.0))
    found = await ledger.admit(opened(started=silvester), Limits(route_month=1.0))
    assert isinstance(found, Exceeded)
    assert found.retry_after == 60.0
    await ledger.aclose()


async def test_what_was_reserved_is_given_back_for_what_was_taken() -> None:
    ledger, limits = SqliteLedger.in_memory(), Limits(extra_calls=5, extra_cost=1.0)
    first = await ledger.admit(opened(extra_calls=4, extra_cost=0.75), limits)
    second = await ledger.admit(opened(extra_calls=4, extra_cost=0.75), limits)
    assert not isinstance(first, Exceeded)
    assert not isinstance(second, Exceeded)
    assert (first[1], second[1]) == (
        Standing(extra_calls=4, extra_cost=0.75),
        Standing(extra_calls=1, extra_cost=0.25),
    )
    first[0].settle(spending(1.0, calls=1, extra=0.125))
    third = await ledger.admit(opened(extra_calls=4, extra_cost=0.75), limits)
    assert not isinstance(third, Exceeded)
    assert third[1] == Standing(extra_calls=3, extra_cost=0.625)
    await ledger.aclose()

"""`check` says when an early start can never pay, and when every request gets one."""

from __future__ import annotations

import pytest

from streamroute.config.findings import Finding, Severity
from tests.config.test_check import findings

HEDGE = "hedge = {{ waste = {}, second = {}, large_first = {}, decision = {}, prior = 0.25 }}"


@pytest.mark.parametrize(
    ("numbers", "severity", "said"),
    [
        ((0.001, 0.0, 1.0, 1.0), Severity.WARNING, "never hedges"),
        ((0.001, 0.01, 1.0, 1.0), Severity.WARNING, "above the bar of 0.09: the next tier starts beside every answer"),
        ((0.003, 0.001, 1.0, 1.0), Severity.OK, "hedges where the first evidence is above 0.75"),
    ],
)
async def test_a_hedge_rule_is_weighed_at_its_own_numbers(
    numbers: tuple[float, ...], severity: Severity, said: str
) -> None:
    found = [finding for finding in await findings(route=HEDGE.format(*numbers)) if said in finding.message]
    assert [(each.severity, each.subject) for each in found] == [(severity, "route auto")]


async def test_nothing_is_said_of_a_hedge_that_is_not_there() -> None:
    assert not [finding for finding in await findings() if "hedge" in finding.message]
    assert Finding(Severity.OK, "route auto", "cheap -> large") in await findings()

"""GET /v1/board: the numbers that the live board draws."""

from __future__ import annotations

import pytest

from streamroute.config.settings import BudgetSettings, RouteSettings
from streamroute.errors import UpstreamConnectError
from streamroute.gateway.ledger.entries import Total
from streamroute.routing.router import Price
from streamroute.testing import Script, ScriptedUpstream
from tests.gateway.observe.remembered import Remembered
from tests.gateway.served import QUESTION, disagreeing, larger, serving, virtually

ASKED = {"model": "auto", "messages": QUESTION}
PRICES = Price(prompt=1.0, completion=2.0), Price(prompt=100.0, completion=200.0)


def mixed() -> ScriptedUpstream:
    """A cheap model that is kept once and then escalated."""
    return ScriptedUpstream("It is.", ["It is."] * 3 + ["a", "b", "c"] * 9, name="cheap")


def test_a_routes_numbers_stand_beside_its_targets() -> None:
    async def main() -> None:
        route = RouteSettings(
            name="auto", tiers=("cheap", "large"), escalation_rate=0.3, budget=BudgetSettings(day=5.0)
        )
        async with serving(mixed(), ledger=Remembered(), prices=PRICES, route=route) as served:
            for model in ("auto", "auto", "large"):
                await served.post({**ASKED, "model": model})
            board = (await served.get("/v1/board")).json
            (own,) = board["routes"]
            assert (own["name"], own["tiers"], own["release"]) == ("auto", ["cheap", "large"], "hold")
            assert (own["requests"], own["judged"], own["escalated"], own["errors"]) == (3, 2, 1, 0)
            assert own["escalation_rate"] == own["recent_escalation_rate"] == 0.5
            assert (own["target_escalation_rate"], own["target_spend"], own["drift"]) == (0.3, None, None)
            assert own["budget"] == {"day": 5.0, "month": None}
            assert own["cost"] > own["probe_cost"] > 0
            assert own["saved"] is not None
            assert board["all"]["requests"] == 3
            assert board["reasons"]["accept"] == {"samples_agree": 1, "unjudged": 1}
            assert (board["in_flight"], board["draining"]) == (0, False)
            assert [row["decision"] for row in board["recent"]] == ["accept", "escalate", "accept"]

    virtually(main)


def test_histograms_are_bars_with_quantiles() -> None:
    async def main() -> None:
        async with serving(mixed(), ledger=Remembered()) as served:
            for _ in range(2):
                await served.post(ASKED)
            board = (await served.get("/v1/board")).json
            score = board["score"]
            assert score["bounds"][0] == 0.0
            assert score["bounds"][-1] is None
            assert score["counts"] == [1, *[0] * 9, 1, 0]
            assert (score["count"], score["sum"]) == (2, 1.0)
            assert (score["p50"], score["p95"]) == (0.0, pytest.approx(0.99))
            assert board["routes"][0]["score"] == score
            assert board["first_kept"]["count"] == board["entropy"]["count"] == 2

    virtually(main)


def test_what_is_slower_than_every_bound_has_a_quantile_all_the_same() -> None:
    class Slow(Remembered):
        async def totals(self) -> list[Total]:
            name, route = "streamroute_first_kept_seconds", ("route", "auto")
            return [Total(f"{name}_bucket", (route, ("le", "+Inf")), 4.0), Total(f"{name}_sum", (route,), 400.0)]

    async def main() -> None:
        async with serving(ledger=Slow()) as served:
            assert (await served.get("/v1/board")).json["first_kept"]["p50"] == 30.0

    virtually(main)


def test_what_is_told_of_a_route_is_its_own() -> None:
    class Two(Remembered):
        async def totals(self) -> list[Total]:
            def one(route: str, kind: str, amount: float) -> Total:
                return Total(f"streamroute_cost_{kind}_total", (("route", route),), amount)

            return [one("auto", "saved", 5.0), one("auto", "excess", 2.0), one("gone", "saved", 10.0)]

        async def recent(self, limit: int) -> list[dict[str, object]]:
            rows = [("auto", "escalate", 0.9), ("auto", "accept", None), ("gone", "accept", 0.1)]
            return [{"route": route, "decision": decision, "score": score} for route, decision, score in rows]

    async def main() -> None:
        async with serving(ledger=Two()) as served:
            board = (await served.get("/v1/board")).json
            (own,) = board["routes"]
            assert (own["saved"], board["all"]["saved"]) == (3.0, 13.0)
            assert (own["recent_judged"], own["recent_escalation_rate"]) == (1, 1.0)
            assert (board["all"]["recent_judged"], board["all"]["recent_escalation_rate"]) == (2, 0.5)

    virtually(main)


def test_nothing_is_known_before_the_first_request() -> None:
    async def main() -> None:
        async with serving() as served:
            reply = await served.get("/v1/board")
            assert reply.headers["Cache-Control"] == "no-store"
            board = reply.json
            assert {"routes", "recent", "entropy", "first_kept", "in_flight", "now"} <= board.keys()
            assert board["recent"] == []
            assert board["entropy"]["p50"] is None
            assert (board["all"]["escalation_rate"], board["all"]["saved"]) == (None, None)

    virtually(main)


def test_errors_and_retractions_are_on_it() -> None:
    async def main() -> None:
        broken = Script([], error=UpstreamConnectError("gone", upstream="large"))
        async with serving(disagreeing(), larger(broken), ledger=Remembered()) as served:
            await served.post({**ASKED, "stream": True, "streamroute": {"release": "retract"}})
            await served.post({**ASKED, "model": "large"})
            board = (await served.get("/v1/board")).json
            assert (board["routes"][0]["retractions"], board["routes"][0]["errors"]) == (1, 1)
            assert board["errors"] == {"every_leg_failed": 1}

    virtually(main)

"""GET /metrics: what a scraper reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from prometheus_client import parser
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics

from streamroute.config.settings import KeySettings
from streamroute.errors import UpstreamConnectError
from streamroute.gateway.access.auth import Client
from streamroute.gateway.app import create_app
from streamroute.gateway.errors import RefusedError
from streamroute.gateway.keys import CLIENT
from streamroute.gateway.ledger.entries import Total
from streamroute.gateway.observe.board import board
from streamroute.gateway.observe.metrics import metrics
from streamroute.routing.router import Price
from streamroute.testing import Script
from tests.gateway.observe.remembered import Remembered
from tests.gateway.served import QUESTION, RIGHT, agreeing, disagreeing, larger, serving, virtually

PRICES = Price(prompt=1e4, completion=2e4), Price(prompt=1e6, completion=2e6)
OPENMETRICS: Callable[[str], Iterable[Metric]] = openmetrics.text_string_to_metric_families
ASKED = {"model": "auto", "messages": QUESTION}


def samples(families: Iterable[Metric]) -> dict[str, float]:
    """By name and labels, as in `name{label=value}`."""
    return {
        f"{sample.name}{{{','.join(f'{k}={v}' for k, v in sorted(sample.labels.items()) if k != 'pid')}}}": sample.value
        for family in families
        for sample in family.samples
    }


def test_one_request_is_told_with_all_its_numbers() -> None:
    async def main() -> None:
        async with serving(disagreeing(), ledger=Remembered(), prices=PRICES) as served:
            await served.post({**ASKED, "stream": True, "streamroute": {"release": "retract"}})
            reply = await served.get("/metrics")
            assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            found = samples(parser.text_string_to_metric_families(reply.body.decode()))
            assert found["streamroute_requests_total{route=auto,status=2xx,stream=true}"] == 1
            assert found["streamroute_decisions_total{decision=escalate,reason=samples_disagree,route=auto}"] == 1
            assert found["streamroute_judged_total{outcome=escalated,route=auto}"] == 1
            assert found["streamroute_retractions_total{route=auto}"] == 1
            assert found["streamroute_legs_total{kind=probe,route=auto,state=finished,upstream=cheap}"] == 3
            assert found["streamroute_legs_total{kind=answer,route=auto,state=finished,upstream=large}"] == 1
            assert found["streamroute_cost_total{purpose=kept,route=auto,upstream=large}"] > 1
            assert found["streamroute_cost_excess_total{route=auto}"] > 0
            assert found["streamroute_first_kept_seconds_bucket{le=+Inf,route=auto}"] == 1
            assert found["streamroute_first_kept_seconds_count{route=auto}"] == 1
            assert found["streamroute_in_flight{}"] == 0
            assert found["streamroute_draining{}"] == 0
            assert found["streamroute_uptime_seconds{}"] >= 0

    virtually(main)


def test_a_kept_answer_has_saved_the_larger_ones_price() -> None:
    async def main() -> None:
        async with serving(ledger=Remembered(), prices=PRICES) as served:
            await served.post(ASKED)
            found = samples(parser.text_string_to_metric_families((await served.get("/metrics")).body.decode()))
            cost = sum(value for name, value in found.items() if name.startswith("streamroute_cost_total"))
            tokens = {
                kind: found[f"streamroute_tokens_total{{counted=true,kind={kind},route=auto,upstream=cheap}}"]
                for kind in ("prompt", "completion")
            }
            assert cost == pytest.approx((tokens["prompt"] + 2 * tokens["completion"]) / 100)
            answer = (tokens["prompt"] + 2 * tokens["completion"]) / 4  # four legs say the same
            assert found["streamroute_cost_saved_total{route=auto}"] == pytest.approx(answer - cost)

    virtually(main)


def test_a_failed_request_is_an_error_by_its_code_and_its_legs_are_failed() -> None:
    async def main() -> None:
        broken = Script([], error=UpstreamConnectError("gone", upstream="large"))
        async with serving(agreeing(), larger(broken), ledger=Remembered()) as served:
            assert (await served.post({**ASKED, "model": "large"})).status == 502
            found = samples(parser.text_string_to_metric_families((await served.get("/metrics")).body.decode()))
            assert found["streamroute_errors_total{code=every_leg_failed,route=auto}"] == 1
            assert found["streamroute_requests_total{route=auto,status=5xx,stream=false}"] == 1
            assert found["streamroute_legs_total{kind=answer,route=auto,state=failed,upstream=large}"] == 1

    virtually(main)


def test_openmetrics_is_told_where_it_is_asked_for_and_says_the_same() -> None:
    async def main() -> None:
        async with serving(ledger=Remembered()) as served:
            await served.post(ASKED)
            accept = 'application/openmetrics-text;version=9.9;escaping="x",text/plain;q=0.5'
            reply = await served.get("/metrics", Accept=accept)
            assert reply.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
            found = samples(OPENMETRICS(reply.body.decode()))
            plain = samples(parser.text_string_to_metric_families((await served.get("/metrics")).body.decode()))
            moving = ("streamroute_uptime_seconds", "streamroute_replies_total")  # by the scrape itself
            assert {name: value for name, value in found.items() if not name.startswith(moving)} == {
                name: value for name, value in plain.items() if not name.startswith(moving)
            }

    virtually(main)


def test_totals_that_nobody_described_are_told_as_they_are_named() -> None:
    class More(Remembered):
        async def totals(self) -> list[Total]:
            return [Total("streamroute_other_total", (("kind", 'a "quoted"\nname'),), 3.0)]

    async def main() -> None:
        async with serving(ledger=More()) as served:
            found = samples(parser.text_string_to_metric_families((await served.get("/metrics")).body.decode()))
            assert found['streamroute_other_total{kind=a "quoted"\nname}'] == 3

    virtually(main)


def test_an_empty_ledger_is_a_valid_page() -> None:
    async def main() -> None:
        async with serving() as served:
            for accept in ("text/plain", "application/openmetrics-text"):
                assert (await served.get("/metrics", Accept=accept)).status == 200
            body = (await served.get("/metrics", Accept="application/openmetrics-text")).body.decode()
            assert body.endswith("# EOF\n")
            names = {metric.name for metric in OPENMETRICS(body)}
            assert {"streamroute_requests", "streamroute_entropy", "streamroute_build"} <= names

    virtually(main)


@pytest.mark.parametrize("path", ["/metrics", "/v1/board"])
def test_the_numbers_of_all_are_not_for_everyone(path: str) -> None:
    async def main() -> None:
        async with serving(api_key="secret") as served:
            assert (await served.get(path)).status == 401
            assert (await served.get(path, Authorization="Bearer secret")).status == 200

    virtually(main)


@pytest.mark.parametrize("handler", [metrics, board])
async def test_a_key_needs_the_right_to_the_board(handler: Callable[[web.Request], Awaitable[web.Response]]) -> None:
    app = create_app({})
    for may_read in (True, False):
        request = make_mocked_request("GET", "/metrics", app=app)
        request[CLIENT] = Client(KeySettings(name="app", hash=f"sha256:{'0' * 64}", board=may_read))
        if may_read:
            assert (await handler(request)).status == 200
        else:
            with pytest.raises(RefusedError) as caught:
                await handler(request)
            assert caught.value.problem.status == 403


def test_a_request_that_is_under_way_is_in_flight() -> None:
    async def main() -> None:
        async with serving(disagreeing(), larger(Script(steps=[(5.0, RIGHT)]))) as served:
            asking = asyncio.ensure_future(served.post(ASKED))
            await asyncio.sleep(1)
            found = samples(parser.text_string_to_metric_families((await served.get("/metrics")).body.decode()))
            assert found["streamroute_in_flight{}"] == 1
            await asking

    virtually(main)


def test_what_is_refused_is_counted_where_the_ledger_has_nothing_of_it() -> None:
    async def main() -> None:
        async with serving(api_key="secret", ledger=Remembered()) as served:
            for key in ("wrong", "secret"):
                await served.post({**ASKED, "model": "nope"}, Authorization=f"Bearer {key}")
            await served.post(ASKED, Authorization="Bearer secret")
            reply = await served.get("/metrics", Authorization="Bearer secret")
            found = samples(parser.text_string_to_metric_families(reply.body.decode()))
            replies = {name: value for name, value in found.items() if name.startswith("streamroute_replies_total")}
            assert replies == {
                "streamroute_replies_total{code=invalid_api_key,status=401}": 1,
                "streamroute_replies_total{code=model_not_found,status=404}": 1,
                "streamroute_replies_total{code=,status=200}": 1,
            }
            assert [line.get("code") for line in served.log.lines[:3]] == ["invalid_api_key", "model_not_found", None]

    virtually(main)

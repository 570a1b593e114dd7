"""Clients cannot name addresses: whatever they send, the configured upstream is asked, and nobody else."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.gateway.served import QUESTION, virtually
from tests.gateway.two_tiers import ModelServer, staged
from tests.support.upstream_server import Reply, UpstreamServer

NAMES = ("base_url", "api_base", "url", "host", "endpoint", "proxy", "api_key", "extra_headers", "upstream")
HEADERS = (
    "X-Forwarded-Host",
    "X-Forwarded-For",
    "X-Original-URL",
    "X-Upstream",
    "X-Streamroute-Base-Url",
    "Forwarded",
    "Location",
    "OpenAI-Base-URL",
)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/chat/completions?base_url={evil}"])
def test_no_field_and_no_header_of_a_client_changes_who_is_asked(path: str) -> None:
    async def main() -> None:
        async with (
            UpstreamServer() as evil,
            staged(ModelServer(Reply.of("It is Canberra.")), ModelServer(Reply.of("It is Canberra."))) as stage,
            aiohttp.ClientSession() as http,
        ):
            host = evil.url.removeprefix("http://").removesuffix("/v1")
            fields: dict[str, Any] = dict.fromkeys(NAMES, evil.url)
            headers = dict.fromkeys(HEADERS, host) | {"Host": host, "Connection": "keep-alive"}
            body = {"model": "cheap", "messages": QUESTION, "stream": True, **fields}
            async with http.post(stage.url + path.format(evil=evil.url), json=body, headers=headers) as reply:
                assert reply.status == 200, await reply.text()
            (asked,) = stage.cheap.seen
            named = {name.lower() for name in HEADERS}
            assert not named & {name.lower() for name in asked.headers}
            assert asked.headers["Host"] in stage.cheap.url
            assert evil.seen == []

    virtually(main)


@pytest.mark.parametrize("name", NAMES)
def test_the_router_takes_no_address_among_its_options(name: str) -> None:
    async def main() -> None:
        async with (
            staged(ModelServer(Reply.of("x")), ModelServer(Reply.of("x"))) as stage,
            aiohttp.ClientSession() as http,
        ):
            body = {"model": "cheap", "messages": QUESTION, "streamroute": {name: "http://127.0.0.1:1"}}
            async with http.post(f"{stage.url}/v1/chat/completions", json=body) as reply:
                assert reply.status == 400
                assert (await reply.json())["error"]["param"] == f"streamroute.{name}"
            assert stage.seen == []

    virtually(main)


@pytest.mark.parametrize("model", ["http://127.0.0.1:1/v1", "cheap@127.0.0.1:1", "../large", "//127.0.0.1:1"])
def test_a_model_is_a_name_and_never_an_address(model: str) -> None:
    async def main() -> None:
        async with (
            staged(ModelServer(Reply.of("x")), ModelServer(Reply.of("x"))) as stage,
            aiohttp.ClientSession() as http,
        ):
            async with http.post(
                f"{stage.url}/v1/chat/completions", json={"model": model, "messages": QUESTION}
            ) as reply:
                assert reply.status == 404
            assert stage.seen == []

    virtually(main)

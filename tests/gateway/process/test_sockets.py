"""Real sockets: where the server listens, and how its bytes leave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from streamroute.config.settings import ServerSettings
from streamroute.errors import ConfigError
from streamroute.gateway.process.server import loop_factory
from streamroute.gateway.process.sockets import address_of, bound, listen
from tests.gateway.served import QUESTION
from tests.gateway.two_tiers import ModelServer, staged
from tests.support.upstream_server import Reply

ASK = {"model": "cheap", "messages": QUESTION, "stream": True}


def nodelay(transport: Any) -> bool:
    return bool(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def test_connections_are_refused_until_it_listens() -> None:
    with bound(ServerSettings(port=0)) as socks:
        at = socks[0].getsockname()
        with socket.socket() as client:
            assert client.connect_ex(at) != 0
        listen(socks, ServerSettings(port=0))
        assert address_of(socks) == f"http://127.0.0.1:{at[1]}"
        with socket.create_connection(at):
            pass
    with socket.socket() as client:
        assert client.connect_ex(at) != 0


def test_every_address_of_a_name_is_at_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str | None, port: int, **_: object) -> list[object]:
        kind = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        absent = (socket.AF_INET, *kind, ("192.0.2.1", port))
        return [absent, *((socket.AF_INET, *kind, (address, port)) for address in ("127.0.0.1", "127.0.0.2"))]

    monkeypatch.setattr("socket.getaddrinfo", both)
    with bound(ServerSettings(host="twofold", port=0)) as socks:
        assert [sock.getsockname()[0] for sock in socks] == ["127.0.0.1", "127.0.0.2"]
        assert len({sock.getsockname()[1] for sock in socks}) == 1


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_here_is_named(host: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot listen on {host}:0: "), bound(ServerSettings(host=host, port=0)):
        pass


@pytest.mark.parametrize("factory", [asyncio.SelectorEventLoop, loop_factory()])
def test_no_small_write_waits_for_an_acknowledgement_on_either_side(
    factory: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[bool] = []
    asked: list[bool] = []
    prepare, connect = web.StreamResponse.prepare, aiohttp.TCPConnector.connect

    async def prepared(self: Any, request: web.BaseRequest) -> Any:
        served.append(nodelay(request.transport))
        return await prepare(self, request)

    async def connected(self: Any, *args: Any, **more: Any) -> Any:
        connection = await connect(self, *args, **more)
        asked.append(nodelay(connection.transport))
        return connection

    monkeypatch.setattr(web.StreamResponse, "prepare", prepared)
    monkeypatch.setattr(aiohttp.TCPConnector, "connect", connected)

    async def main() -> None:
        async with staged(ModelServer(Reply.of("It is Canberra.")), ModelServer(Reply.of("-"))) as stage:
            client = await stage.ask(**ASK)  # which is none of aiohttp's
            await client.until_said("[DONE]")

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
    assert len(served) >= 2  # the model server and the gateway
    assert all(served)
    assert asked == [True]


async def test_requests_that_follow_each_other_use_one_connection_to_the_model() -> None:
    async with (
        staged(ModelServer(Reply.of("It is Canberra.")), ModelServer(Reply.of("-"))) as stage,
        aiohttp.ClientSession() as http,
    ):
        for _ in range(3):
            async with http.post(f"{stage.url}/v1/chat/completions", json=ASK) as reply:
                assert b"Canberra" in await reply.read()
        assert len({seen.connection for seen in stage.cheap.seen}) == 1

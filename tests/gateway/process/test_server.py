"""Starting, refusing to start, and stopping without dropping what is being said."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from streamroute.config.load import loads
from streamroute.config.settings import ServerSettings
from streamroute.errors import ConfigError
from streamroute.gateway.keys import IN_FLIGHT
from streamroute.gateway.process.server import run, serve
from streamroute.testing import ScriptedScorer
from tests.gateway.served import QUESTION, RecordingLog, agreeing, serving, virtually
from tests.gateway.two_tiers import CONFIG, ModelServer, staged
from tests.support.upstream_server import HANG, Reply

ASK: dict[str, Any] = {"model": "cheap", "messages": QUESTION, "stream": True}


@asynccontextmanager
async def serving_model(
    reply: Reply, *, shadow: float = 0.0, **server: Any
) -> AsyncGenerator[tuple[str, ModelServer, asyncio.Task[None], RecordingLog]]:
    """`serve` over one model server, until a signal comes."""
    async with ModelServer(reply) as model:
        settings = loads(CONFIG.format(cheap=model.url, large=model.url))
        routes = tuple(msgspec.structs.replace(route, shadow=shadow) for route in settings.routes)
        settings = msgspec.structs.replace(settings, server=ServerSettings(port=0, **server), routes=routes)
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        log = RecordingLog()
        task = asyncio.create_task(serve(settings, ready=address.set_result, log=log, scorer=ScriptedScorer()))
        yield await address, model, task, log
        await task
        await model.until(lambda: model.running == 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_streams_finish_and_tells_others_to_come_back(number: signal.Signals) -> None:
    async def main() -> None:
        async with (
            serving_model(Reply([(0, "It is"), (5, " Canberra.")])) as (url, model, server, log),
            aiohttp.ClientSession() as http,
        ):
            async with http.get(f"{url}/healthz") as health:  # its connection is used again
                assert health.status == 200
            async with http.post(f"{url}/v1/chat/completions", json=ASK) as response:
                await response.content.readuntil(b"It is")
                os.kill(os.getpid(), number)
                await asyncio.sleep(1)
                for refused in (http.post(f"{url}/v1/chat/completions", json=ASK), http.get(f"{url}/v1/models")):
                    async with refused as reply:
                        assert (reply.status, reply.headers["Retry-After"], reply.headers["Connection"]) == (
                            503,
                            "5",
                            "close",
                        )
                        assert (await reply.json())["error"]["code"] == "stopping"
                async with http.get(f"{url}/healthz") as health:
                    assert (health.status, health.headers["Connection"]) == (503, "close")
                    assert await health.json() == {"status": "draining", "running": 1}
                reader, writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"))
                began = asyncio.get_running_loop().time()
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.1 503")  # to the end, which comes at once
                assert asyncio.get_running_loop().time() == pytest.approx(began, abs=1)
                writer.close()
                said = await response.content.read()
            assert b"Canberra." in said
            assert said.endswith(b"data: [DONE]\n\n")
            await server
            with pytest.raises(aiohttp.ClientConnectorError):
                await http.get(f"{url}/healthz")
            assert len(model.seen) == 1
            assert [line["status"] for line in log.lines if line["event"] == "request"] == [
                200,
                503,
                503,
                503,
                503,
                200,
            ]
            assert [line["event"] for line in log.lines if line["event"] != "request"] == ["listening", "stopping"]

    virtually(main)


def test_a_second_signal_does_not_wait() -> None:
    async def main() -> None:
        async with (
            serving_model(Reply([(0, "It is"), (HANG, "")]), drain_seconds=1000.0) as (url, _, _, _),
            aiohttp.ClientSession() as http,
            http.post(f"{url}/v1/chat/completions", json=ASK) as response,
        ):
            await response.content.readuntil(b"It is")
            began = asyncio.get_running_loop().time()
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(7)
            os.kill(os.getpid(), signal.SIGINT)
            said = await response.content.read()
            assert b'"code":"stopping"' in said
            assert b"[DONE]" not in said
            assert 7 <= asyncio.get_running_loop().time() - began < 8

    virtually(main)


def test_a_request_whose_body_comes_too_late_is_told_so() -> None:
    async def main() -> None:
        async with staged(ModelServer(Reply.of("no")), ModelServer(Reply.of("no"))) as stage:
            host, port = stage.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            body = json.dumps(ASK).encode()
            writer.write(
                f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            )
            await asyncio.sleep(1)  # it is in, and waits for its body
            assert await stage.app[IN_FLIGHT].drain(0.0) == 0
            writer.write(body)
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 503")
            writer.close()
            assert stage.seen == []

    virtually(main)


def test_what_does_not_finish_in_time_ends_with_an_error_frame() -> None:
    async def main() -> None:
        async with (
            serving_model(Reply([(0, "It is"), (HANG, "")]), drain_seconds=3.0) as (url, _, _, _),
            aiohttp.ClientSession() as http,
            http.post(f"{url}/v1/chat/completions", json=ASK) as response,
        ):
            await response.content.readuntil(b"It is")
            began = asyncio.get_running_loop().time()
            os.kill(os.getpid(), signal.SIGTERM)
            said = await response.content.read()
            assert b'"code":"stopping"' in said
            assert b"[DONE]" not in said
            assert 3 <= asyncio.get_running_loop().time() - began < 3.5

    virtually(main)


@pytest.mark.parametrize("stream", [True, False])
def test_a_request_without_an_answer_yet_is_told_that_the_server_stops(stream: bool) -> None:
    async def main() -> None:
        silent = Reply(before_headers=HANG)
        async with staged(ModelServer(silent), ModelServer(silent)) as stage, aiohttp.ClientSession() as http:
            url = f"{stage.url}/v1/chat/completions"
            asking = asyncio.create_task(http.post(url, json={**ASK, "stream": stream}))
            await stage.cheap.until(lambda: stage.cheap.running == 1)
            assert await stage.app[IN_FLIGHT].drain(1.0) == 1
            async with await asking as reply:
                assert (reply.status, (await reply.json())["error"]["code"]) == (503, "stopping")
            async with http.post(url, json=ASK) as reply:
                assert reply.status == 503
            async with http.get(f"{stage.url}/healthz") as health:
                assert (health.status, (await health.json())["status"]) == (503, "draining")
            await stage.quiet()

    virtually(main)


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serving(agreeing(), server=ServerSettings(port=port)):
                pass


async def test_a_key_that_is_not_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_KEY", raising=False)
    settings = loads(
        '[server]\napi_key_env = "GATEWAY_KEY"\n' + CONFIG.format(cheap="http://h/v1", large="http://h/v1")
    )
    with pytest.raises(ConfigError, match=r"server\.api_key_env: the environment variable GATEWAY_KEY is not set"):
        await serve(settings, log=RecordingLog(), scorer=ScriptedScorer())


async def test_what_check_calls_an_error_is_not_served_and_a_warning_is_logged() -> None:
    silly = CONFIG.format(cheap="http://h/v1", large="http://h/v1")
    for name, price in (("small-1", 4.0), ("large-1", 5.0)):
        silly = silly.replace(f'"{name}"', f'"{name}"\nprice = {{ completion = {price} }}')
    log = RecordingLog()
    with pytest.raises(ConfigError, match="route auto: at these prices"):
        await serve(loads('[server]\nhost = "0.0.0.0"\n' + silly), log=log, scorer=ScriptedScorer())
    assert [(line["event"], line["subject"]) for line in log.lines] == [("configuration", "server")]


def test_run_serves_on_a_loop_of_its_own_until_it_is_told_to_stop() -> None:
    addresses: list[str] = []

    def ready(address: str) -> None:
        addresses.append(address)
        os.kill(os.getpid(), signal.SIGTERM)

    one_tier = CONFIG.format(cheap="http://h/v1", large="http://h/v1").replace('["cheap", "large"]', '["cheap"]')
    run(loads("[server]\nport = 0\n" + one_tier), ready=ready)
    assert addresses[0].startswith("http://127.0.0.1:")


def test_shadows_leave_records_and_one_that_still_runs_does_not_hold_the_server(tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"

    async def main() -> None:
        async with (
            serving_model(Reply([(0, "It is"), (5, " Canberra.")]), shadow=1.0, records_file=str(records)) as opened,
            aiohttp.ClientSession() as http,
        ):
            url, _, server, _ = opened
            for _ in range(2):
                async with http.post(f"{url}/v1/chat/completions", json=ASK | {"model": "auto"}) as response:
                    await response.read()
                await asyncio.sleep(20)
            async with http.post(f"{url}/v1/chat/completions", json=ASK | {"model": "auto"}) as response:
                await response.read()
            os.kill(os.getpid(), signal.SIGTERM)
            await server

    virtually(main)
    # The live routes leave none: their deadline passed before a probe had ended.
    assert [b"-shadow" in line for line in records.read_bytes().splitlines()] == [True, True]

"""Settings that change while requests run: what runs goes on, what comes next sees the new ones."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from streamroute.config.load import load, loads
from streamroute.config.server import LimitSettings
from streamroute.gateway.process.reload import without_restart
from streamroute.gateway.process.server import serve
from streamroute.testing import ScriptedScorer
from streamroute.upstreams.openai import OpenAIUpstream
from tests.gateway.gated import SLOWLY, GatedServer
from tests.gateway.served import QUESTION, RecordingLog
from tests.gateway.two_tiers import CONFIG, ModelServer
from tests.support.upstream_server import Reply


class Log(RecordingLog):
    """Can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.more = asyncio.Event()

    def _keep(self, event: str, **fields: Any) -> None:
        super()._keep(event, **fields)
        self.more.set()

    debug = info = warning = exception = _keep

    async def until(self, *events: str, after: int) -> dict[str, Any]:
        """The first of these `after` so many lines."""
        async with asyncio.timeout(30):
            while not (found := [line for line in self.lines[after:] if line["event"] in events]):
                self.more.clear()
                await self.more.wait()
        return found[0]


class Reloaded:
    """A server of `config`, which tests write anew."""

    def __init__(self, config: Path, cheap: GatedServer, large: ModelServer, log: Log) -> None:
        self.config = config
        self.cheap, self.large = cheap, large
        self.log = log
        self.url = self.warned = ""

    def write(self, **more: str) -> None:
        """The two tiers; `more` is put after their [server], "cheap" and "route" tables."""
        text = CONFIG.format(cheap=self.cheap.url, large=self.large.url)
        text = text.replace('model = "small-1"', f'model = "small-1"\n{more.get("cheap", "")}')
        self.config.write_text(f"[server]\nport = 0\n{more.get('server', '')}\n{text}\n{more.get('route', '')}")

    async def reload(self, **more: str) -> dict[str, Any]:
        """Written, and read again: how the log says that it went."""
        self.write(**more)
        return await self.read_again()

    async def read_again(self) -> dict[str, Any]:
        seen = len(self.log.lines)
        os.kill(os.getpid(), signal.SIGHUP)
        said = await self.log.until("reload", "reloaded", after=seen)
        self.warned = said.get("message", "")
        return said if "error" in said else await self.log.until("reloaded", after=seen)

    async def ask(self, http: aiohttp.ClientSession, **body: Any) -> tuple[str, str]:
        """The tier that answered and what it said."""
        asked = {"model": "auto", "messages": QUESTION, "stream": True, **body}
        async with http.post(f"{self.url}/v1/chat/completions", json=asked) as reply:
            assert reply.status == 200
            blocks = [
                json.loads(block[6:]) for block in (await reply.text()).split("\n\n") if block.startswith("data: {")
            ]
            said = [choice["delta"].get("content") or "" for block in blocks for choice in block["choices"]]
            return reply.headers["x-streamroute-tier"], "".join(said)


@asynccontextmanager
async def reloadable(folder: Path) -> AsyncGenerator[tuple[Reloaded, aiohttp.ClientSession]]:
    cheap = GatedServer(Reply.of("It is Sydney."))
    async with cheap, ModelServer(Reply.of("It is Canberra.")) as large, aiohttp.ClientSession() as http:
        stage = Reloaded(folder / "gateway.toml", cheap, large, Log())
        stage.write()
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(
            serve(
                load(stage.config),
                ready=address.set_result,
                reread=lambda: load(stage.config),
                log=stage.log,
                scorer=ScriptedScorer(),
            )
        )
        stage.url = await address
        yield stage, http
        os.kill(os.getpid(), signal.SIGTERM)
        await task


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The upstreams that were closed, by their names."""
    names: list[str] = []
    aclose = OpenAIUpstream.aclose

    async def closing(self: OpenAIUpstream) -> None:
        names.append(self.name)
        await aclose(self)

    monkeypatch.setattr(OpenAIUpstream, "aclose", closing)
    return names


async def test_a_stream_goes_on_as_it_began_and_the_next_request_sees_the_new_settings(
    tmp_path: Path, closed: list[str]
) -> None:
    async with reloadable(tmp_path) as (stage, http):
        stage.cheap.probe = Reply.of("It is Melbourne.")
        assert (await stage.ask(http))[0] == "large"
        slow = {"model": "cheap", "messages": SLOWLY, "stream": True}
        async with http.post(f"{stage.url}/v1/chat/completions", json=slow) as stream:
            await stream.content.readuntil(b"It is")
            # The cheap model is opened anew: the old one's connection must live as long as its stream.
            said = await stage.reload(cheap="supports_n = true", route="threshold = 1.0")
            assert said == {"event": "reloaded", "routes": ["auto"]}
            assert await stage.ask(http) == ("cheap", "It is Sydney.")
            assert stage.cheap.running == 1
            assert closed == []
            stage.cheap.go.set()
            rest = await stream.content.read()
        assert b" Canberra." in rest
        assert rest.endswith(b"data: [DONE]\n\n")
        assert await stage.ask(http) == ("cheap", "It is Sydney.")
        assert closed == ["cheap"]


async def test_routes_and_models_may_be_renamed(tmp_path: Path) -> None:
    async with reloadable(tmp_path) as (stage, http):
        stage.config.write_text(stage.config.read_text().replace('"auto"', '"clever"').replace('"large"', '"big"'))
        await stage.read_again()
        async with http.get(f"{stage.url}/v1/models") as models:
            assert [model["id"] for model in (await models.json())["data"]] == ["clever", "cheap", "big"]


async def test_an_upstream_that_did_not_change_keeps_its_connection(tmp_path: Path) -> None:
    async with reloadable(tmp_path) as (stage, http):
        await stage.ask(http, model="cheap")
        await stage.reload(cheap="price = { prompt = 0.1 }")
        await stage.ask(http, model="cheap")
        assert len({seen.connection for seen in stage.cheap.seen}) == 1
        await stage.reload(cheap="supports_n = true")
        await stage.ask(http, model="cheap")
        assert len({seen.connection for seen in stage.cheap.seen}) == 2


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"route": "tresholds = 1"}, "route[0].tresholds"),
        ({"route": "[["}, "not valid TOML"),
        ({"cheap": 'api_key_env = "NOT_SET_ANYWHERE"'}, "NOT_SET_ANYWHERE"),
        ({"route": 'calibration = "missing.toml"'}, "missing.toml"),
    ],
)
async def test_settings_that_cannot_be_served_change_nothing(tmp_path: Path, more: dict[str, str], error: str) -> None:
    async with reloadable(tmp_path) as (stage, http):
        said = await stage.reload(**more)
        assert (said["event"], said["message"]) == ("reload", "the settings stay as they were")
        assert error in said["error"]
        assert await stage.ask(http) == ("cheap", "It is Sydney.")
        assert (await stage.reload())["event"] == "reloaded"


def test_what_only_a_restart_changes_is_named_and_stays() -> None:
    text = CONFIG.format(cheap="http://h/v1", large="http://h/v1")
    old, new = loads(text), loads(f'[server]\nport = 1\nhost = "::1"\ndrain_seconds = 3\n{text}')
    settings, names = without_restart(old, new)
    assert names == ["server.host", "server.port"]
    assert (settings.server.port, settings.server.host) == (old.server.port, old.server.host)
    assert settings.server.drain_seconds == 3
    changed = msgspec.structs.replace(old.server, limits=LimitSettings(depth=3), log_texts=True)
    assert without_restart(old, msgspec.structs.replace(old, server=changed))[1] == [
        "server.limits",
        "server.log_texts",
    ]


async def test_a_setting_that_needs_a_restart_is_warned_of_and_the_rest_is_served(tmp_path: Path) -> None:
    async with reloadable(tmp_path) as (stage, http):
        assert (await stage.reload(server="max_body_bytes = 5"))["event"] == "reloaded"
        assert stage.warned == "server.max_body_bytes: only a restart changes this"
        assert await stage.ask(http) == ("cheap", "It is Sydney.")

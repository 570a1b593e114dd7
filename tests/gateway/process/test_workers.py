"""Real processes behind one port: they share it, come back, are told things, and leave nobody without an answer."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streamroute.config.load import loads
from streamroute.config.settings import Settings
from streamroute.errors import ConfigError
from streamroute.gateway.process.workers import _Worker, supervise
from tests.gateway.dying import deaf, dying
from tests.gateway.gated import SLOWLY, GatedServer
from tests.gateway.served import QUESTION, RecordingLog
from tests.gateway.two_tiers import CONFIG, ModelServer
from tests.support.upstream_server import Reply

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for its children in /proc")

AT_MOST = 120.0
"""Seconds: no test hangs. A worker takes about one to start, on a busy machine many."""


class Served:
    """`streamroute serve` as its operator sees it."""

    def __init__(self, process: Process, config: Path, cheap: GatedServer, large: ModelServer) -> None:
        self.process = process
        self.config = config
        self.cheap, self.large = cheap, large
        self.url = ""
        self.said: list[str] = []

    async def until_said(self, pattern: str, times: int = 1) -> str:
        """The last of so many lines on its standard error that come from now on."""
        assert self.process.stderr is not None
        while times:
            line = (await self.process.stderr.readline()).decode()
            assert line, f"it ended, and said {self.said}"
            self.said.append(line)
            times -= bool(re.search(pattern, line))
        return line

    @property
    def workers(self) -> list[int]:
        """The ids of its worker processes."""
        parent = Path(f"/proc/{self.process.pid}")
        children = (parent / f"task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]

    async def ask(self, **body: Any) -> tuple[int, str | None]:
        """On a connection of its own: the status, and the tier that answered."""
        asked = {"model": "auto", "messages": QUESTION, "stream": True, **body}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.url}/v1/chat/completions", json=asked, headers={"Connection": "close"}) as reply,
        ):
            await reply.read()
            return reply.status, reply.headers.get("x-streamroute-tier")


def configured(cheap: str, large: str, *, server: str = "", threshold: float = 1.0) -> str:
    text = CONFIG.format(cheap=cheap, large=large)
    return (
        f'[server]\nport = 0\nworkers = 2\nledger_file = "ledger.sqlite"\n{server}\n{text}\n'
        f"decision_deadline = inf\nthreshold = {threshold}\n"
    )


@asynccontextmanager
async def serving_two(folder: Path, **settings: Any) -> AsyncGenerator[Served]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(AT_MOST))
        cheap = await stack.enter_async_context(GatedServer(Reply.of("It is Sydney."), Reply.of("It is Melbourne.")))
        large = await stack.enter_async_context(ModelServer(Reply.of("It is Canberra.")))
        config = folder / "gateway.toml"
        config.write_text(configured(cheap.url, large.url, **settings))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "streamroute.cli.main", "serve", str(config), stderr=PIPE, start_new_session=True
        )
        served = Served(process, config, cheap, large)
        try:
            said = await served.until_said("serving")
            served.url = said.split()[3].removesuffix("/v1")
            yield served
            assert process.returncode is not None
        finally:
            with suppress(ProcessLookupError):  # none of them is left
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


@contextmanager
def stopped(process: int) -> Any:
    """It does nothing meanwhile."""
    os.kill(process, signal.SIGSTOP)
    while Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        pass  # a signal takes its time
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


async def test_two_workers_serve_come_back_are_told_things_and_drain(tmp_path: Path) -> None:
    async with serving_two(tmp_path) as served, aiohttp.ClientSession() as http:
        one, two = served.workers
        for other in (one, two):
            with stopped(other):
                assert await served.ask(model="cheap") == (200, "cheap")

        good = served.config.read_text()
        served.config.write_text(good.replace('"small-1"', '"small-1"\napi_key_env = "NOT_SET_ANYWHERE"'))
        served.process.send_signal(signal.SIGHUP)
        await served.until_said("NOT_SET_ANYWHERE", times=2)  # one that starts now must not die of it

        os.kill(one, signal.SIGKILL)
        await served.until_said("status -9; starting another")
        assert await served.ask(model="cheap") == (200, "cheap")  # by the other
        await served.until_said('"event":"listening"')
        assert len(served.workers) == 2
        assert one not in served.workers
        with stopped(two):
            assert await served.ask(model="cheap") == (200, "cheap")  # by the new one

        assert await served.ask() == (200, "cheap")
        slow = {"model": "cheap", "messages": SLOWLY, "stream": True}
        async with http.post(f"{served.url}/v1/chat/completions", json=slow) as stream:
            await stream.content.readuntil(b"It is")
            served.config.write_text(configured(served.cheap.url, served.large.url, threshold=0.0))
            served.process.send_signal(signal.SIGHUP)
            await served.until_said('"event":"reloaded"', times=2)
            for other in served.workers:
                with stopped(other):
                    assert await served.ask() == (200, "large")

            served.process.terminate()
            await served.until_said('"event":"stopping"', times=2)
            for worker in served.workers:  # as a service manager does: no second order to stop
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGTERM)
            async with http.get(f"{served.url}/healthz") as health:
                assert (health.status, health.headers["Retry-After"]) == (503, "5")
            async with http.post(f"{served.url}/v1/chat/completions", json=slow) as refused:
                assert (refused.status, refused.headers["Retry-After"], refused.headers["Connection"]) == (
                    503,
                    "5",
                    "close",
                )
            served.cheap.go.set()
            rest = await stream.content.read()
        assert b" Canberra." in rest
        assert rest.endswith(b"data: [DONE]\n\n")
        assert await served.process.wait() == 0


async def test_a_worker_whose_parent_is_gone_drains_and_ends(tmp_path: Path) -> None:
    async with serving_two(tmp_path) as served:
        served.process.kill()
        await served.until_said('"event":"stopping"', times=2)
        await served.process.wait()
        assert served.process.stderr is not None
        assert await served.process.stderr.read() == b""  # which is at its end when the last of them has ended


async def test_signals_for_the_whole_group_are_one_order_and_a_second_one_does_not_wait(tmp_path: Path) -> None:
    async with serving_two(tmp_path, server="drain_seconds = 1000") as served, aiohttp.ClientSession() as http:
        slow = {"model": "cheap", "messages": SLOWLY, "stream": True}
        async with http.post(f"{served.url}/v1/chat/completions", json=slow) as stream:
            await stream.content.readuntil(b"It is")
            os.killpg(served.process.pid, signal.SIGINT)
            os.killpg(served.process.pid, signal.SIGHUP)
            await served.until_said('"event":"stopping"', times=2)
            os.killpg(served.process.pid, signal.SIGTERM)
            rest = await stream.content.read()
        assert b'"code":"stopping"' in rest
        assert b"[DONE]" not in rest
        assert await served.process.wait() == 0


def test_what_keeps_workers_from_starting_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_KEY", raising=False)
    settings = loads(
        configured("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1", server='api_key_env = "GATEWAY_KEY"'),
        folder=tmp_path,
    )
    with pytest.raises(ConfigError, match=r"^server\.api_key_env: the environment variable GATEWAY_KEY is not set$"):
        supervise(settings)


def two_of(folder: Path) -> Settings:
    text = configured("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1", server="drain_seconds = 0")
    return loads(text, folder=folder)


def test_workers_that_die_again_and_again_at_their_start_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamroute.gateway.process.workers._work", dying)
    monkeypatch.setattr("streamroute.gateway.process.workers.MOST_FAILURES", 2)
    log = RecordingLog()
    with pytest.raises(ConfigError, match=r"worker \d does not start \(2 times in a row\): it ended with status 3"):
        supervise(two_of(tmp_path), log=log)
    assert "it ended with status 3; starting another" in [line["message"] for line in log.lines]


def test_a_worker_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamroute.gateway.process.workers._work", deaf)
    monkeypatch.setattr("streamroute.gateway.process.workers.GRACE", 0.0)
    log = RecordingLog()
    supervise(two_of(tmp_path), ready=lambda _: os.kill(os.getpid(), signal.SIGTERM), log=log)
    assert [line["message"] for line in log.lines] == ["did not end in time, and is killed"] * 2 + ["ended badly"] * 2


def test_the_pause_before_a_worker_is_started_again_grows_while_it_dies_young_and_is_bounded() -> None:
    worker, pauses = _Worker(0), []
    for now in (*range(10), 1000):
        worker.process = Ended()  # type: ignore[assignment]
        worker.began = now - (0.5 if now < 1000 else 500)
        assert worker.bury(now) == -9
        pauses.append(round(worker.due - now, 3))
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0, 10.0, 0.1]


class Ended:
    exitcode = -9

    def join(self) -> None: ...

    def close(self) -> None: ...

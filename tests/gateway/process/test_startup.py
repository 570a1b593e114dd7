"""A gateway listens before it has loaded what only a verdict needs, and loads that without being asked."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from streamroute.config.load import loads
from streamroute.errors import ConfigError, ModelFileError
from streamroute.gateway.process.server import serve
from streamroute.nli.batcher import EntailmentWorker
from streamroute.nli.manifest import bundled_manifest
from streamroute.uncertainty.base import Pair, Relation, Relations
from tests.gateway.served import QUESTION, RecordingLog
from tests.gateway.two_tiers import CONFIG, ModelServer
from tests.support.upstream_server import Reply

SCRIPT = """
import os, signal, sys, time
from streamroute.config.load import loads
from streamroute.gateway.process.server import run
from streamroute.nli import judge

HEAVY = ("onnxruntime", "tokenizers", "openai", "xllamacpp", "jsonschema", "pyarrow", "matplotlib")
load = judge._load

def loaded(*args):
    worker = load(*args)
    print("loaded", *(name for name in HEAVY[:3] if name in sys.modules))
    os.kill(os.getpid(), signal.SIGTERM)
    return worker

judge._load = loaded
run(loads(sys.stdin.read()), ready=lambda _: print("listens", *(name for name in HEAVY if name in sys.modules)))
"""


def test_nothing_heavy_is_imported_before_it_listens_and_the_judge_is_loaded_right_after() -> None:
    config = "[server]\nport = 0\n" + CONFIG.format(cheap="http://127.0.0.1:1/v1", large="http://127.0.0.1:1/v1")
    command = [sys.executable, "-c", SCRIPT]
    ran = subprocess.run(command, input=config, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["listens", "loaded onnxruntime tokenizers"]


async def test_a_judge_whose_files_are_not_what_they_should_be_is_a_reason_not_to_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = bundled_manifest()
    for file in (original, *original.parent.glob("*.onnx"), original.with_name("tokenizer.json")):
        content = bytearray(file.read_bytes())
        if file.suffix == ".onnx":
            content[1000] ^= 1
        (tmp_path / file.name).write_bytes(content)
    monkeypatch.setattr("streamroute.nli.manifest.bundled_manifest", lambda: tmp_path / original.name)
    settings = loads("[server]\nport = 0\n" + CONFIG.format(cheap="http://h/v1", large="http://h/v1"))
    with pytest.raises(ConfigError, match=r"^judge: .*\.onnx: SHA-256 is"):
        await serve(settings, log=RecordingLog())


@asynccontextmanager
async def judging(load: Callable[..., EntailmentWorker]) -> AsyncGenerator[tuple[str, ModelServer, RecordingLog]]:
    """A server that loads its judge by `load`, over a cheap model whose probes contradict it."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    log = RecordingLog()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamroute.nli.judge._load", load)
        async with (
            ModelServer(Reply.of("It is Sydney."), Reply.of("It is Melbourne.")) as cheap,
            ModelServer(Reply.of("It is Canberra.")) as large,
        ):
            config = f"[server]\nport = 0\n{CONFIG.format(cheap=cheap.url, large=large.url)}decision_deadline = inf\n"
            task = asyncio.create_task(serve(loads(config), ready=address.set_result, log=log))
            yield await address, cheap, log
            os.kill(os.getpid(), signal.SIGTERM)
            await task


async def asked(url: str) -> tuple[str, str]:
    body = {"model": "auto", "messages": QUESTION}
    async with aiohttp.ClientSession() as http, http.post(f"{url}/v1/chat/completions", json=body) as reply:
        assert reply.status == 200
        return reply.headers["x-streamroute-tier"], reply.headers["x-streamroute-reason"]


class Contradicting:
    """The model of a judge for whom no two texts mean the same."""

    def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
        relation = Relation(0.0, 0.0, 1.0)
        return [Relations(relation, relation) for _ in pairs]


async def test_a_request_that_comes_before_the_judge_waits_for_it_while_its_probes_run() -> None:
    let = threading.Event()

    def load(*_: object) -> EntailmentWorker:
        assert let.wait(30)
        return EntailmentWorker(Contradicting())

    async with judging(load) as (url, cheap, log):
        asking = asyncio.create_task(asked(url))
        await cheap.until(lambda: len(cheap.seen) == 4 and not cheap.running)  # the answer and three probes
        assert not asking.done()
        let.set()
        assert (await asking)[0] == "large"
        assert "judge" not in [line["event"] for line in log.lines]


async def test_a_judge_that_cannot_be_loaded_is_logged_and_routes_fall_back() -> None:
    def load(*_: object) -> EntailmentWorker:
        raise ModelFileError("judge.onnx: SHA-256 is another")

    async with judging(load) as (url, _, log):
        assert await asked(url) == ("cheap", "scorer_failed")
        assert {"event": "judge", "error": "could not be loaded: judge.onnx: SHA-256 is another"} in log.lines

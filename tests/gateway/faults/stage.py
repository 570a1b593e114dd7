"""A gateway composed from settings over two faulty servers, a client's view of a reply, and a count of what is open."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from streamroute.config.compose import compose
from streamroute.config.load import loads
from streamroute.config.settings import ServerSettings
from streamroute.gateway.app import create_app
from streamroute.gateway.keys import IN_FLIGHT
from streamroute.gateway.process.server import listening
from streamroute.testing import ScriptedScorer
from tests.gateway.faults.recording import RecordingLedger
from tests.gateway.served import RecordingLog
from tests.support.faulty_server import FaultyServer

CONFIG = """
[[upstream]]
name = "cheap"
kind = "openai"
base_url = "{cheap}"
model = "small-1"
timeouts = {{ connect = 1.0, first = 5.0, between = 3.0, tail = 1.0, total = 30.0 }}

[[upstream]]
name = "large"
kind = "openai"
base_url = "{large}"
model = "large-1"
prefill = true
timeouts = {{ connect = 1.0, first = 5.0, between = 3.0, tail = 1.0, total = 30.0 }}

[[route]]
name = "auto"
tiers = ["cheap", "large"]
decision_deadline = inf
probes = {{ count = 3, temperature = 1.25 }}
{more}
"""


@dataclass
class Seen:
    """What a client saw of a reply. `text` is what is on its screen at the end, `withdrawn` what was taken back."""

    status: int
    headers: dict[str, str]
    text: str = ""
    withdrawn: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None
    done: bool = False
    comments: int = 0
    usage: dict[str, Any] | None = None
    told: dict[str, Any] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    document: Any = None


@dataclass
class Stage:
    cheap: FaultyServer
    large: FaultyServer
    url: str
    ledger: RecordingLedger
    http: aiohttp.ClientSession

    async def ask(self, model: str, *, stream: bool, **options: Any) -> Seen:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": "What is the capital of Australia?"}],
            "stream": stream,
            **({"stream_options": {"include_usage": True}} if stream else {}),
            **({"streamroute": options} if options else {}),
        }
        async with self.http.post(f"{self.url}/v1/chat/completions", json=body) as response:
            data = await response.read()
        seen = Seen(response.status, {name.lower(): value for name, value in response.headers.items()})
        if response.content_type == "text/event-stream":
            _read_stream(data, seen)
        else:
            _read_document(json.loads(data), seen)
        return seen

    async def quiet(self) -> None:
        """Until nothing is under way any more: in turns of the loop, so that a leak is a failure and not a hang."""
        for _ in range(200):
            if not (self.cheap.open or self.large.open):
                return
            await asyncio.sleep(0.001)
        raise AssertionError(f"{self.cheap.open} and {self.large.open} connections are still open")


def _read_document(document: dict[str, Any], seen: Seen) -> None:
    seen.document, seen.error = document, document.get("error")
    seen.told = document.get("streamroute") or {}
    seen.usage = document.get("usage")
    if seen.error is None:
        seen.text = document["choices"][0]["message"]["content"]
        assert document["choices"][0]["finish_reason"] == "stop"
        seen.done = True


def _read_stream(data: bytes, seen: Seen) -> None:
    for said in _events(data, seen):
        assert seen.error is None, "something follows the error"
        assert not seen.done, "something follows the end"
        if said == "[DONE]":
            seen.done = True
            continue
        chunk = json.loads(said)
        if "error" in chunk:
            seen.error, seen.told = chunk["error"], chunk.get("streamroute") or {}
            continue
        if chunk.get("usage"):
            seen.usage, seen.told = chunk["usage"], chunk["streamroute"]
            continue
        note = chunk.get("streamroute") or {}
        if note:
            seen.notes.append(note)
        if note.get("event") == "retracted":
            seen.withdrawn.append(seen.text)
            seen.text = ""
        seen.text += "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def _events(data: bytes, seen: Seen) -> Iterator[str]:
    """The data of each event, read as the standard says and by nothing that the gateway reads with."""
    *lines, rest = re.split("\r\n|\n|\r", data.decode())
    assert rest == "", "the stream ends inside a line"
    found: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        if line.startswith(":"):
            seen.comments += 1
        elif name == "data":
            found.append(value.removeprefix(" "))
        elif line:
            assert name in ("id", "event"), f"no client knows what {name!r} is"
        elif found:
            yield "\n".join(found)
            found = []
    assert not found, "the stream ends inside an event"


@asynccontextmanager
async def staged(
    cheap: FaultyServer, large: FaultyServer, *, more: str = "", keep_alive: float = 15.0
) -> AsyncGenerator[Stage]:
    ledger = RecordingLedger()
    server = ServerSettings(port=0, drain_seconds=0, keep_alive=keep_alive)
    async with cheap, large:
        settings = loads(CONFIG.format(cheap=cheap.url, large=large.url, more=more))
        async with compose(settings, scorer=ScriptedScorer()) as routes:
            app = create_app(routes, log=RecordingLog(), ledger=ledger, keep_alive=keep_alive)
            async with listening(app, server) as url, aiohttp.ClientSession() as http:
                yield Stage(cheap, large, url, ledger, http)
            assert len(app[IN_FLIGHT]) == 0


@asynccontextmanager
async def nothing_left() -> AsyncGenerator[None]:
    """No task and no file descriptor more after than before."""
    tasks, descriptors = len(asyncio.all_tasks()), _descriptors()
    yield
    for _ in range(100):
        if len(asyncio.all_tasks()) == tasks and _descriptors() <= descriptors:  # fewer: of an earlier test's
            return
        await asyncio.sleep(0.001)  # transports close in the turns after they are told to
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    raise AssertionError(f"left: {left}, {_descriptors() - descriptors} descriptors")


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))

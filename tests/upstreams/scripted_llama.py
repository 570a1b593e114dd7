"""A stand-in for the llama.cpp server object: says what its script says, token by token when the test lets it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from streamroute.upstreams.local_server import EngineSettings


def chunk(content: str | None = None, *, index: int = 0, finish: str | None = None, **rest: Any) -> dict[str, Any]:
    delta = {} if content is None else {"content": content}
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": index, "delta": delta, "finish_reason": finish} | rest],
    }


def role(index: int = 0) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {"role": "assistant", "content": None}, "finish_reason": None}]}


def usage(prompt: int, completion: int) -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}


def whole_answer(body: dict[str, Any]) -> Iterator[Any]:
    """Every choice says "yes <its index>" in two tokens, as the server would."""
    for index in range(body["n"]):
        yield from (role(index), chunk("yes", index=index), chunk(f" {index}", index=index))
        yield from (chunk(index=index, finish="stop"), usage(7, 2))


class ScriptedLlama:
    """Plays `script(body)` for each request: dicts go to the callback, exceptions are raised, and a `Gate` waits until
    the test opens it. `returned` lists why requests ended."""

    def __init__(self, script: Callable[[dict[str, Any]], Iterable[Any]] = whole_answer) -> None:
        self.script = script
        self.bodies: list[dict[str, Any]] = []
        self.returned: list[str] = []

    def handle_chat_completions(self, body: dict[str, Any], on_chunk: Callable[[Any], bool], /) -> None:
        self.bodies.append(body)
        for item in self.script(body):
            if isinstance(item, Gate):
                item.wait()
            elif isinstance(item, Exception):
                self.returned.append("raised")
                raise item
            elif on_chunk(item):
                self.returned.append("stopped")
                return
        self.returned.append("finished")


class Gate:
    """Where a scripted server stands still: `reached` is set when it has come there."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self._open.wait(timeout=30), "the test never opened the gate"

    def open(self) -> None:
        self._open.set()


class Loader:
    """An injected `load`: gives `servers` in order and keeps the settings it was asked with."""

    def __init__(self, *servers: ScriptedLlama | Exception, gate: Gate | None = None) -> None:
        self._servers = list(servers)
        self._gate = gate
        self.asked: list[EngineSettings] = []
        self.threads: list[int] = []

    def __call__(self, settings: EngineSettings) -> ScriptedLlama:
        self.asked.append(settings)
        self.threads.append(threading.get_ident())
        if self._gate is not None:
            self._gate.wait()
        server = self._servers.pop(0)
        if isinstance(server, Exception):
            raise server
        return server

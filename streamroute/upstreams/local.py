"""llama.cpp inside the process. The answer and its probes run on two instances of the same file: sharing one would put
every token of the answer into a batch with the probes' tokens."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from streamroute.core.types import Delta
from streamroute.errors import ConfigError, ModelFileError, UpstreamConnectError
from streamroute.models.manifest import Manifest, load_manifest
from streamroute.models.store import path_of
from streamroute.upstreams.base import ChatRequest
from streamroute.upstreams.local_engine import Deltas, Engine
from streamroute.upstreams.local_server import ChatServer, EngineSettings, load_server

__all__ = ("LocalUpstream",)


class LocalUpstream:
    """A GGUF file as an `Upstream`.

    Probes (`ChatRequest.probe`) run on a second instance, opened when first asked, whose threads have a lower priority;
    the file's pages are shared. The choices of one request (`n`) share the computation of their prompt. Both instances
    use `threads` cores, by default half of them: on a machine that is busy otherwise, a llama.cpp thread per core is
    many times slower than one thread less.

    Leaving `stream()` stops the request at the next token, or at the next 64 tokens of the prompt, and waits for that,
    but never longer than `grace` seconds; a place counts as free only when the model has really let go of it.
    """

    supports_n = True

    def __init__(
        self,
        path: Path | str | Callable[[], Path],
        *,
        name: str,
        model: str | None = None,
        threads: int | None = None,
        context: int = 4096,
        slots: int = 4,
        probe_slots: int = 8,
        probe_niceness: int = 10,
        grace: float = 0.25,
        load: Callable[[EngineSettings], ChatServer] = load_server,
    ) -> None:
        """`path` is the file, or what finds it when it is first needed (blocking, may raise `ModelFileError`).
        `context` tokens are shared by all requests of an instance, of which `slots` (`probe_slots`) run at once."""
        for setting, value in (("context", context), ("slots", slots), ("probe_slots", probe_slots)):
            if value < 1:
                raise ConfigError(f"{name}: {setting}: expected at least 1, got {value}")
        if threads is not None and threads < 1:
            raise ConfigError(f"{name}: threads: expected at least 1, got {threads}")
        self.name = name
        self.model = model or (name if callable(path) else Path(path).name)
        self._grace = grace
        threads = max(1, (os.cpu_count() or 1) // 2) if threads is None else threads

        def engine(places: int, niceness: int) -> Engine:
            def open_file() -> ChatServer:
                file = path() if callable(path) else Path(path)
                return load(
                    EngineSettings(path=file, threads=threads, slots=places, context=context, niceness=niceness)
                )

            return Engine(name, open_file, places)

        self._answers = engine(slots, 0)
        self._probes = engine(probe_slots, probe_niceness)

    @classmethod
    def from_manifest(
        cls,
        model: str,
        *,
        name: str | None = None,
        models_dir: Path | None = None,
        manifest: Manifest | None = None,
        **settings: Any,
    ) -> Self:
        """A model of the manifest, or the user's own file when `model` is a path. Raises `ConfigError` for an unknown
        name at once; the file is looked for when it is first needed."""
        known = load_manifest() if manifest is None else manifest
        if Path(model).suffix != ".gguf":
            known[model]
        return cls(
            lambda: path_of(model, models_dir=models_dir, manifest=known),
            name=name or Path(model).stem,
            model=model if model in known else Path(model).name,
            **settings,
        )

    @property
    def running(self) -> int:
        """Requests that the model has not let go of yet, those that were left included."""
        return self._answers.running + self._probes.running

    async def start(self, *, probes: bool = False) -> None:
        """Load the model now instead of at the first request, with `probes` the instance for probes too. Raises
        `ModelFileError` naming the file, `ConfigError` where xllamacpp is missing."""
        await self._answers.server()
        if probes:
            await self._probes.server()

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        engine = self._probes if request.probe else self._answers
        try:
            await engine.server()
        except (ModelFileError, ConfigError) as error:
            raise UpstreamConnectError(str(error), upstream=self.name) from error
        deltas = Deltas(engine, request)
        await deltas.begin()
        try:
            yield deltas
        finally:
            await deltas.close(self._grace)

    async def aclose(self) -> None:
        """Stop every request, wait until the model has let go of them, and unload it."""
        await self._probes.aclose()
        await self._answers.aclose()

"""Opening a GGUF file as a llama.cpp server inside this process."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from streamroute.errors import ConfigError, ModelFileError

__all__ = ("ChatServer", "EngineSettings", "load_server")


class ChatServer(Protocol):
    """What we use of `xllamacpp.Server`. Blocks until the request is over; `on_chunk` is called in the same thread for
    each chunk and ends the request by returning True."""

    def handle_chat_completions(self, body: dict[str, Any], on_chunk: Callable[[Any], bool], /) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How a model file is opened.

    `threads` compute at a time. `slots` requests run at once, `context` tokens are shared by all of them. `batch`
    tokens of a prompt are read between two chances to stop. `niceness` is what its threads add to the process's own
    (0 to 19, Linux only): 10 leaves them a tenth of a normal thread's claim to a core that both want.
    """

    path: Path
    threads: int
    slots: int
    context: int
    batch: int = 64
    niceness: int = 0


def load_server(settings: EngineSettings) -> ChatServer:
    """Open the file. Blocking; threads that the server starts inherit the niceness of the calling thread, which is
    therefore one of its own. Raises `ModelFileError` naming the file, `ConfigError` without xllamacpp."""
    path = settings.path
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror or error}") from error
    if magic != b"GGUF":
        raise ModelFileError(f"{path}: not a GGUF file: it begins with {magic!r}")
    try:
        import xllamacpp
    except ImportError as error:
        raise ConfigError(f"local models need the extra: pip install 'streamroute[local]' ({error})") from error
    if settings.niceness and sys.platform == "linux":
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, min(19, os.getpriority(os.PRIO_PROCESS, own) + settings.niceness))
    try:
        server: ChatServer = xllamacpp.Server(_common_params(xllamacpp.CommonParams(), settings))
    except RuntimeError as error:
        raise ModelFileError(f"{path}: llama.cpp cannot load this file, it may be cut off or corrupted") from error
    return server


def _common_params(params: Any, settings: EngineSettings) -> Any:
    params.model.path = str(settings.path)
    params.n_parallel, params.n_ctx, params.kv_unified = settings.slots, settings.context, True
    params.n_batch = params.n_ubatch = max(settings.batch, settings.slots)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
    # Else each instance keeps earlier prompts in memory, up to 8 GiB of them: more than a small box has.
    params.cache_ram_mib = 0
    params.fit_params, params.warmup, params.verbosity = False, False, 0
    # The server also listens on a loopback port of its own: nobody but this process has business there.
    params.api_keys = [secrets.token_hex(32)]
    params.ui, params.endpoint_slots, params.n_threads_http = False, False, 1
    return params

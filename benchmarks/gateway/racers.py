"""Who is compared: each gateway in a process of its own, before the same model server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

STREAMROUTE = """
[server]
port = {port}

[[upstream]]
name = "small"
kind = "openai"
base_url = "{upstream}/v1"
model = "mock-small"

[[upstream]]
name = "large"
kind = "openai"
base_url = "{upstream}/v1"
model = "mock-large"
prefill = true

[[route]]                 # the first that has a tier answers for it: "small" is passed through
name = "judged"
tiers = ["small", "large"]

[[route]]                 # what another tier may have to go on with is decoded
name = "decoded"
tiers = ["small", "large"]
probes = {{ count = 0 }}
on_break = "continue"
"""

LITELLM = """
model_list:
  - model_name: small
    litellm_params: {{model: openai/mock-small, api_base: "{upstream}/v1", api_key: none}}
"""

TENSORZERO = """
[gateway]
observability.enabled = false

[models.small]
routing = ["mock"]

[models.small.providers.mock]
type = "openai"
model_name = "mock-small"
api_base = "{upstream}/v1/"
api_key_location = "none"
"""


@dataclass(frozen=True)
class Racer:
    """Where to ask for which model; `pid` is 0 for the model server itself. `started` is in seconds from the start of
    the process to the first reply."""

    name: str
    url: str
    model: str
    pid: int = 0
    started: float = 0.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], port: int, log: Path, *, seconds: float = 60.0) -> Iterator[tuple[int, float]]:
    """The process while it serves: its id, and how many seconds it took to answer. Raises `TimeoutError` and
    `ChildProcessError`."""
    began = time.perf_counter()
    quiet = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # as the others: open, on the loopback
    }
    with (
        log.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=os.environ | quiet) as process,
    ):
        try:
            while not answers(port):
                if process.poll() is not None:
                    raise ChildProcessError(log.read_text(errors="replace")[-2000:])
                if time.perf_counter() > began + seconds:
                    raise TimeoutError(f"{command[0]} does not answer")
                time.sleep(0.005)
            yield process.pid, time.perf_counter() - began
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def answers(port: int) -> bool:
    """Whether there is an HTTP server."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5.0) as one:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n")
            return one.recv(8).startswith(b"HTTP")
    except OSError:
        return False


@contextmanager
def model_server(folder: Path) -> Iterator[str]:
    port = free_port()
    with running([sys.executable, "-m", "benchmarks.gateway.model", str(port)], port, folder / "model.log"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def bare(folder: Path, upstream: str) -> Iterator[list[Racer]]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.gateway.bare", str(port), upstream]
    with running(command, port, folder / "bare.log") as (pid, started):
        yield [Racer("bare", f"http://127.0.0.1:{port}/v1/chat/completions", "small", pid, started)]


@contextmanager
def streamroute(folder: Path, upstream: str) -> Iterator[list[Racer]]:
    """Twice: what passes through, and what is decoded and told anew."""
    port = free_port()
    config = folder / "gateway.toml"
    config.write_text(STREAMROUTE.format(port=port, upstream=upstream), encoding="utf-8")
    start = "import sys; from streamroute.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "serve", str(config)]
    with running(command, port, folder / "streamroute.log") as (pid, started):
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        yield [Racer("passed", url, "small", pid, started), Racer("decoded", url, "decoded", pid, started)]


@contextmanager
def litellm(folder: Path, upstream: str, peers: Path) -> Iterator[list[Racer]]:
    port = free_port()
    config = folder / "litellm.yaml"
    config.write_text(LITELLM.format(upstream=upstream), encoding="utf-8")
    command = [str(peers / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with running(command, port, folder / "litellm.log", seconds=120.0) as (pid, started):
        yield [Racer("litellm", f"http://127.0.0.1:{port}/v1/chat/completions", "small", pid, started)]


@contextmanager
def tensorzero(folder: Path, upstream: str, peers: Path) -> Iterator[list[Racer]]:
    """Its embedded gateway chooses its port itself, and prints its address."""
    config = folder / "tensorzero.toml"
    config.write_text(TENSORZERO.format(upstream=upstream), encoding="utf-8")
    script = Path(__file__).with_name("tensorzero_server.py")
    began = time.perf_counter()
    with (
        (folder / "tensorzero.log").open("wb") as errors,
        subprocess.Popen(
            [str(peers / "bin" / "python"), str(script), str(config)], stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            url = next((line.strip() for line in process.stdout if line.startswith("http")), None)
            if url is None:
                raise ChildProcessError((folder / "tensorzero.log").read_text(errors="replace")[-2000:])
            parts = urlsplit(url)
            started = time.perf_counter() - began
            asked = f"http://127.0.0.1:{parts.port}{parts.path.rstrip('/')}/chat/completions"
            yield [Racer("tensorzero", asked, "tensorzero::model_name::small", process.pid, started)]
        finally:
            process.terminate()
            process.wait(10)

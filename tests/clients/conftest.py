"""These tests run in an environment of their own, with the clients in it: `make clients`. The gateway is a process of
the project's environment, whose interpreter `STREAMROUTE_PYTHON` names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Gateway:
    url: str
    key: str

    @property
    def base(self) -> str:
        return f"{self.url}/v1"


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """One that runs, over scripted models."""
    command = [os.environ.get("STREAMROUTE_PYTHON", sys.executable), "-m", "tests.clients.stage"]
    with TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                log.seek(0)
                pytest.fail(log.read())
            yield Gateway(**json.loads(line))
        finally:
            process.communicate()
        log.seek(0)
        assert '"exception"' not in log.read()


@pytest.fixture(scope="session")
def paths(gateway: Gateway) -> set[str]:
    """Those that the gateway says it has."""
    with urlopen(f"{gateway.url}/openapi.json") as answer:
        return set(json.load(answer)["paths"])

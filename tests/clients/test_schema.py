"""`schemathesis` against the served OpenAPI document: requests that fit it and requests that do not, to every path.

No reply is a 5xx, and every one has a status, headers and a body, or events, that the document knows.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.clients.conftest import ROOT, Gateway


def test_no_request_leads_beyond_the_document(gateway: Gateway) -> None:
    """`SCHEMA_EXAMPLES` is how many requests are made up for each path, `SCHEMA_SEED` which."""
    examples, seed = os.environ.get("SCHEMA_EXAMPLES", "60"), os.environ.get("SCHEMA_SEED", "1")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("run", f"{gateway.url}/openapi.json", "--header", f"Authorization: Bearer {gateway.key}"),
        *("--max-examples", examples, "--seed", seed, "--generation-database", "none"),
        "--continue-on-failure",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.clients.hooks"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert "No issues found" in run.stdout, run.stdout

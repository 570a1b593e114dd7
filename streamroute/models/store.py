"""Where model files lie, and whether they are what the manifest promises."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamroute.errors import ModelFileError
from streamroute.models.manifest import Manifest, ModelEntry, load_manifest

__all__ = ("ModelStatus", "default_models_dir", "path_of", "sha256_of", "status", "verify")

_CHUNK = 1 << 22


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What is known of one model's file. `detail` says in words why it is not "ok"."""

    entry: ModelEntry
    path: Path
    state: Literal["missing", "ok", "corrupted"]
    detail: str = ""


def default_models_dir() -> Path:
    """`$STREAMROUTE_MODELS`, or `streamroute/models` in the user's cache directory."""
    if given := os.environ.get("STREAMROUTE_MODELS"):
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamroute" / "models"


def path_of(model: str, *, models_dir: Path | None = None, manifest: Manifest | None = None) -> Path:
    """The file of a manifest name, or the user's own file when `model` is a path.

    Cheap after the first time: a file that was verified once and did not change since is not hashed again. Raises
    `ConfigError` for a name that is neither, `ModelFileError` for a file that is missing or corrupted.
    """
    known = load_manifest() if manifest is None else manifest
    if model not in known and (os.sep in model or Path(model).suffix in (".gguf", ".onnx")):
        own = Path(model).expanduser()
        if not own.is_file():
            raise ModelFileError(f"{own}: no such model file")
        return own
    found = status(known[model], models_dir=models_dir)
    if found.state == "missing":
        raise ModelFileError(f"{found.detail}; `streamroute models pull {model}` fetches it")
    if found.state == "corrupted":
        raise ModelFileError(f"{found.detail}; `streamroute models pull {model}` replaces it")
    return found.path


def status(entry: ModelEntry, *, models_dir: Path | None = None) -> ModelStatus:
    """What `verify` says, taken from the marker of an earlier verification when the file did not change since."""
    path = (models_dir or default_models_dir()) / entry.file
    if path.is_file() and _marker(path).is_file() and _marked(path) == entry.sha256:
        return ModelStatus(entry, path, "ok")
    return verify(entry, models_dir=models_dir)


def verify(
    entry: ModelEntry, *, models_dir: Path | None = None, progress: Callable[[int], None] | None = None
) -> ModelStatus:
    """Hash the file now. `progress` is called with the bytes read so far."""
    path = (models_dir or default_models_dir()) / entry.file
    if not path.is_file():
        return ModelStatus(entry, path, "missing", f"{entry.name}: {path} is missing")
    size = path.stat().st_size
    if size != entry.bytes:
        return ModelStatus(entry, path, "corrupted", f"{entry.name}: {path} has {size} bytes instead of {entry.bytes}")
    found = sha256_of(path, progress)
    if found != entry.sha256:
        detail = f"{entry.name}: {path} is corrupted: SHA-256 expected {entry.sha256}, found {found}"
        return ModelStatus(entry, path, "corrupted", detail)
    mark(path, entry.sha256)
    return ModelStatus(entry, path, "ok")


def sha256_of(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """SHA-256 of a file in hex. `progress` is called with the bytes read so far."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
            done += len(block)
            if progress is not None:
                progress(done)
    return digest.hexdigest()


def mark(path: Path, sha256: str) -> None:
    """Remember that `path`, as it is now, hashes to `sha256`. A directory that cannot be written only costs time."""
    stat = path.stat()
    text = json.dumps({"sha256": sha256, "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns})
    draft = _marker(path).with_suffix(f".{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(_marker(path))
    except OSError:
        draft.unlink(missing_ok=True)


def _marker(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified.json")


def _marked(path: Path) -> str | None:
    try:
        marked = json.loads(_marker(path).read_text(encoding="utf-8"))
        stat = path.stat()
        same = (marked["bytes"], marked["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns)
        return str(marked["sha256"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None

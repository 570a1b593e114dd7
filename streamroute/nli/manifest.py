"""Model descriptions as data: which file, which bytes, which order of labels."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamroute.errors import ModelFileError

__all__ = ("LABELS", "ModelSpec", "bundled_manifest", "chosen_model", "read_manifest")

LABELS = ("entailment", "neutral", "contradiction")
_MANIFEST = "manifest.toml"
_HASH = re.compile(r"[0-9a-f]{64}")
_REQUIRED: dict[str, type] = {
    "file": str, "sha256": str, "size": int, "tokenizer": str, "tokenizer_sha256": str, "labels": list,
    "max_tokens": int, "licence": str, "origin": str,
}  # fmt: skip
_OPTIONAL: dict[str, type] = {"directions": int, "threads": int, "disabled_optimizers": list}
_LEAST = {"max_tokens": 8, "threads": 1}  # eight hold two texts, a word of context and what stands between them


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model of a manifest. Paths are absolute; `labels` is the order of three logits; `max_tokens` is per row.

    `directions` is how many of them one row gives, three logits each: 1, whether the first text entails the second; or
    2, that and then the other way. `encoding` says how either is laid out.
    """

    name: str
    path: Path
    sha256: str
    size: int
    tokenizer: Path
    tokenizer_sha256: str
    labels: tuple[str, ...]
    max_tokens: int
    licence: str
    origin: str
    directions: int = 1
    threads: int = 1
    disabled_optimizers: tuple[str, ...] = ()

    def verified(self) -> tuple[bytes, bytes]:
        """The bytes of the model and of the tokenizer. Raises ModelFileError where a file is missing, cut short or not
        the one that the manifest promises: nothing else is ever loaded."""
        return _read(self.path, self.sha256, self.size), _read(self.tokenizer, self.tokenizer_sha256, None)

    def present(self) -> None:
        """The part of `verified` that costs nothing. Raises ModelFileError where a file is missing or the model's has
        another size."""
        _sized(self.path, _found(self.path), self.size)
        _found(self.tokenizer)


def _read(path: Path, sha256: str, size: int | None) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelFileError(f"{path}: missing") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror})") from error
    if size is not None:
        _sized(path, len(content), size)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelFileError(f"{path}: SHA-256 is {found}, the manifest says {sha256}")
    return content


def _found(path: Path) -> int:
    """Its size."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise ModelFileError(f"{path}: missing") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror})") from error


def _sized(path: Path, found: int, size: int) -> None:
    if found != size:
        raise ModelFileError(f"{path}: {found} bytes where the manifest says {size}")


def bundled_manifest() -> Path:
    """The manifest that came with the package, or the one of the checkout it runs from. Raises ModelFileError."""
    here = Path(__file__).resolve().parent
    candidates = (here / "bundled" / _MANIFEST, here.parents[1] / "onnx_models" / _MANIFEST)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ModelFileError(f"no bundled judge: neither {candidates[0]} nor {candidates[1]} exists")


def read_manifest(path: Path) -> tuple[dict[str, ModelSpec], str]:
    """(models by name, name of the default one). Raises ModelFileError naming file, model and key of what is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFileError(f"{path}: missing") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelFileError(f"{path}: not a readable TOML file ({error})") from error
    tables = data.get("models")
    if not isinstance(tables, dict) or not tables:
        raise ModelFileError(f"{path}: no [models.NAME] table")
    models = {name: _spec(path, name, table) for name, table in tables.items()}
    default = data.get("default", next(iter(models)))
    if default not in models:
        raise ModelFileError(f"{path}: default = {default!r} is none of its models ({', '.join(models)})")
    return models, default


def chosen_model(name: str | None = None, manifest: Path | None = None) -> ModelSpec:
    """The model of that name in a manifest: the default one, and the bundled manifest, where none is named. Raises
    ModelFileError."""
    path = bundled_manifest() if manifest is None else manifest
    models, default = read_manifest(path)
    chosen = default if name is None else name
    if chosen not in models:
        raise ModelFileError(f"{path}: no model {chosen!r} (there are: {', '.join(models)})")
    return models[chosen]


def _spec(path: Path, name: str, table: Any) -> ModelSpec:
    where = f"{path}: [models.{name}]"
    if not isinstance(table, dict):
        raise ModelFileError(f"{where} is not a table")
    for key in table:
        if key not in _REQUIRED and key not in _OPTIONAL:
            raise ModelFileError(f"{where}: unknown key {key!r}")
    for key, kind in _REQUIRED.items():
        if key not in table:
            raise ModelFileError(f"{where}: {key} is missing")
        _check_type(where, key, table[key], kind)
    for key, kind in _OPTIONAL.items():
        if key in table:
            _check_type(where, key, table[key], kind)
    for key in ("sha256", "tokenizer_sha256"):
        if not _HASH.fullmatch(table[key]):
            raise ModelFileError(f"{where}: {key} must be 64 lower-case hexadecimal digits")
    if sorted(map(str, table["labels"])) != sorted(LABELS):
        raise ModelFileError(f"{where}: labels must be {', '.join(LABELS)} in the order of the logits")
    for key, least in _LEAST.items():
        if table.get(key, least) < least:
            raise ModelFileError(f"{where}: {key} must be at least {least}")
    if table.get("directions", 1) not in (1, 2):
        raise ModelFileError(f"{where}: directions must be 1 or 2")
    return ModelSpec(
        name=name,
        path=path.parent / table["file"],
        sha256=table["sha256"],
        size=table["size"],
        tokenizer=path.parent / table["tokenizer"],
        tokenizer_sha256=table["tokenizer_sha256"],
        labels=tuple(table["labels"]),
        max_tokens=table["max_tokens"],
        licence=table["licence"],
        origin=table["origin"],
        directions=table.get("directions", 1),
        threads=table.get("threads", 1),
        disabled_optimizers=tuple(map(str, table.get("disabled_optimizers", ()))),
    )


def _check_type(where: str, key: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ModelFileError(f"{where}: {key} must be of type {kind.__name__}, not {type(value).__name__}")

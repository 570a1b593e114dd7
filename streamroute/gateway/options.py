"""What a client asks of the router: in the body's field `streamroute`, or by a header for each of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from streamroute.core.types import Release
from streamroute.errors import BadRequestError
from streamroute.wire.openai import RouteOptions

__all__ = ("header_of", "with_headers")


def header_of(field: str) -> str:
    """The header that says the same as the field of `RouteOptions`."""
    return f"x-streamroute-{field.replace('_', '-')}"


def with_headers(options: RouteOptions, headers: Mapping[str, str]) -> RouteOptions:
    """`options`, and what `headers` say besides: the body wins. Raises `BadRequestError` that names the header, be it
    needed or not."""
    said = [(field, _read(field, headers[name])) for name, field in _FIELDS if name in headers]
    if not said:
        return options  # nearly always
    missing = {field.name: value for field, value in said if getattr(options, field.name) == field.default}
    return msgspec.structs.replace(options, **missing) if missing else options


def _read(field: msgspec.structs.FieldInfo, value: str) -> object:
    name = header_of(field.name)
    # Headers are handed on and rewritten by programs of all kinds: case and outer space mean nothing in them.
    text = value.strip() if field.name == "tier" else value.strip().lower()
    possible = _POSSIBLE.get(field.name, ("true", "false"))
    if not text or (possible and text not in possible):
        expected = f"one of {', '.join(possible)}" if possible else "a name"
        raise BadRequestError(f"{name}: expected {expected}, found {value!r}", param=name, code="invalid_value")
    return msgspec.convert(text, field.type, strict=False)


# Looked up once: msgspec evaluates the annotations anew each time, which takes longer than all else of a request.
_FIELDS: Final = tuple((header_of(field.name), field) for field in msgspec.structs.fields(RouteOptions))
_POSSIBLE: Final[Mapping[str, tuple[str, ...]]] = {
    "release": tuple(Release),
    "on_escalation": ("retract", "append", "continue"),
    "tier": (),
}
"""Of the fields that are not yes or no; what tiers there are depends on the route."""

"""What every table of a configuration file is made of: strictness, names, amounts."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ("Count", "EnvName", "Money", "Name", "Probability", "Seconds", "Table", "Wait")

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$")]
EnvName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Seconds = Annotated[float, Meta(gt=0)]
Wait = Annotated[float, Meta(ge=0)]
"""Seconds that may be none at all."""
Count = Annotated[int, Meta(ge=1)]
Money = Annotated[float, Meta(ge=0)]
Probability = Annotated[float, Meta(ge=0, le=1)]


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: an unknown key is an error."""

"""Answers that are data or programs: compared by what they are made of, not by how they read (METHOD 4.4)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from streamroute.uncertainty.calls import Call, call_agreement, tool_calls
from streamroute.uncertainty.code import canonical_code, code_similarity, fenced, is_program, is_source
from streamroute.uncertainty.leaves import Leaf, agreement, json_leaves, load

__all__ = ("Calls", "Code", "Json", "Kind", "Structural", "Structured", "compare", "structural", "structured")

MAX_CHARS = 100_000


class Kind(StrEnum):
    JSON = "json"
    CALLS = "calls"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON object or list. `body` is what was written."""

    body: str
    leaves: tuple[Leaf, ...]
    kind = Kind.JSON

    @property
    def key(self) -> str:
        return json.dumps([(leaf.path, leaf.value) for leaf in self.leaves])


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of tools."""

    body: str
    calls: tuple[Call, ...]
    kind = Kind.CALLS

    @property
    def key(self) -> str:
        return json.dumps([(call.name, [(leaf.path, leaf.value) for leaf in call.arguments]) for call in self.calls])


@dataclass(frozen=True, slots=True)
class Code:
    """A program, and the tokens of its canonical form."""

    body: str
    tokens: tuple[str, ...]
    kind = Kind.CODE

    @property
    def key(self) -> str:
        return json.dumps(self.tokens)


Structured = Json | Calls | Code
"""Equal keys of one kind are equal answers."""


@dataclass(frozen=True, slots=True)
class Structural:
    """What structure says of two texts.

    `equivalent` is None where it does not settle it; then all that differs is in `open_texts`, pairs of texts that a
    model may compare. `agreement` in [0, 1] grades the two: the share of equal leaves, the mean over calls, or for code
    the similarity of tokens.
    """

    kind: Kind
    equivalent: bool | None
    agreement: float
    open_texts: tuple[tuple[str, str], ...] = ()


def structural(a: str, b: str) -> Structural | None:
    """What structure says of two finished texts; None where neither has any. Symmetric, up to the sides of texts."""
    left, right = structured(a), structured(b)
    if left is None or right is None:
        one = left or right
        if one is None:
            return None
        # Prose can say what data says, but it calls no tool.
        equivalent = False if isinstance(one, Calls) else None
        return Structural(one.kind, equivalent, 0.0, () if equivalent is False else ((a, b),))
    return compare(left, right)


def compare(a: Structured, b: Structured) -> Structural:
    """What structure says of two structured answers. Those of different kinds do different things."""
    match a, b:
        case Json(), Json():
            return Structural(Kind.JSON, *agreement(a.leaves, b.leaves))
        case Calls(), Calls():
            return Structural(Kind.CALLS, *call_agreement(a.calls, b.calls))
        case Code(), Code():
            equal = a.tokens == b.tokens
            return Structural(Kind.CODE, equal, 1.0 if equal else code_similarity(a.tokens, b.tokens))
    return Structural(min(a.kind, b.kind), False, 0.0)


def structured(text: str) -> Structured | None:
    """The data or program that a finished text gives as its answer, or None.

    It is the whole text, or stands in fences that hold at least as much as the prose around them; several blocks count
    as one. Texts of more than 100,000 characters have none.
    """
    body = text.strip()
    if not body or len(body) > MAX_CHARS:
        return None
    blocks, prose = fenced(body)
    inside = "\n".join(block.body for block in blocks)
    if not blocks:
        return _data(body) or (_code(body, "") if is_source(body) else None)
    if len(inside) < len(prose.strip()):
        return None
    language = blocks[0].language
    found = _data(inside) if len(blocks) == 1 else None
    if found is not None or language.startswith("json"):
        return found
    return _code(inside, language) if is_program(inside, language) else None


def _data(body: str) -> Json | Calls | None:
    if not body.startswith(("{", "[")):
        return None
    try:
        value = load(body)
        calls = tool_calls(value)
        return Json(body, json_leaves(value)) if calls is None else Calls(body, calls)
    except ValueError:
        return None


def _code(body: str, language: str) -> Code | None:
    tokens = canonical_code(body, language)
    return Code(body, tokens) if tokens else None

"""JSON compared leaf by leaf, by what it says rather than by how it is laid out (METHOD 4.4)."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal, DecimalException
from typing import Any, NamedTuple

from streamroute.uncertainty.normalize import normalize, tokens

__all__ = ("Agreement", "Leaf", "agreement", "json_leaves", "load", "settled")

MAX_DEPTH = 64
MAX_NAME_WORDS = 3
# Floats that were computed differ in their last digits; integers never do.
_ROUNDED = Context(prec=12)
_MAX_EXACT_DIGITS = 400
_PLAIN_KEY = re.compile(r"\w+")
_WORDING = "s:"


class Leaf(NamedTuple):
    """A scalar, or an empty container, of a JSON value. `value` is canonical; `text` is what a string leaf said."""

    path: str
    value: str
    text: str = ""


class Agreement(NamedTuple):
    """`equivalent` is None where all that differs is wording, given in `open` as pairs of texts. `share` in [0, 1]."""

    equivalent: bool | None
    share: float
    open: tuple[tuple[str, str], ...] = ()


def load(text: str) -> Any:
    """The JSON value that `text` writes, numbers as `Decimal`. Raises ValueError where it writes none, or one nested
    too deeply to be read."""
    try:
        return json.loads(text, parse_int=_decimal, parse_float=_decimal, parse_constant=Decimal)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _decimal(written: str) -> Decimal | str:
    try:
        return Decimal(written)
    except DecimalException:  # an exponent beyond all use
        return written


def json_leaves(value: Any) -> tuple[Leaf, ...]:
    """The leaves of a JSON value in canonical order: equal values have equal leaves.

    Numbers count by value (integers exactly, others to 12 digits), strings by their canonical spelling. A list of
    strings is a bag, as tags and names are; any other list is a sequence, as points and rows are. Raises ValueError
    where the value is nested deeper than 64.
    """
    return tuple(sorted(_walk(value, "$", 0)))


def _walk(value: Any, path: str, depth: int) -> Iterator[Leaf]:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, dict) and value:
        for key, part in value.items():
            # A key with a point in it is not a path of two keys.
            step = f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{json.dumps(key)}]"
            yield from _walk(part, path + step, depth + 1)
    elif isinstance(value, list) and value:
        bag = all(isinstance(part, str) for part in value)
        for i, part in enumerate(value):
            yield from _walk(part, f"{path}[{'*' if bag else i}]", depth + 1)
    else:
        yield _leaf(path, value)


def _leaf(path: str, value: Any) -> Leaf:
    if isinstance(value, str):
        # What has no words is told apart by its characters.
        return Leaf(path, _WORDING + (normalize(value) or value.strip()), value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return Leaf(path, "n:" + _number(Decimal(repr(value)) if isinstance(value, float) else Decimal(value)))
    return Leaf(path, json.dumps(value))


def _number(value: Decimal) -> str:
    if not value.is_finite():
        return str(value)
    if not value:
        return "0"
    if value.adjusted() < _MAX_EXACT_DIGITS and value == value.to_integral_value():
        return f"{value:f}".partition(".")[0]
    rounded = _ROUNDED.plus(value)
    return str(rounded.normalize(_ROUNDED)) if rounded.adjusted() < _MAX_EXACT_DIGITS else str(value)


def agreement(a: Sequence[Leaf], b: Sequence[Leaf]) -> Agreement:
    """How far two values agree: the share of leaves, of the union of both, that are equal at equal paths. Symmetric.

    A leaf that only one has, or that is another number or constant, makes them different. Where the same strings are
    only worded differently, a model must say.
    """
    left, right = _by_path(a), _by_path(b)
    total = equal = 0
    different = False
    open_texts: list[tuple[str, str]] = []
    for path in dict.fromkeys((*left, *right)):
        here, there = left.get(path, []), right.get(path, [])
        shared = Counter(leaf.value for leaf in here) & Counter(leaf.value for leaf in there)
        total += max(len(here), len(there))
        equal += shared.total()
        here, there = _beyond(here, shared), _beyond(there, shared)
        wording = len(here) == len(there) and all(map(_is_wording, here, there))
        different = different or not wording
        if wording:
            open_texts += [(x.text, y.text) for x, y in zip(here, there, strict=True)]
    share = equal / total if total else 1.0
    return settled(different, share, open_texts)


def settled(different: bool, share: float, open_texts: Sequence[tuple[str, str]]) -> Agreement:
    """The agreement of parts of which some are `different`, or which only `open_texts` could still tell apart."""
    equivalent = False if different else None if open_texts else True
    return Agreement(equivalent, share, tuple(open_texts))


def _by_path(leaves: Sequence[Leaf]) -> dict[str, list[Leaf]]:
    found: dict[str, list[Leaf]] = defaultdict(list)
    for leaf in leaves:
        found[leaf.path].append(leaf)
    return found


def _beyond(leaves: Sequence[Leaf], shared: Counter[str]) -> list[Leaf]:
    left = Counter(shared)
    rest = []
    for leaf in leaves:
        if left[leaf.value]:
            left[leaf.value] -= 1
        else:
            rest.append(leaf)
    return rest


def _is_wording(a: Leaf, b: Leaf) -> bool:
    """Two strings that may mean the same: not two dates, codes or versions, which do not."""
    if not (a.value.startswith(_WORDING) and b.value.startswith(_WORDING)):
        return False
    left, right = tokens(a.text), tokens(b.text)
    names = max(len(left), len(right)) <= MAX_NAME_WORDS
    return not names or _numerals(left) == _numerals(right) or not (_numerals(left) and _numerals(right))


def _numerals(words: Sequence[str]) -> list[str]:
    return sorted(word for word in words if any(map(str.isdigit, word)))

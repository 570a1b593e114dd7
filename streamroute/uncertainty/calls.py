"""Tool calls in canonical form, and how far two sets of them agree (METHOD 4.4)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from streamroute.uncertainty.leaves import Agreement, Leaf, agreement, json_leaves, load, settled

__all__ = ("Call", "call_agreement", "tool_calls")

MAX_PAIRED = 16
_CALL_KEYS = frozenset(("id", "type", "index", "function", "name", "arguments"))


class Call(NamedTuple):
    """One call of a tool. `arguments` are the canonical leaves of its arguments."""

    name: str
    arguments: tuple[Leaf, ...]


def tool_calls(value: Any) -> tuple[Call, ...] | None:
    """The calls that a JSON value (of `load`) makes, in canonical order; None where it makes none.

    Read are a list of `{"function": {"name", "arguments"}}` as in the OpenAI protocol, the same without `function`, a
    single such object, and `{"tool_calls": [...]}`. Arguments are an object, or a string that writes one; no arguments
    are `{}`. Arguments that are not JSON count as one constant: equal to themselves only. Identifiers do not count.
    """
    if isinstance(value, dict) and set(value) == {"tool_calls"}:
        value = value["tool_calls"]
    listed = value if isinstance(value, list) else [value]
    calls = [_call(item) for item in listed]
    found = [call for call in calls if call is not None]
    return tuple(sorted(found)) if found and len(found) == len(calls) else None


def _call(value: Any) -> Call | None:
    if not isinstance(value, dict) or not _CALL_KEYS.issuperset(value):
        return None
    inner = value.get("function", value)
    if not isinstance(inner, dict) or not {"name", "arguments"} <= inner.keys() <= _CALL_KEYS:
        return None
    name, arguments = inner["name"], inner["arguments"]
    if not isinstance(name, str) or not isinstance(arguments, str | dict):
        return None
    return Call(name, _arguments(arguments))


def _arguments(written: str | dict[str, Any]) -> tuple[Leaf, ...]:
    try:
        return json_leaves(written if isinstance(written, dict) else load(written or "{}"))
    except ValueError:
        return (Leaf("$", f"malformed:{written if isinstance(written, str) else json.dumps(written, default=str)}"),)


def call_agreement(a: Sequence[Call], b: Sequence[Call]) -> Agreement:
    """How far two sets of calls agree: the mean, over the larger set, of the agreement of each call with its
    counterpart. Order does not matter; symmetric.

    A counterpart has the same name; a call without one counts 0 and makes the sets different.
    """
    left, right = _by_name(a), _by_name(b)
    shares: list[float] = []
    open_texts: list[tuple[str, str]] = []
    different = False
    for name in sorted(left.keys() | right.keys()):
        here, there = left[name], right[name]
        different = different or len(here) != len(there)
        for found in _paired(here, there):
            shares.append(found.share)
            open_texts += found.open
            different = different or found.equivalent is False
    total = max(len(a), len(b))
    share = sum(shares) / total if total else 1.0
    return settled(different, share, open_texts)


def _by_name(calls: Sequence[Call]) -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        found[call.name].append(call)
    return found


def _paired(a: Sequence[Call], b: Sequence[Call]) -> list[Agreement]:
    """Calls of one tool, the most alike together. Beyond a few, in canonical order: pairing all is quadratic."""
    if max(len(a), len(b)) > MAX_PAIRED:
        return [agreement(x.arguments, y.arguments) for x, y in zip(a, b, strict=False)]
    ranked = sorted(
        ((agreement(x.arguments, y.arguments), i, j) for i, x in enumerate(a) for j, y in enumerate(b)),
        # Ties fall to texts, not to sides: the order of the two sets must not matter.
        key=lambda pair: (-pair[0].share, pair[0].equivalent is False, sorted((a[pair[1]], b[pair[2]]))),
    )
    used_a: set[int] = set()
    used_b: set[int] = set()
    found = []
    for result, i, j in ranked:
        if i not in used_a and j not in used_b:
            used_a.add(i)
            used_b.add(j)
            found.append(result)
    return found

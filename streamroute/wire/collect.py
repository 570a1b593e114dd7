"""The deltas of a streamed answer, put together again to what an unstreamed one would have been."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from streamroute.core.types import Delta, TokenLogprob
from streamroute.wire.errors import UNREADABLE, WireError

__all__ = ("Choice", "ChoiceCollector")

_STREAMED: Final = ("arguments", "input")
_FRAGMENTS: Final = msgspec.json.Decoder(list[dict[str, Any]])


@dataclass(frozen=True, slots=True)
class Choice:
    """One whole choice. `tool_calls` is the raw JSON of its tool-call array."""

    index: int
    text: str = ""
    refusal: str | None = None
    tool_calls: bytes | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: str | None = None


class ChoiceCollector:
    """Collects the deltas of one answer, of all its choices."""

    def __init__(self) -> None:
        self._deltas: dict[int, list[Delta]] = {}

    def add(self, delta: Delta) -> None:
        # A delta of usage alone belongs to no choice.
        if delta.has_content or delta.logprobs or delta.finish_reason is not None:
            self._deltas.setdefault(delta.index, []).append(delta)

    def clear(self) -> None:
        """Forget all: what was collected has been retracted."""
        self._deltas.clear()

    def choices(self) -> list[Choice]:
        """The choices so far, in the order of their indices. Raises `WireError` for tool calls that are not any."""
        return [_join(index, deltas) for index, deltas in sorted(self._deltas.items())]


def _join(index: int, deltas: list[Delta]) -> Choice:
    refusals = [delta.refusal for delta in deltas if delta.refusal]
    reasons = [delta.finish_reason for delta in deltas if delta.finish_reason is not None]
    return Choice(
        index,
        text="".join([delta.text for delta in deltas]),
        refusal="".join(refusals) if refusals else None,
        tool_calls=_join_tool_calls([delta.tool_calls for delta in deltas if delta.tool_calls is not None]),
        logprobs=tuple([logprob for delta in deltas for logprob in delta.logprobs]),
        finish_reason=reasons[-1] if reasons else None,
    )


def _join_tool_calls(pieces: list[bytes]) -> bytes | None:
    """A call's first fragment names it; later ones, told by `index`, add to its arguments. Some servers say the rest
    again, in full or empty."""
    calls: dict[int, dict[str, Any]] = {}
    for piece in pieces:
        try:
            fragments = _FRAGMENTS.decode(piece)
        except UNREADABLE as error:
            raise WireError(f"not a tool-call array: {error}") from error
        for position, fragment in enumerate(fragments):
            index = fragment.pop("index", position)
            if not isinstance(index, int):
                raise WireError("the index of a tool call must be an integer")
            calls[index] = _grown(calls[index], fragment) if index in calls else fragment
    if not calls:
        return None
    return msgspec.json.encode([call for _, call in sorted(calls.items())])


def _grown(call: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    grown = dict(call)
    for field, value in fragment.items():
        known = grown.get(field)
        if isinstance(known, dict) and isinstance(value, dict):
            grown[field] = _grown(known, value)
        elif isinstance(known, str) and isinstance(value, str) and field in _STREAMED:
            grown[field] = known + value
        elif value:
            grown[field] = value
    return grown

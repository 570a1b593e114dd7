"""For programs that read the gateway's streams: the answer that stands, whatever was shown before it.

The gateway tells in the field `streamroute` of chunks with an empty delta what becomes of a shown answer. A stock
client passes that field on without reading it; `AnswerView` reads it. It needs nothing but the standard library, and
takes the chunks of any OpenAI client, as objects or as decoded JSON.

    view = AnswerView()
    for chunk in client.chat.completions.create(model=..., messages=..., stream=True):
        view.take(chunk)
        show(view.text, view.superseded)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ("AnswerView", "Seam", "State", "Superseded", "render")

State = Literal["waiting", "shown", "retracted", "committed", "finished", "failed"]
"""`waiting`: nothing shown yet. `shown`: may still be taken back. `retracted`: was taken back or superseded, and
nothing is shown in its place yet. `committed`: nothing but the end can happen to it any more. `finished`: its end has
come. `failed`: it broke off; what is shown of it is not whole."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """An answer that was shown and does not stand: `retracted` is to be taken away, `appended` to be left, marked."""

    text: str
    tier: str
    reason: str
    how: Literal["retracted", "appended"]


@dataclass(frozen=True, slots=True)
class Seam:
    """From the `at`-th character on, the text is the tier `to`'s, which went on from what `tier` had said."""

    at: int
    tier: str
    to: str


@dataclass(slots=True)
class AnswerView:
    """What is to be seen of one streamed choice, the one with the index `choice`.

    `text` is the answer that stands so far, `tier` whose it is, once that is known. `decision` and `reason` are the
    verdict's. `route` is all that the gateway says of the whole route, in the usage chunk of requests that set
    `stream_options.include_usage`. `error` is that of an error frame; most clients raise an exception for it instead.
    """

    choice: int = 0
    text: str = ""
    state: State = "waiting"
    superseded: list[Superseded] = field(default_factory=list)
    seams: list[Seam] = field(default_factory=list)
    tier: str | None = None
    decision: str | None = None
    reason: str | None = None
    finish_reason: str | None = None
    route: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None

    def take(self, chunk: Any) -> str:
        """What `chunk` adds to the text; chunks in their order. Fields that are not known are passed over."""
        if (error := _of(chunk, "error")) is not None:
            self.error, self.state = error, "failed"
            return ""
        told = _of(chunk, "streamroute")
        if isinstance(told, Mapping):
            if "event" in told:
                self._note(told)
            elif "legs" in told:
                self.route = told
        return "".join([self._grow(choice) for choice in _of(chunk, "choices") or ()])

    def _grow(self, choice: Any) -> str:
        if (_of(choice, "index") or 0) != self.choice:
            return ""
        delta = _of(choice, "delta")
        added = (None if delta is None else _of(delta, "content")) or ""
        if added:
            self.text += added
            if self.state in ("waiting", "retracted"):
                self.state = "shown"
        if (reason := _of(choice, "finish_reason")) is not None:
            self.finish_reason, self.state = reason, "finished"
        return str(added)

    def _note(self, told: Mapping[str, Any]) -> None:
        tier, reason = told.get("tier", ""), told.get("reason", "")
        match told["event"]:
            case "committed":
                self.tier, self.decision, self.reason = tier, told.get("decision"), reason
                self.state = "committed"
            case "retracted":
                self._supersede(self.text, tier, reason, "retracted")
            case "appended":
                # The marker is for those who do not read this: it is neither answer's.
                self._supersede(self.text.removesuffix(told.get("marker", "")), tier, reason, "appended")
                self.tier = told.get("to")
            case "continued":
                self.seams.append(Seam(told.get("at", len(self.text)), tier, told.get("to", "")))
                self.tier = told.get("to")

    def _supersede(self, text: str, tier: str, reason: str, how: Literal["retracted", "appended"]) -> None:
        self.superseded.append(Superseded(text, tier, reason, how))
        self.text, self.state, self.tier = "", "retracted", None
        self.seams = []


def render(chunks: Iterable[Any]) -> AnswerView:
    """The view of a whole stream."""
    view = AnswerView()
    for chunk in chunks:
        view.take(chunk)
    return view


def _of(thing: Any, name: str) -> Any:
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)

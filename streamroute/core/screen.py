"""What the reader sees: which tier's answer is on the screen, and what becomes of it when another takes its place."""

from __future__ import annotations

from dataclasses import dataclass

from streamroute.core.actions import Action, Append, Continue, Retract
from streamroute.core.answer import Answer
from streamroute.core.plan import Plan
from streamroute.core.types import Release, Verdict


@dataclass(slots=True)
class Screen:
    """`answers` are the route's own, by tier. `visible` is the tier that is seen, `superseded` why it is to be marked
    once another one speaks: should that fail first, what is shown simply stands."""

    plan: Plan
    answers: dict[int, Answer]
    visible: int | None = None
    superseded: str | None = None

    @property
    def continuable(self) -> str:
        """The text that is seen, where a larger model could go on from it."""
        return "" if self.visible is None else self.answers[self.visible].continuable

    def make_way(self, target: int, verdict: Verdict, out: list[Action]) -> str:
        """Decide what becomes of what is seen before `target` speaks. Returns the text that it is to go on from."""
        visible = self.visible
        if visible is None or visible == target:
            self.superseded = None
            return ""
        mode = Release.APPEND if verdict.append else self.plan.on_escalation
        prefix = ""
        if mode is Release.CONTINUE:
            started = self.answers.get(target)
            if started is not None:
                prefix = started.prefix  # a hedge has none: it cannot go on from what it was not told
            elif target in self.plan.prefill:
                prefix = self.answers[visible].continuable
        if mode is Release.APPEND or prefix:
            self.superseded = verdict.reason
        else:
            out.append(Retract(visible, verdict.reason))
            self._clear()
        return prefix

    def turn_to(self, tier: int, out: list[Action]) -> None:
        """From here on the reader sees `tier`; whatever else is on the screen is marked."""
        if self.visible is not None:
            prefix, reason = self.answers[tier].prefix, self.superseded or ""
            if prefix:
                out.append(Continue(self.visible, tier, len(prefix), reason))
            else:
                out.append(Append(self.visible, tier, reason))
        self._clear(keep=tier)
        self.visible = tier

    def _clear(self, *, keep: int | None = None) -> None:
        for tier, answer in self.answers.items():
            if tier != keep:
                answer.withdraw()
        self.visible = self.superseded = None

"""Requests answered a second time, by every tier and unseen, to learn what is right without anyone's help.

Live routes label only what they did: a kept answer is never compared, an early verdict has no final score. A shadow
route waits for all probes, takes the larger model's answer whatever they say, and compares (METHOD 6.2).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from streamroute.calibration.records import Record
from streamroute.core.policy import Policy, Snapshot
from streamroute.core.types import UNDECIDED, Decision, Leg, Release, Verdict
from streamroute.routing.router import Router
from streamroute.routing.tiers import Tier, question_of
from streamroute.uncertainty.base import Scorer
from streamroute.upstreams.base import Message

__all__ = ("Differs", "Patient", "Shadow")

Differs = Callable[[str, str, str], Awaitable[bool | None]]
"""Whether, to a question, a cheap answer says something else than a larger model's; None where that is no answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Patient(Policy):
    """Waits for all there is to know, then asks the largest tier."""

    def __call__(self, snapshot: Snapshot) -> Verdict:
        return Verdict(Decision.ESCALATE, "shadowed", to=snapshot.last_tier) if snapshot.settled else UNDECIDED


class Shadow:
    """Makes labelled records of requests. Costs a cheap answer with all of its probes and a large one for each."""

    def __init__(self, tiers: Sequence[Tier], scorer: Scorer, differs: Differs) -> None:
        self._differs = differs
        self._router = Router(
            tiers,
            scorer=scorer,
            policy=Patient(),
            release=Release.HOLD,
            decision_deadline=None,
            on_uncertain=Decision.ESCALATE,
        )

    async def record(self, id: str, messages: Sequence[Message], params: Mapping[str, Any]) -> Record | None:
        """None where a model failed, or the larger one did not answer. Raises `RouteError` and `ScorerError`."""
        route = (await self._router.complete(messages, params=params)).route
        last = len(self._router.tiers) - 1
        cheap, large = route.leg(Leg(0)), route.leg(Leg(last))
        if cheap is None or large is None or route.evidence is None or route.tier != last:
            return None
        question = question_of(messages)
        wrong = await self._differs(question, cheap.text, large.text)
        if wrong is None:
            return None
        return Record(
            id=id,
            score=route.evidence.score,
            features=route.evidence.features,
            wrong=wrong,
            large_wrong=False,
            cost=large.cost,
            group=question,
        )

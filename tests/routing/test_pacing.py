"""Policies that differ from request to request: by its dice, and by what became of those before."""

from __future__ import annotations

from streamroute.core.policy import Policy, Snapshot, Threshold
from streamroute.core.types import Decision, Evidence, Verdict
from streamroute.testing import run_virtual
from tests.routing.support import AGREE, ASK, cheap, large, router


class _Remembers(Policy):
    """Keeps the cheap answer, and the dice that it was shown."""

    def __init__(self) -> None:
        self.dice: list[float] = []

    def __call__(self, snapshot: Snapshot) -> Verdict:
        self.dice.append(snapshot.dice)
        return Verdict(Decision.ACCEPT, "kept")


def test_a_request_has_dice_of_its_own_that_fall_the_same_way_again() -> None:
    policy = _Remembers()

    async def main() -> None:
        async with router(cheap(), large(), policy=policy) as made:
            for params in ({}, {}, {"seed": 1}):
                async with made.stream(ASK, params=params) as stream:
                    async for _ in stream:
                        pass
                policy.dice.append(-1.0)

    run_virtual(main)
    first, second, third = (
        set(part.split())
        for part in " ".join("|" if dice < 0 else str(dice) for dice in policy.dice).rstrip("|").split("|")
    )
    assert len(first) == 1
    assert first == second
    assert first != third


class _Paced:
    """Escalates every other request, and remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[float, bool, float]] = []
        self.asked = 0

    def policy(self) -> Policy:
        self.asked += 1
        return Threshold(1.0 if self.asked % 2 else -1.0)

    def settle(self, evidence: Evidence, *, escalated: bool, cost: float) -> None:
        self.told.append((evidence.score, escalated, cost))


def test_a_pacer_chooses_the_policy_of_each_request_and_hears_what_became_of_it() -> None:
    pacer = _Paced()
    made = router(cheap(probes=AGREE), large(), pacer=pacer)

    async def main() -> list[str | None]:
        async with made:
            names = []
            for _ in range(2):
                async with made.stream(ASK) as stream:
                    async for _ in stream:
                        pass
                names.append(stream.route.tier_name)
            async with made.stream(ASK, judge=False) as unjudged:
                async for _ in unjudged:
                    pass
            return names

    assert pacer.asked == 1  # the plan that the router shows
    assert run_virtual(main) == ["large", "cheap"]
    assert pacer.told == [(0.0, True, 0.0), (0.0, False, 0.0)]

"""Every reachable joint state of small cascades, and every event in each of them, keeps every promise."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from streamroute.core.events import TimerFired
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Threshold
from streamroute.core.states import TABLE
from streamroute.core.types import Decision, Delta, Release
from tests.core.world import World

DELTAS = (Delta(""), Delta("One."))
SCORES = ((0.0, True, True), (1.0, True, True), (0.5, True, False), (0.0, False, False))


def plans(tiers: int) -> Iterator[Plan]:
    schedules = [ProbeSchedule(count=2), ProbeSchedule(count=2, wave=1, after="first_token")]
    if tiers > 2:
        schedules = [ProbeSchedule(count=1, after="first_token")]
    verdicts = (Decision.ACCEPT, Decision.ESCALATE)
    for schedule, release, hedge, verdict in itertools.product(schedules, Release, (None, 1.0), verdicts):
        yield Plan(
            tiers=(schedule,) * (tiers - 1) + (None,),
            policy=Threshold(0.6),
            release=release,
            hedge_after=hedge,
            decision_deadline=2.0,
            on_timeout=verdict,
            on_uncertain=verdict,
        )


def explore(plan: Plan) -> tuple[int, int, set[object]]:
    """(states, transitions, rows of the state table that were used)"""
    seen: set[object] = set()
    used: set[object] = set()
    transitions = 0
    frontier = [World.begin(plan)]
    while frontier:
        world = frontier.pop()
        if world.key() in seen:
            continue
        seen.add(world.key())
        for event in [] if world.cascade.over else list(world.possible(DELTAS, SCORES)):
            following = world.fork()
            deadline = following.cascade.next_deadline()
            now = deadline if isinstance(event, TimerFired) and deadline is not None else 0.0
            following.feed(event, now)
            transitions += 1
            used.add((world.cascade.phase, following.cascade.phase))
            frontier.append(following)
    return len(seen), transitions, used


@pytest.mark.parametrize(("tiers", "states", "transitions"), [(2, 37_341, 107_586), (3, 30_160, 45_428)])
def test_every_reachable_state_keeps_every_promise(tiers: int, states: int, transitions: int) -> None:
    explored = [explore(plan) for plan in plans(tiers)]
    assert (sum(s for s, _, _ in explored), sum(t for _, t, _ in explored)) == (states, transitions)


def test_every_row_of_the_state_table_is_reached() -> None:
    used = set[object]().union(*(explore(plan)[2] for plan in plans(3)))
    rows = {(before, after) for (before, _), after in TABLE.items() if before.value != "idle"}
    assert rows <= used

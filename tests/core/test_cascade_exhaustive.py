"""Every reachable joint state of small cascades, and every event in each of them, keeps every promise."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from streamroute.core.events import TimerFired
from streamroute.core.hedge import HedgeRule
from streamroute.core.plan import AutoRelease, Plan, ProbeSchedule
from streamroute.core.policy import Threshold
from streamroute.core.states import TABLE
from streamroute.core.types import Decision, Delta, Release
from tests.core.world import World

DELTAS = (Delta(""), Delta("One."))
SCORES = ((0.0, True, True), (1.0, True, True), (0.5, True, False), (0.0, False, False))


BREAKS: dict[str, Any] = {"on_break": "continue", "hedge_after": 1.0}

STARTS: tuple[dict[str, Any], ...] = (
    {"hedge_after": None},
    {"hedge_after": 1.0},
    {"hedge": HedgeRule(waste=1.0, second=1.0, large_first=1.0, decision=1.0, prior=0.4), "insurance": True},
    BREAKS,
)


def plans(tiers: int) -> Iterator[Plan]:
    schedules = [ProbeSchedule(count=2), ProbeSchedule(count=2, wave=1, after="first_token")]
    if tiers > 2:
        schedules = [ProbeSchedule(count=1, after="first_token")]
    verdicts = (Decision.ACCEPT, Decision.ESCALATE)
    for schedule, release, start, verdict in itertools.product(schedules, Release, STARTS, verdicts):
        usual = start not in STARTS[2:] and release not in (Release.CONTINUE, Release.AUTO)
        if not usual and (verdict is Decision.ACCEPT or schedule is not schedules[-1]):
            continue  # the ways to a verdict are the same: what follows it is what these are explored for
        yield Plan(
            tiers=(schedule,) * (tiers - 1) + (None,),
            policy=Threshold(0.6),
            release=release,
            auto=AutoRelease(on_escalation=Release.CONTINUE, prior=0.5),
            prefill=frozenset(range(1, tiers)),
            decision_deadline=2.0,
            on_timeout=verdict,
            on_uncertain=verdict,
            **start,
        )


@functools.cache
def explored(tiers: int) -> list[tuple[int, int, set[object]]]:
    return [explore(plan) for plan in plans(tiers)]


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


@pytest.mark.parametrize(("tiers", "states", "transitions"), [(2, 65_016, 155_329), (3, 130_858, 195_931)])
def test_every_reachable_state_keeps_every_promise(tiers: int, states: int, transitions: int) -> None:
    found = explored(tiers)
    assert (sum(s for s, _, _ in found), sum(t for _, t, _ in found)) == (states, transitions)


def test_every_row_of_the_state_table_is_reached() -> None:
    used = set[object]().union(*(used for _, _, used in explored(3)))
    rows = {(before, after) for (before, _), after in TABLE.items() if before.value != "idle"}
    assert rows <= used

"""A generation of routes is over when every request has ended that may have been assigned by it, and not before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamroute.config.compose import ServedRoute
from streamroute.config.settings import RouteSettings, Settings
from streamroute.gateway.access.auth import EVERYONE
from streamroute.gateway.process.generation import Generation, Generations
from streamroute.routing.router import Router, Tier
from streamroute.testing import ScriptedUpstream


def generation(name: str = "auto") -> Generation:
    router = Router([Tier(upstream=ScriptedUpstream("yes", name="only", model="small"))])
    return Generation(Settings(), {name: ServedRoute(RouteSettings(name=name, tiers=("only",)), router)})


def names(generations: Generations) -> list[str]:
    return [model["id"] for model in generations.catalogue.models(EVERYONE)]


def test_what_is_asked_for_after_a_replacement_is_of_the_new_one() -> None:
    first, second = generation("auto"), generation("other")
    generations = Generations(first)
    assert names(generations) == ["auto", "only"]
    assert generations.replace(second) is first
    assert names(generations) == ["other", "only"]
    assert generations.current is second
    assert generations.settings is second.settings


def test_one_that_nobody_uses_is_over_at_once_and_the_newest_never() -> None:
    first, second = generation(), generation()
    generations = Generations(first)
    assert not first.over.is_set()
    generations.replace(second)
    assert first.over.is_set()
    assert not second.over.is_set()


def test_a_request_keeps_open_what_came_while_it_ran_as_it_may_have_been_assigned_by_that() -> None:
    first, second, third = generation(), generation(), generation()
    generations = Generations(first)
    entered = generations.enter()
    generations.replace(second)
    generations.replace(third)
    assert not first.over.is_set()
    assert not second.over.is_set()
    generations.leave(entered)
    assert first.over.is_set()
    assert second.over.is_set()


def test_what_outlives_its_request_keeps_open_what_the_request_was_served_by() -> None:
    first, second = generation(), generation()
    generations = Generations(first)
    entered = generations.enter()
    generations.replace(second)
    behind = generations.enter_behind()
    generations.leave(entered)
    assert not first.over.is_set()
    generations.leave(behind)
    assert first.over.is_set()


@given(st.lists(st.sampled_from(["enter", "leave", "replace"]), max_size=40))
def test_no_generation_ends_before_a_request_that_could_hold_it(steps: list[str]) -> None:
    generations = Generations(generation())
    every = [generations.current]
    running: list[tuple[Generation, int]] = []  # what it entered, and the first that it could be assigned by
    for step in steps:
        if step == "enter":
            running.append((generations.enter(), len(every) - 1))
        elif step == "replace":
            every.append(generation())
            generations.replace(every[-1])
        elif running:
            generations.leave(running.pop(len(running) // 2)[0])
        oldest = min((since for _, since in running), default=len(every) - 1)
        assert [one.over.is_set() for one in every] == [i < oldest for i in range(len(every))]


async def test_closing_closes_what_is_open_once() -> None:
    closed: list[str] = []

    async def close() -> None:
        closed.append("closed")

    generations = Generations(Generation(Settings(), {}, close))
    await generations.aclose()
    await generations.current.aclose()
    assert closed == ["closed"]

"""Whoever leaves, in whatever phase, takes every upstream request along."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamroute.testing import ScriptedScorer
from tests.gateway.served import virtually
from tests.gateway.two_tiers import ModelServer, RawClient, Stage, is_probe, staged
from tests.support.upstream_server import HANG, Reply, Seen

SILENT = Reply(before_headers=HANG)
OPENED = Reply([(HANG, "")])
BROKEN_OFF = Reply([(0, "It is"), (HANG, "")])
WHOLE = Reply.of("It is Sydney.")
OTHER = Reply.of("No idea.")


@dataclass(frozen=True)
class Phase:
    """A moment to leave in: what the models say, and what must have happened at their servers before."""

    cheap: Reply
    probe: Reply
    large: Reply
    reached: Callable[[list[Seen], list[Seen]], bool]
    model: str = "auto"
    release: str = "hold"
    said: str | None = None
    escalating: bool = False
    streams: tuple[bool, ...] = (True, False)


def answers(seen: list[Seen]) -> list[Seen]:
    return [one for one in seen if not is_probe(one.body)]


def probes(seen: list[Seen]) -> list[Seen]:
    return [one for one in seen if is_probe(one.body)]


PHASES = {
    "before the headers of any upstream": Phase(SILENT, SILENT, SILENT, lambda cheap, large: len(cheap) == 4),
    "before the first token": Phase(OPENED, OPENED, SILENT, lambda cheap, large: len(cheap) == 4),
    "probing, with the answer finished": Phase(
        WHOLE,
        SILENT,
        SILENT,
        lambda cheap, large: any(one.finished is not None for one in answers(cheap)) and len(cheap) == 4,
    ),
    "probing, in the middle of the answer": Phase(
        BROKEN_OFF, BROKEN_OFF, SILENT, lambda cheap, large: sum(one.steps_sent for one in cheap) == 4
    ),
    "in the middle of a shown answer": Phase(
        BROKEN_OFF,
        SILENT,
        SILENT,
        lambda cheap, large: len(cheap) == 4,
        release="retract",
        said="It is",
        streams=(True,),
    ),
    "in the middle of an unjudged answer": Phase(
        BROKEN_OFF, SILENT, SILENT, lambda cheap, large: True, model="cheap", said="It is", streams=(True,)
    ),
    "escalating, before the first token": Phase(
        WHOLE, OTHER, SILENT, lambda cheap, large: len(large) == 1, escalating=True
    ),
    "escalating, in the middle of the answer": Phase(
        WHOLE, OTHER, BROKEN_OFF, lambda cheap, large: len(large) == 1, escalating=True, said="It is", streams=(True,)
    ),
    "escalating after a retraction": Phase(
        WHOLE,
        OTHER,
        SILENT,
        lambda cheap, large: len(large) == 1,
        escalating=True,
        release="retract",
        said="retracted",
        streams=(True,),
    ),
    "escalating, unseen": Phase(
        WHOLE,
        OTHER,
        BROKEN_OFF,
        lambda cheap, large: len(large) == 1 and large[0].steps_sent == 1,
        escalating=True,
        streams=(False,),
    ),
}
CASES = [(name, stream) for name, phase in PHASES.items() for stream in phase.streams]


async def ask(stage: Stage, phase: Phase, stream: bool, text: str) -> RawClient:
    """Ask, and come back when the phase is reached."""
    stage.cheap.scenes[text] = (phase.cheap, phase.probe)
    stage.large.scenes[text] = (phase.large, phase.large)
    client = await stage.ask(
        model=phase.model,
        stream=stream,
        messages=[{"role": "user", "content": text}],
        streamroute={"release": phase.release},
    )

    def own(server: ModelServer) -> list[Seen]:
        return [one for one in server.seen if one.body["messages"][-1]["content"] == text]

    # The last that happens before an escalating phase is reached happens at the large tier.
    last = stage.large if phase.escalating else stage.cheap
    await last.until(lambda: phase.reached(own(stage.cheap), own(stage.large)))
    if phase.said is not None:
        await client.until_said(phase.said)
    return client


@pytest.mark.parametrize("rudely", [False, True])
@pytest.mark.parametrize(("name", "stream"), CASES)
def test_a_client_that_leaves_ends_every_upstream_request_within_50_ms(name: str, stream: bool, rudely: bool) -> None:
    async def main() -> None:
        async with staged(ModelServer(WHOLE), ModelServer(WHOLE)) as stage:
            client = await ask(stage, PHASES[name], stream, "question")
            assert stage.running > 0
            left = asyncio.get_running_loop().time()
            await client.leave(rudely=rudely)
            await stage.quiet()
            closed = [one.closed_by_client for one in stage.seen if one.closed_by_client is not None]
            assert closed
            assert max(closed) - left <= 0.05  # of virtual time: no timer was waited for
            assert stage.in_flight == 0

    virtually(main)


def test_a_client_that_leaves_while_the_judge_is_at_work_ends_the_route() -> None:
    async def main() -> None:
        scorer = ScriptedScorer(delay=HANG)
        async with staged(ModelServer(WHOLE), ModelServer(WHOLE), scorer=scorer) as stage:
            text = "question"
            client = await stage.ask(model="auto", stream=True, messages=[{"role": "user", "content": text}])
            await stage.cheap.until(lambda: len(stage.cheap.seen) == 4 and stage.cheap.running == 0)
            assert stage.in_flight == 1
            await client.leave(rudely=True)
            await stage.quiet()
            assert not stage.large.seen

    virtually(main)


def test_a_client_that_does_not_read_stops_the_model_and_still_gets_everything() -> None:
    steps = 800
    long = Reply([(0, "x" * 65536)] * steps)

    async def main() -> None:
        async with staged(ModelServer(long), ModelServer(WHOLE)) as stage:
            client = await stage.ask(model="cheap", stream=True, messages=[{"role": "user", "content": "go on"}])
            await asyncio.sleep(10)  # of virtual time: until every buffer on the way is full
            (seen,) = stage.cheap.seen
            assert seen.running
            assert seen.steps_sent < steps
            await client.until_said("[DONE]")
            assert seen.steps_sent == steps
            await client.leave(rudely=False)

    virtually(main)


async def test_a_thousand_clients_that_leave_in_every_phase_leave_nothing_behind() -> None:
    tasks, files = asyncio.all_tasks(), open_files()
    async with staged(ModelServer(WHOLE), ModelServer(WHOLE)) as stage:
        idle = asyncio.all_tasks()
        asked = 0
        while asked < 1000:
            batch = [CASES[(asked + i) % len(CASES)] for i in range(25)]
            clients = await asyncio.gather(
                *(ask(stage, PHASES[name], stream, f"{asked + i}") for i, (name, stream) in enumerate(batch))
            )
            assert stage.running >= 25  # each of them is in the middle of something
            await asyncio.gather(*(client.leave(rudely=i % 2 == 0) for i, client in enumerate(clients)))
            await stage.quiet()
            asked += len(batch)
            stage.cheap.seen.clear()
            stage.large.seen.clear()
        assert not [task for task in asyncio.all_tasks() - idle if "tier" in task.get_name()]
    for _ in range(1000):  # closed transports let go of their sockets in the next turns of the loop
        if asyncio.all_tasks() == tasks and open_files() == files:
            break
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    assert open_files() == files


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())

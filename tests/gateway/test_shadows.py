"""A share of the requests is answered again, unseen, and never in the way of the live ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from streamroute.calibration.records import decode_record
from streamroute.config.compose import ServedRoute
from streamroute.config.settings import RouteSettings
from streamroute.gateway.journal import Journal
from streamroute.gateway.shadows import AT_ONCE, Shadows
from streamroute.routing.router import ProbePlan, Router, Tier
from streamroute.routing.shadow import Shadow
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream, run_virtual
from tests.gateway.served import QUESTION, RIGHT, RecordingLog, agreeing, larger


async def spelled_otherwise(question: str, a: str, b: str) -> bool | None:
    return a != b


@asynccontextmanager
async def shadowing(
    folder: Path, large: ScriptedUpstream | None = None, share: float = 1.0
) -> AsyncGenerator[tuple[Shadows, ServedRoute, RecordingLog]]:
    tiers = [Tier(upstream=agreeing(), probes=ProbePlan(count=3)), Tier(upstream=large or larger())]
    log, settings = RecordingLog(), RouteSettings(name="auto", tiers=("cheap", "large"), shadow=share)
    shadow = Shadow(tiers, ScriptedScorer(), spelled_otherwise)
    served = ServedRoute(settings, Router(tiers, scorer=ScriptedScorer()), None, shadow)
    async with anyio.create_task_group() as group:
        yield Shadows(group, Journal(folder / "records.jsonl"), log), served, log


def test_a_shadowed_request_leaves_a_labelled_record_without_its_text(tmp_path: Path) -> None:
    async def main() -> None:
        async with shadowing(tmp_path) as (shadows, served, _):
            shadows.consider(served, QUESTION, {}, "chatcmpl-1")
            assert shadows.running == 1
        assert shadows.running == 0

    run_virtual(main)
    (line,) = (tmp_path / "records.jsonl").read_bytes().splitlines()
    record = decode_record(line, number=1)
    assert record is not None
    assert (record.id, record.wrong, record.large_wrong) == ("chatcmpl-1-shadow", False, False)
    assert b"Australia" not in line
    assert RIGHT.encode() not in line


def test_only_the_share_is_shadowed_and_only_a_few_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with shadowing(tmp_path, share=0.1) as (shadows, served, _):
            chosen = 0
            for i in range(500):
                shadows.consider(served, QUESTION, {}, f"chatcmpl-{i}")
                chosen += shadows.running
                await anyio.sleep(1)
                assert not shadows.running
            assert 30 <= chosen <= 70
        async with shadowing(tmp_path) as (shadows, served, _):
            for i in range(50):
                shadows.consider(served, QUESTION, {}, f"chatcmpl-{i}")
            assert shadows.running == AT_ONCE

    run_virtual(main)


def test_a_shadow_that_fails_is_a_line_in_the_log(tmp_path: Path) -> None:
    async def main() -> list[dict[str, Any]]:
        async with shadowing(tmp_path, larger(Script.failing(after=5, name="large"))) as (shadows, served, log):
            shadows.consider(served, QUESTION, {}, "a")
        async with shadowing(tmp_path / "none") as (shadows, served, second):
            shadows.consider(served, QUESTION, {}, "b")
        return log.lines + second.lines

    lines = run_virtual(main)
    assert lines[-1]["of"] == "b"
    assert "No such file" in lines[-1]["error"]
    assert not (tmp_path / "records.jsonl").exists()

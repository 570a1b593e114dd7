"""Every example runs, as it stands."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from openai import AsyncOpenAI

import streamroute as sr
from streamroute.testing import ScriptedScorer
from tests.cli.routes import asked, small
from tests.support.upstream_server import Reply, UpstreamServer

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_an_example_says_how_to_run_it(name: str) -> None:
    assert f"python examples/{name}.py" in (example(name).__doc__ or "")


async def test_the_embedding_example_streams_withdraws_and_answers() -> None:
    embed, written = example("embed_with_sdk"), list[str]()
    async with UpstreamServer() as server:
        server.replies["small"] = [Reply.of(text) for text in ("Sydney.", "Perth.", "Hobart.", "Darwin.")]
        server.replies["large"] = Reply.of("Canberra.")
        async with AsyncOpenAI(base_url=server.url, api_key="none") as client:
            route = await embed.answer(
                "Capital of Australia?",
                sr.Tier(upstream=sr.SDKUpstream(client, model="small"), probes=sr.ProbePlan(count=3)),
                sr.Tier(upstream=sr.SDKUpstream(client, model="large")),
                ScriptedScorer(),
                written.append,
            )
        assert server.running == 0
    assert route.answer == "Canberra."
    assert "".join(written).strip().endswith("Canberra.")


def test_the_client_example_says_what_is_withdrawn() -> None:
    client, written = example("openai_client"), list[str]()
    empty = {"index": 0, "delta": {}}
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": "Sydney."}}]},
        {"choices": [empty], "streamroute": {"event": "retracted", "tier": "small", "reason": "samples_disagree"}},
        {"choices": [empty], "streamroute": {"event": "committed", "tier": "large", "decision": "escalate"}},
        {"choices": [{"index": 0, "delta": {"content": "Canberra."}}]},
    ]
    view = client.show(chunks, written.append)
    assert "".join(written) == "Sydney.\n[the above is withdrawn: samples_disagree]\nCanberra."
    assert (view.text, view.tier) == ("Canberra.", "large")


def test_the_replay_example_counts_escalations_at_every_limit(tmp_path: Path) -> None:
    routes = tmp_path / "routes.jsonl"
    watched = [asked(small()), asked(small(probes=["Sydney."]))]
    routes.write_text("\n".join(json.dumps(each.to_dict()) for each in watched) + "\n", encoding="utf-8")
    replay = example("replay_thresholds")
    traces = replay.load_traces(routes.read_text(encoding="utf-8").splitlines())
    low, high = replay.sweep(traces, [0.1, 0.99], probes=3)
    assert (low.escalated, high.escalated) == (0.5, 0.0)
    command = [sys.executable, str(EXAMPLES / "replay_thresholds.py"), str(routes)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("2 routes")


def test_the_three_tier_example_spends_less_where_quality_is_worth_less() -> None:
    command = [sys.executable, str(EXAMPLES / "three_tiers.py")]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    order = ("small", "middle", "large")
    chosen = [next(order.index(tier) for tier in order if f": {tier}" in line) for line in lines]
    free, fair, dear = chosen[:3], chosen[3:6], chosen[6:]
    assert dear == [0, 0, 0]
    assert fair == sorted(fair)
    assert all(a >= b >= c for a, b, c in zip(free, fair, dear, strict=True))
    assert set(fair) > {0}


@pytest.mark.local_models
async def test_the_edge_box_answers_with_its_own_models() -> None:
    reply = await example("edge_box").main("What is the capital of France?")
    assert "Paris" in reply.text

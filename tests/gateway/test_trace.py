"""The live trace: what a client that asks for it is told while its answer is judged."""

from __future__ import annotations

from typing import Any

import pytest

from streamroute.core.actions import Action
from streamroute.core.events import Event, EvidenceReceived, LegFailed, ProbeFinished
from streamroute.core.policy import Threshold
from streamroute.core.types import Evidence, Leg, Release, Sample
from streamroute.errors import UpstreamError
from streamroute.gateway.trace import LiveTrace
from streamroute.routing.router import ProbePlan, Router, Tier
from streamroute.routing.stream import Noted
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream, run_virtual
from tests.gateway.served import QUESTION, RIGHT, WRONG, Served, agreeing, disagreeing, larger, serving, virtually
from tests.gateway.test_chat import body, notes, streamed

TRACED: dict[str, Any] = {"trace": True}


async def told(served: Served, **options: Any) -> list[dict[str, Any]]:
    reply = await served.post(body(stream=True, streamroute={**TRACED, **options}))
    return notes([event for event in reply.events if isinstance(event, dict)])


def names(said: list[dict[str, Any]]) -> list[str]:
    """The kinds of notes in order, repetitions once."""
    kinds = [note["event"] for note in said]
    return [kind for i, kind in enumerate(kinds) if i == 0 or kinds[i - 1] != kind]


@pytest.mark.parametrize("release", ["hold", "retract"])
def test_a_kept_answer_is_told_from_the_first_probe_to_the_commit(release: str) -> None:
    async def main() -> None:
        async with serving() as served:
            said = await told(served, release=release)
            assert said[0] == {
                "event": "started",
                "at": 0.0,
                "tier": "cheap",
                "tiers": ["cheap", "large"],
                "release": release,
                "probes": 3,
                "threshold": 0.5,
            }
            probes = [note for note in said if note["event"] == "probe"]
            assert [(p["state"], p["number"], p["done"], p["expected"]) for p in probes] == [
                ("finished", i, i + 1, 3) for i in range(3)
            ]
            assert {probe["text"] for probe in probes} == {RIGHT}
            assert names(said)[-3:] == ["evidence", "verdict", "committed"]
            *_, evidence, verdict, _ = said
            assert (evidence["samples"], evidence["clusters"], evidence["assignment"]) == (3, [4], [0, 0, 0])
            assert (evidence["score"], evidence["low"], evidence["high"]) == (0.0, 0.0, 0.0)
            assert (evidence["answer_cluster"], evidence["agreement"]) == (0, 1.0)
            assert (verdict["tier"], verdict["decision"], verdict["to"]) == ("cheap", "accept", None)
            assert [note["at"] for note in said if "at" in note] == sorted(n["at"] for n in said if "at" in n)

    virtually(main)


def test_the_verdict_is_told_before_the_retraction_that_it_causes() -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            said = await told(served, release="retract")
            assert names(said)[-4:] == ["evidence", "verdict", "retracted", "committed"]
            verdict = next(note for note in said if note["event"] == "verdict")
            assert (verdict["decision"], verdict["tier"], verdict["to"]) == ("escalate", "cheap", "large")

    virtually(main)


def test_the_notes_leave_while_the_answer_is_held() -> None:
    """A large model that takes an hour is waited for with the verdict known."""

    async def main() -> None:
        async with serving(disagreeing(), larger(Script.of(RIGHT, first=3600))) as served:
            ask = body(stream=True, streamroute={**TRACED, "release": "hold"})
            async with served.http.post(f"{served.url}/v1/chat/completions", json=ask) as response:
                seen = b""
                while b'"verdict"' not in seen:
                    read = await response.content.readany()
                    assert read, seen
                    seen += read
                assert RIGHT.encode() not in seen
                assert served.large.running == 1
            assert WRONG.encode() not in seen

    virtually(main)


def test_the_stock_client_reads_the_same_answer_with_and_without_the_trace() -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            plain, _ = await streamed(served)
            traced, chunks = await streamed(served, extra_body={"streamroute": TRACED})
            assert plain == traced == RIGHT
            assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
            for chunk in chunks:
                if (chunk.model_extra or {}).get("streamroute"):
                    (choice,) = chunk.choices
                    assert choice.delta.model_dump(exclude_unset=True) == {}
                    assert choice.finish_reason is None

    virtually(main)


def test_nothing_is_told_to_those_who_did_not_ask() -> None:
    async def main() -> None:
        async with serving() as served:
            for fields in ({}, {"streamroute": {"trace": False}}):
                reply = await served.post(body(stream=True, **fields))
                assert [note["event"] for note in notes(reply.events[:-1])] == ["committed"]
                assert b"probe" not in reply.body
            whole = await served.post(body(streamroute=TRACED))
            assert "event" not in whole.json["streamroute"]

    virtually(main)


def test_an_answer_that_is_not_judged_has_no_trace() -> None:
    async def main() -> None:
        async with serving() as served:
            for fields in ({"model": "large"}, {"n": 1, "streamroute": {**TRACED, "judge": False}}):
                reply = await served.post(body(stream=True, **{"streamroute": TRACED, **fields}))
                assert [note["event"] for note in notes(reply.events[:-1])] == ["committed"]

    virtually(main)


def test_a_probe_that_fails_is_told_and_expected_no_more() -> None:
    async def main() -> None:
        cheap = agreeing()
        cheap.probes = [Script.failing(after=0.01), Script.of(RIGHT), Script.of(RIGHT)]
        async with serving(cheap) as served:
            probes = [note for note in await told(served) if note["event"] == "probe"]
            assert [(p["state"], p["done"], p["expected"]) for p in probes] == [
                ("failed", 0, 2),
                ("finished", 1, 2),
                ("finished", 2, 2),
            ]
            assert "scripted failure" in probes[0]["error"]

    virtually(main)


def test_a_failure_before_any_content_is_an_error_frame_once_the_trace_has_begun() -> None:
    async def main() -> None:
        cheap = ScriptedUpstream(Script.failing(), [Script.failing()], name="cheap")
        async with serving(cheap, larger(Script.failing())) as served:
            reply = await served.post(body(stream=True, streamroute=TRACED))
            assert reply.status == 200
            last = reply.events[-1]
            assert last["error"]["code"] == "every_leg_failed"
            assert {leg["leg"] for leg in last["streamroute"]["legs"]} >= {"cheap", "large"}
            assert (await served.post(body(stream=True))).status == 502

    virtually(main)


def test_what_comes_after_the_verdict_is_not_told() -> None:
    """Probes that a certain verdict makes superfluous are cancelled, and no note speaks of them."""

    async def main() -> None:
        cheap = disagreeing()
        cheap.answer = Script.of(f"{WRONG} And more.", gap=0.5)
        cheap.probes = [Script.of("a"), Script.of("b"), Script.of("c", first=60)]
        async with serving(cheap) as served:
            said = await told(served, release=Release.RETRACT)
            at = [note["event"] for note in said].index("verdict")
            assert {note["event"] for note in said[at + 1 :]} == {"retracted", "committed"}
            assert sum(note["event"] == "probe" for note in said) == 2

    virtually(main)


def test_a_trace_option_that_is_no_truth_value_is_refused() -> None:
    async def main() -> None:
        async with serving() as served:
            reply = await served.post({"model": "auto", "messages": QUESTION, "streamroute": {"trace": "yes"}})
            assert (reply.status, reply.error["param"]) == (400, "streamroute.trace")

    virtually(main)


def test_every_judged_tier_begins_a_trace_of_its_own() -> None:
    """Three tiers: the second one is judged after the first was left for it."""

    async def main() -> None:
        tiers = [
            Tier(upstream=disagreeing(), probes=ProbePlan(count=3)),
            Tier(upstream=ScriptedUpstream(WRONG, [WRONG], name="middle"), probes=ProbePlan(count=2)),
            Tier(upstream=larger()),
        ]
        trace = LiveTrace([tier.label for tier in tiers])
        router = Router(tiers, scorer=ScriptedScorer(), policy=Threshold(0.25))
        async with router, router.stream(QUESTION, observer=trace.observe) as stream:
            trace.stream = stream
            said = [event.fields async for event in stream if isinstance(event, Noted)]
        begun = [(note["tier"], note["probes"], note["threshold"]) for note in said if note["event"] == "started"]
        assert begun == [("cheap", 3, 0.25), ("middle", 2, 0.25)]
        verdicts = [(v["tier"], v["decision"], v["to"]) for v in said if v["event"] == "verdict"]
        assert verdicts == [("cheap", "escalate", "middle"), ("middle", "accept", None)]
        numbers = [note["number"] for note in said if note["event"] == "probe"]
        assert numbers[-2:] == [0, 1]

    run_virtual(main)


def test_what_was_under_way_when_the_verdict_fell_is_not_told() -> None:
    late: list[Event] = [
        ProbeFinished(Leg(0, 2), Sample("late")),
        LegFailed(Leg(0, 2), UpstreamError("late", upstream="cheap")),
        EvidenceReceived(0, Evidence(samples=3, expected=3, score=0.0)),
    ]

    async def main() -> None:
        trace = LiveTrace(["cheap", "large"])

        def observe(now: float, event: Event, actions: tuple[Action, ...]) -> None:
            trace.observe(now, event, actions)
            if stream.route.timings.decided is not None:
                for each in late:
                    trace.observe(now, each, ())

        tiers = [Tier(upstream=disagreeing(), probes=ProbePlan(count=3)), Tier(upstream=larger())]
        router = Router(tiers, scorer=ScriptedScorer())
        async with router, router.stream(QUESTION, observer=observe) as stream:
            trace.stream = stream
            said = [event.fields["event"] async for event in stream if isinstance(event, Noted)]
        assert said[-1] == "verdict"
        assert said.count("verdict") == 1

    run_virtual(main)

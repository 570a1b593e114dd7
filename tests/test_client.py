"""What a program shows that folds the gateway's streams: the route's own answer, whatever happened to it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamroute.client import AnswerView, Seam, Superseded, render
from streamroute.gateway.exchange import Exchange
from streamroute.routing.stream import Route
from streamroute.testing import Script, ScriptedUpstream
from tests.gateway.served import QUESTION, RIGHT, WRONG, disagreeing, larger, serving, virtually


def said(text: str, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None, **choice}]}


def told(event: str, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}}], "streamroute": {"event": event, **fields}}


END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
COMMITTED = told("committed", tier="large", decision="escalate", reason="uncertain")


def test_a_kept_answer_is_shown_committed_and_finished() -> None:
    view, states = AnswerView(), list[str]()
    for chunk in (said(""), said("It is "), told("committed", tier="cheap", decision="accept"), said("so."), END):
        view.take(chunk)
        states.append(view.state)
    assert states == ["waiting", "shown", "committed", "committed", "finished"]
    assert (view.text, view.tier, view.decision, view.finish_reason) == ("It is so.", "cheap", "accept", "stop")


def test_a_retracted_answer_is_kept_apart_from_the_one_that_stands() -> None:
    view = render([said("Syd"), said("ney"), told("retracted", tier="cheap", reason="uncertain")])
    assert (view.text, view.state, view.tier) == ("", "retracted", None)
    assert view.take(COMMITTED) == ""
    assert [view.take(chunk) for chunk in (said("Can"), said("berra"), END)] == ["Can", "berra", ""]
    assert (view.text, view.state, view.reason) == ("Canberra", "finished", "uncertain")
    assert view.superseded == [Superseded("Sydney", "cheap", "uncertain", "retracted")]


def test_the_marker_between_two_answers_belongs_to_neither() -> None:
    note = told("appended", tier="cheap", to="large", reason="uncertain", marker="\n---\n")
    view = render([said("Sydney"), said("\n---\n"), note, COMMITTED, said("Canberra")])
    assert (view.text, view.tier) == ("Canberra", "large")
    assert view.superseded == [Superseded("Sydney", "cheap", "uncertain", "appended")]


def test_a_continued_answer_has_a_seam() -> None:
    view = render([said("It is"), told("continued", tier="cheap", to="large", at=5, reason="uncertain"), said(" so.")])
    assert (view.text, view.seams, view.superseded) == ("It is so.", [Seam(5, "cheap", "large")], [])


def test_the_chunks_may_be_objects() -> None:
    def objects(thing: Any) -> Any:
        if isinstance(thing, dict):
            fields = {name: value if name == "streamroute" else objects(value) for name, value in thing.items()}
            return SimpleNamespace(**fields)
        return [objects(each) for each in thing] if isinstance(thing, list) else thing

    chunks = [said("Syd"), told("retracted", tier="cheap", reason="r"), COMMITTED, said("Canberra"), END]
    assert render(objects(chunks)) == render(chunks)


def test_other_choices_other_notes_and_other_chunks_are_passed_over() -> None:
    other = said("other", index=1)
    chunks = [{}, {"choices": None}, other, told("news"), {"choices": [], "streamroute": "?"}, said("mine")]
    assert render(chunks).text == "mine"
    second = AnswerView(choice=1)
    assert second.take(other) == "other"


def test_an_error_frame_fails_what_was_shown() -> None:
    view = render([said("It is"), {"error": {"message": "broke off"}}])
    assert (view.state, view.text, view.error) == ("failed", "It is", {"message": "broke off"})


def test_the_route_comes_with_the_usage() -> None:
    view = render([said("yes"), END, {"choices": [], "usage": {}, "streamroute": {"legs": [], "tier": "cheap"}}])
    assert view.route == {"legs": [], "tier": "cheap"}
    assert view.state == "finished"


# -- over the gateway -------------------------------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from("ab é𝄞.\n-[]"), min_size=1, max_size=12).filter(str.strip)
SCRIPTS = st.builds(
    lambda texts, gaps, fails: Script(
        list(zip(gaps, texts, strict=False)), error=None if not fails else Script.failing(name="x").error
    ),
    st.lists(TEXTS, min_size=1, max_size=6),
    st.lists(st.sampled_from([0.0, 0.05, 0.3]), min_size=6, max_size=6),
    st.sampled_from([False, False, False, True]),
)


@settings(max_examples=60)
@given(
    release=st.sampled_from(["hold", "retract", "append", "continue", "auto"]),
    small=SCRIPTS,
    probes=st.lists(SCRIPTS, min_size=1, max_size=3),
    large=SCRIPTS,
)
def test_what_is_folded_is_the_answer_of_the_route(
    release: str, small: Script, probes: list[Script], large: Script
) -> None:
    routes: list[Route] = []
    settle = Exchange.settle

    def recording(exchange: Exchange, route: Route, **how: Any) -> None:
        routes.append(route)
        settle(exchange, route, **how)

    async def main() -> None:
        cheap = ScriptedUpstream(small, probes, name="cheap", model="small-1")
        async with serving(cheap, larger(large)) as served:
            asked = {"model": "auto", "messages": QUESTION, "stream": True, "streamroute": {"release": release}}
            with patch.object(Exchange, "settle", recording):
                reply = await served.post(asked)
            if reply.status != 200:
                assert reply.status == 502
                return
            view = render(event for event in reply.events if event != "[DONE]")
            assert view.text == routes[0].answer
            assert view.state == ("finished" if b"[DONE]" in reply.body else "failed")
            assert bool(view.superseded) == (b'"retracted"' in reply.body or b'"appended"' in reply.body)
            if view.state == "finished":
                assert view.tier == routes[0].tier_name
            assert all(seam.at <= len(view.text) for seam in view.seams)

    virtually(main)


@pytest.mark.parametrize("release", ["retract", "append"])
def test_a_stock_client_object_is_folded_as_its_bytes_are(release: str) -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            options = {"streamroute": {"release": release}}
            stream = await served.client.chat.completions.create(
                model="auto",
                messages=[{"role": "user", "content": "Capital?"}],
                stream=True,
                extra_body=options,
                stream_options={"include_usage": True},
            )
            chunks = [chunk async for chunk in stream]
            view = render(chunks)
            assert view == render(json.loads(chunk.model_dump_json(exclude_unset=True)) for chunk in chunks)
            assert (view.text, view.superseded[0].text) == (RIGHT, WRONG)
            assert view.route is not None
            assert view.route["tier"] == "large"

    virtually(main)

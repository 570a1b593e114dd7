"""Chat completions as the unmodified OpenAI client sees them, and as bytes."""

from __future__ import annotations

from typing import Any

import pytest

from streamroute.config.settings import RouteSettings
from streamroute.core.types import Delta, Release, Usage
from streamroute.testing import Script, ScriptedUpstream
from tests.gateway.served import (
    QUESTION,
    RIGHT,
    WRONG,
    Served,
    agreeing,
    disagreeing,
    larger,
    serving,
    virtually,
)


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": QUESTION, **fields}


async def streamed(served: Served, **fields: Any) -> tuple[str, list[Any]]:
    """Text and chunks as the OpenAI client gives them."""
    stream = await served.client.chat.completions.create(**body(stream=True, **fields))
    chunks = [chunk async for chunk in stream]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), chunks


def notes(events: list[Any]) -> list[dict[str, Any]]:
    return [e["streamroute"] for e in events if "event" in e.get("streamroute", {})]


def test_a_kept_answer_is_streamed_as_the_cheap_tier_gave_it() -> None:
    async def main() -> None:
        async with serving() as served:
            text, chunks = await streamed(served)
            assert text == RIGHT
            assert chunks[0].choices[0].delta.role == "assistant"
            assert [c.choices[0].finish_reason for c in chunks][-1] == "stop"
            assert {chunk.model for chunk in chunks} == {"auto"}
            assert len({chunk.id for chunk in chunks}) == 1
            assert not served.large.calls

    virtually(main)


def test_under_hold_an_escalated_answer_shows_nothing_of_the_cheap_one() -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            text, _ = await streamed(served)
            assert text == RIGHT
            assert len(served.large.calls) == 1

    virtually(main)


def test_whoever_declares_retract_sees_the_cheap_answer_its_retraction_and_the_large_one() -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            text, chunks = await streamed(served, extra_body={"streamroute": {"release": "retract"}})
            assert text == WRONG + RIGHT
            events = [chunk.model_dump() for chunk in chunks]
            assert [note["event"] for note in notes(events)] == ["retracted", "committed"]
            at = next(i for i, e in enumerate(events) if "streamroute" in e)
            before = "".join(e["choices"][0]["delta"]["content"] or "" for e in events[:at])
            assert before == WRONG

    virtually(main)


def test_append_puts_a_visible_marker_between_the_answers() -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            text, _ = await streamed(served, extra_body={"streamroute": {"release": "append"}})
            first, marker, second = text.partition("\n\n---\n[superseded by large]\n\n")
            assert (first, second) == (WRONG, RIGHT)
            assert marker

    virtually(main)


def test_continue_keeps_what_was_shown_and_says_where_the_seam_is() -> None:
    async def main() -> None:
        small = disagreeing()
        small.answer = Script.of(f"{WRONG} " * 40)
        async with serving(small, larger(Script.of("No."))) as served:
            reply = await served.post(body(stream=True, streamroute={"release": "continue"}))
            chunks = reply.events[:-1]
            assert [note["event"] for note in notes(chunks)] == ["continued", "committed"]
            at = next(i for i, chunk in enumerate(chunks) if "streamroute" in chunk)
            shown = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks[:at])
            note = chunks[at]["streamroute"]
            assert (note["tier"], note["to"], note["at"]) == ("cheap", "large", len(shown))
            assert shown.startswith(WRONG)
            assert served.large.calls[0].request.messages[-1] == {"role": "assistant", "content": shown}

    virtually(main)


@pytest.mark.parametrize("mode", ["retract", "append"])
def test_auto_escalates_as_the_client_declared(mode: str) -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            in_body = await served.post(body(stream=True, streamroute={"release": "auto", "on_escalation": mode}))
            by_header = await served.post(
                body(stream=True), x_streamroute_release="auto", x_streamroute_on_escalation=mode
            )
            said = [[note["event"] for note in notes(reply.events[:-1])] for reply in (in_body, by_header)]
            assert said == [[f"{mode}ed", "committed"]] * 2

    virtually(main)


@pytest.mark.parametrize(
    ("fields", "headers", "param"),
    [
        ({"streamroute": {"on_escalation": "retract"}}, {}, "streamroute.on_escalation"),
        ({"streamroute": {"release": "auto", "on_escalation": "hold"}}, {}, "streamroute.on_escalation"),
        ({}, {"x_streamroute_on_escalation": "append"}, "x-streamroute-on-escalation"),
        ({"streamroute": {"release": "auto"}}, {"x_streamroute_on_escalation": "auto"}, "x-streamroute-on-escalation"),
    ],
)
def test_a_declaration_that_means_nothing_is_refused(
    fields: dict[str, Any], headers: dict[str, str], param: str
) -> None:
    async def main() -> None:
        async with serving() as served:
            reply = await served.post(body(stream=True, **fields), **headers)
            assert (reply.status, reply.error["param"]) == (400, param)

    virtually(main)


def test_the_header_declares_a_release_mode_too_and_the_body_wins() -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            by_header = await served.post(body(stream=True), x_streamroute_release="retract")
            assert [n["event"] for n in notes(by_header.events[:-1])] == ["retracted", "committed"]
            both = await served.post(
                body(stream=True, streamroute={"release": "hold"}), x_streamroute_release="retract"
            )
            assert [n["event"] for n in notes(both.events[:-1])] == ["committed"]

    virtually(main)


def test_the_operator_chooses_the_release_mode_of_clients_that_declare_none() -> None:
    async def main() -> None:
        route = RouteSettings(name="auto", tiers=("cheap", "large"), release=Release.RETRACT)
        async with serving(disagreeing(), route=route) as served:
            text, _ = await streamed(served)
            assert text == WRONG + RIGHT

    virtually(main)


@pytest.mark.parametrize("release", ["hold", "retract", "append", "continue", "auto"])
def test_every_event_is_a_chunk_and_our_field_stands_only_where_nothing_is_said(release: str) -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            wanted = body(stream=True, stream_options={"include_usage": True}, streamroute={"release": release})
            reply = await served.post(wanted)
            *chunks, done = reply.events
            assert done == "[DONE]"
            for chunk in chunks:
                assert chunk["object"] == "chat.completion.chunk"
                assert {"id", "created", "model", "choices"} <= chunk.keys()
                if "streamroute" in chunk:
                    assert all(choice["delta"] == {} for choice in chunk["choices"])
            assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}

    virtually(main)


def test_usage_is_the_shown_answers_and_the_ledger_has_every_leg() -> None:
    async def main() -> None:
        large = larger(Script([(0.1, RIGHT)], usage=Usage(7, 11)))
        async with serving(disagreeing(), large) as served:
            _, chunks = await streamed(served, stream_options={"include_usage": True})
            last = chunks[-1]
            assert last.choices == []
            assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (7, 11, 18)
            ledger = last.model_dump()["streamroute"]
            assert (ledger["tier"], ledger["decision"]) == ("large", "escalate")
            legs = [(leg["tier_name"], leg["leg"]) for leg in ledger["legs"]]
            assert legs == [("cheap", "answer")] + 3 * [("cheap", "probe")] + [("large", "answer")]

    virtually(main)


def test_without_include_usage_no_chunk_is_without_choices() -> None:
    async def main() -> None:
        async with serving() as served:
            _, chunks = await streamed(served)
            assert all(chunk.choices for chunk in chunks)
            assert all(chunk.usage is None for chunk in chunks)

    virtually(main)


def test_headers_tell_tier_reason_and_request() -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            held = await served.post(body(stream=True), x_request_id="mine-1")
            assert held.headers["x-streamroute-tier"] == "large"
            assert held.headers["x-streamroute-reason"] == "samples_disagree"
            assert held.headers["x-request-id"] == "mine-1"
            assert held.headers["Content-Type"].startswith("text/event-stream")
            shown = await served.post(body(stream=True, streamroute={"release": "retract"}), x_request_id="a b\tc")
            assert shown.headers["x-streamroute-tier"] == "cheap"
            assert shown.headers["x-streamroute-reason"] == "undecided"
            assert shown.headers["x-request-id"].startswith("req_")

    virtually(main)


def test_an_unstreamed_reply_carries_the_answer_its_usage_and_the_route() -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            completion = await served.client.chat.completions.create(**body())
            assert completion.choices[0].message.content == RIGHT
            assert completion.choices[0].finish_reason == "stop"
            assert completion.usage is not None
            assert completion.usage.completion_tokens == len(RIGHT.split())
            route = completion.model_dump()["streamroute"]
            assert (route["route"], route["tier"], route["reason"]) == ("auto", "large", "samples_disagree")
            assert route["evidence"]["clusters"] == [1, 1, 1, 1]

    virtually(main)


def test_the_reason_why_an_answer_ended_is_the_models() -> None:
    async def main() -> None:
        cheap = ScriptedUpstream(Script([(0.1, RIGHT)], finish_reason="length"), [RIGHT], name="cheap")
        async with serving(cheap) as served:
            _, chunks = await streamed(served)
            assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"
            completion = await served.client.chat.completions.create(**body())
            assert completion.choices[0].finish_reason == "length"

    virtually(main)


def test_a_tier_asked_for_by_its_name_answers_unjudged() -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            reply = await served.post(body(model="cheap"))
            assert reply.json["choices"][0]["message"]["content"] == WRONG
            assert reply.headers["x-streamroute-unjudged"] == "tier_asked"
            assert len(served.cheap.calls) == 1
            reply = await served.post(body(model="large", stream=True))
            assert reply.headers["x-streamroute-tier"] == "large"

    virtually(main)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"functions": [{"name": "f"}]}, "tools"),
        ({"n": 2}, "n"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"modalities": ["text", "audio"]}, "media"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]}, "media"),
        (
            {
                "messages": [
                    *QUESTION,
                    {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f"}}]},
                    {"role": "tool", "tool_call_id": "1", "content": "4"},
                ]
            },
            "tool_messages",
        ),
        ({"streamroute": {"judge": False, "tier": "large"}}, "asked"),
    ],
)
def test_what_cannot_be_judged_goes_to_the_tier_that_the_route_names_and_says_so(
    fields: dict[str, Any], why: str
) -> None:
    async def main() -> None:
        async with serving(disagreeing(), larger(supports_n=True)) as served:
            reply = await served.post(body(**fields))
            assert reply.status == 200, reply.body
            assert reply.headers["x-streamroute-unjudged"] == why
            assert reply.headers["x-streamroute-tier"] == "large"
            assert not served.cheap.calls

    virtually(main)


def test_a_text_response_format_and_no_tools_are_judged() -> None:
    async def main() -> None:
        async with serving() as served:
            reply = await served.post(body(response_format={"type": "text"}, tools=[], n=1))
            assert "x-streamroute-unjudged" not in reply.headers
            assert reply.headers["x-streamroute-reason"].endswith("agree")

    virtually(main)


def test_several_choices_come_back_as_such_streamed_and_not() -> None:
    async def main() -> None:
        async with serving(large=larger(supports_n=True)) as served:
            completion = await served.client.chat.completions.create(**body(n=2))
            assert [choice.message.content for choice in completion.choices] == [RIGHT, RIGHT]
            reply = await served.post(body(n=2, stream=True))
            for index in range(2):
                choices = [c for e in reply.events[:-1] for c in e["choices"] if c["index"] == index]
                assert "".join(c["delta"].get("content", "") for c in choices) == RIGHT
                assert [c["finish_reason"] for c in choices if c["finish_reason"]] == ["stop"]

    virtually(main)


class ToolCaller(ScriptedUpstream):
    """Says what a tool-calling model says: fragments of a call, a refusal, log-probabilities."""

    deltas = (
        Delta(tool_calls=b'[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]'),
        Delta(tool_calls=b'[{"index":0,"function":{"arguments":"{\\"x\\":1}"}}]'),
        Delta(finish_reason="tool_calls", usage=Usage(1, 2)),
    )

    async def _play(self, call: Any, scripts: Any) -> Any:
        for delta in self.deltas:
            yield delta


def test_tool_calls_pass_through_streamed_and_whole() -> None:
    async def main() -> None:
        tools = [{"type": "function", "function": {"name": "f"}}]
        async with serving(large=ToolCaller(name="large")) as served:
            completion = await served.client.chat.completions.create(**body(tools=tools))
            calls = completion.choices[0].message.tool_calls
            assert calls is not None
            assert [call.model_dump()["function"] for call in calls] == [{"name": "f", "arguments": '{"x":1}'}]
            assert completion.choices[0].message.content is None
            assert completion.choices[0].finish_reason == "tool_calls"
            reply = await served.post(body(tools=tools, stream=True))
            deltas = [choice["delta"] for event in reply.events[:-1] for choice in event["choices"]]
            fragments = [call for delta in deltas for call in delta.get("tool_calls", [])]
            assert [fragment["index"] for fragment in fragments] == [0, 0]
            assert "".join(fragment["function"]["arguments"] for fragment in fragments) == '{"x":1}'

    virtually(main)


def test_what_the_client_asks_of_the_model_reaches_it_and_what_it_asks_of_us_does_not() -> None:
    async def main() -> None:
        async with serving() as served:
            await served.post(body(temperature=0.3, user="u", stream=True, streamroute={"release": "retract"}))
            request = served.cheap.calls[0].request
            assert request.params == {"temperature": 0.3, "user": "u"}
            assert list(request.messages) == QUESTION

    virtually(main)


def test_events_that_are_ready_together_leave_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    from aiohttp import web

    async def main() -> None:
        writes: list[bytes] = []
        write = web.StreamResponse.write

        async def recorded(self: web.StreamResponse, data: bytes) -> None:
            writes.append(bytes(data))
            await write(self, data)

        monkeypatch.setattr(web.StreamResponse, "write", recorded)
        async with serving(agreeing()) as served:  # under hold the whole answer is there when the verdict comes
            await served.post(body(stream=True))
        assert b"".join(writes).count(b"data: ") > len(writes)
        assert len(writes) <= 2

    virtually(main)


def test_every_option_may_come_by_header_and_the_body_wins() -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            judged = await served.post(body())
            unjudged = await served.post(body(), x_streamroute_judge=" False ")
            wins = await served.post(body(streamroute={"judge": True}), x_streamroute_judge="false")
            large = await served.post(body(), x_streamroute_tier="large", x_streamroute_judge="false")
            said = [reply.json["streamroute"] for reply in (judged, unjudged, wins, large)]
            assert [(each["tier"], each["unjudged"]) for each in said] == [
                ("large", None),
                ("cheap", "asked"),
                ("large", None),
                ("large", "asked"),
            ]

    virtually(main)


@pytest.mark.parametrize(
    ("header", "value", "named"),
    [
        ("x-streamroute-judge", "maybe", "expected one of true, false, found 'maybe'"),
        ("x-streamroute-judge", "", "expected one of true, false"),
        ("x-streamroute-tier", "huge", "there is cheap, large"),
        ("x-streamroute-tier", " ", "expected a name"),
        ("x-streamroute-release", "null", "expected one of hold, retract, append, continue, auto"),
    ],
)
def test_a_header_that_says_nothing_known_is_named(header: str, value: str, named: str) -> None:
    async def main() -> None:
        async with serving() as served:
            for asked in (body(), body(streamroute={"judge": True, "release": "hold"})):
                reply = await served.post(asked, **{header.replace("-", "_"): value})
                assert (reply.status, reply.error["param"], reply.error["code"]) == (400, header, "invalid_value")
                assert named in reply.error["message"]
                assert not served.cheap.calls

    virtually(main)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"functions": [{"name": "f"}]}, "tools"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "x", "format": "mp3"}}, "media"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_what_cannot_be_judged_says_so_in_headers_and_body(fields: dict[str, Any], why: str, stream: bool) -> None:
    async def main() -> None:
        async with serving() as served:
            reply = await served.post(body(stream=stream, stream_options={"include_usage": True}, **fields))
            assert reply.headers["x-streamroute-unjudged"] == why
            last = reply.events[-2] if stream else reply.json
            assert (last["streamroute"]["unjudged"], last["streamroute"]["tier"]) == (why, "large")
            assert not served.cheap.calls

    virtually(main)


def test_every_parameter_of_the_sdk_reaches_the_model_as_it_was_sent() -> None:
    untouched: dict[str, Any] = {
        "max_completion_tokens": 20,
        "stop": ["\n"],
        "seed": 7,
        "logprobs": True,
        "top_logprobs": 3,
        "parallel_tool_calls": False,
        "metadata": {"a": "b"},
        "store": False,
        "prediction": {"type": "content", "content": "x"},
        "service_tier": "flex",
        "reasoning_effort": "low",
        "verbosity": "low",
        "modalities": ["text"],
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "safety_identifier": "s",
        "web_search_options": {},
        "logit_bias": {"1": -100},
        "user": "u",
        "temperature": 0.5,
        "unknown_to_all": [{"x": 2**70}],
    }

    async def main() -> None:
        async with serving() as served:
            await served.post(body(**untouched))
            answer = next(call for call in served.cheap.calls if not call.request.probe)
            assert dict(answer.request.params) == untouched

    virtually(main)

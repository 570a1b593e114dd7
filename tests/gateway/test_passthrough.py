"""What nothing is to be decided of goes through as it came."""

from __future__ import annotations

import asyncio
import json

import pytest

from streamroute.errors import LedgerError
from tests.gateway.books import Books
from tests.gateway.passing import ASK, DONE, OWN, TOLD, WHOLE, opened, post, raw, stage, whole
from tests.gateway.served import virtually
from tests.gateway.two_tiers import CONFIG
from tests.support.upstream_server import HANG, Reply

UNPROBED = CONFIG.replace("count = 3", "count = 0")


def test_a_route_that_judges_nothing_passes_bytes_through() -> None:
    async def main() -> None:
        async with stage(raw(*OWN, DONE, end="eof"), config=UNPROBED) as (made, _, http):
            got = await post(made, http, {**ASK, "model": "auto"})
            assert opened(got.body) == b"".join(OWN) + DONE
            assert got.headers["x-streamroute-unjudged"] == "not_probed"

    virtually(main)


def test_an_answer_that_another_tier_may_have_to_go_on_with_is_not_passed_through() -> None:
    config = UNPROBED.replace('"large-1"', '"large-1"\nprefill = true') + 'on_break = "continue"\n'

    async def main() -> None:
        broken = Reply([(0, "It is")], end="abort")
        async with stage(broken, Reply.of(" Bern."), config=config) as (made, _, http):
            got = await post(made, http, {**ASK, "model": "auto"})
            chunks = [event for event in got.events if event != "[DONE]"]
            text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
            assert (text, got.events[-1]) == ("It is Bern.", "[DONE]")

    virtually(main)


# -- streams ----------------------------------------------------------------------------------------------------------


def test_a_stream_comes_as_the_upstream_said_it() -> None:
    async def main() -> None:
        async with stage(raw(*OWN, TOLD, DONE, end="eof")) as (made, books, http):
            got = await post(made, http)
            assert got.status == 200
            assert opened(got.body) == b"".join(OWN) + DONE
            assert got.headers["Content-Type"] == "text/event-stream"
            assert got.headers["x-streamroute-tier"] == "cheap"
            assert got.headers["x-streamroute-unjudged"] == "tier_asked"
            assert books.legs == [("cheap", "finished", 7, 2, True)]
            outcome = books.outcome
            assert (outcome.status, outcome.unjudged, outcome.reply_id) == (200, "tier_asked", "chatcmpl-1")
            assert outcome.route.finish_reason == "stop"
            verdict = outcome.route.verdict
            assert verdict is not None
            assert (verdict.decision, verdict.reason) == ("accept", "unjudged")

    virtually(main)


def test_the_first_content_leaves_when_it_comes_and_the_rest_when_it_comes() -> None:
    async def main() -> None:
        steps = [(2.0, OWN[3]), (3.0, OWN[3]), (1.0, OWN[4])]
        async with stage(Reply(steps, end="eof")) as (made, books, http):
            loop = asyncio.get_running_loop()
            began = loop.time()
            async with http.post(f"{made.url}/v1/chat/completions", json=ASK) as response:
                times = [round(loop.time() - began, 1) async for _ in response.content.iter_any()]
            assert times == [2.0, 5.0, 6.0]
            timings = books.outcome.route.timings
            assert timings.first_shown == timings.first_kept == pytest.approx(2.0, abs=0.1)
            assert timings.finished == pytest.approx(6.0, abs=0.1)

    virtually(main)


def test_usage_that_was_asked_for_comes_with_the_route() -> None:
    async def main() -> None:
        async with stage(raw(*OWN, TOLD, DONE, end="eof")) as (made, _, http):
            got = await post(made, http, {**ASK, "stream_options": {"include_usage": True}})
            *before, last, done = got.body.split(b"\n\n")[:-1]
            assert done == DONE.strip()
            told = json.loads(last.removeprefix(b"data: "))
            assert told["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "extra": 1}
            assert told["streamroute"]["tier"] == "cheap"
            assert [leg["completion_tokens"] for leg in told["streamroute"]["legs"]] == [2]
            assert TOLD.strip() not in before

    virtually(main)


def test_usage_that_the_upstream_does_not_tell_is_estimated() -> None:
    async def main() -> None:
        async with stage(raw(*OWN, DONE, end="eof")) as (made, books, http):
            got = await post(made, http, {**ASK, "stream_options": {"include_usage": True}})
            told = got.events[-2] if b"\r" not in got.body else json.loads(got.body.split(b"\n\n")[-3][6:])
            assert told["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
            assert told["id"] == "chatcmpl-1"
            assert books.legs == [("cheap", "finished", 3, 2, False)]

    virtually(main)


def test_the_client_is_not_told_that_it_is_over_before_the_ledger_has_it() -> None:
    async def main() -> None:
        async with stage(Reply.of("It is Canberra.")) as (made, books, http):
            books.writable.clear()
            async with http.post(f"{made.url}/v1/chat/completions", json=ASK) as response:
                said = await response.content.readuntil(b"Canberra.")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(60):
                        said += await response.content.read()
                assert b'"stop"' not in said
                assert books.outcome.status == 200
                books.writable.set()
                rest = await response.content.read()
            assert b'"stop"' in rest
            assert rest.endswith(DONE)

    virtually(main)


class Full(Books):
    """Opens accounts, but cannot settle them."""

    async def written(self) -> None:
        if self.outcomes:
            raise LedgerError("the ledger cannot be written: /var/ledger.db is full")


def test_a_stream_whose_end_cannot_be_written_does_not_end_as_if_it_were_whole() -> None:
    async def main() -> None:
        async with stage(raw(*OWN, DONE, end="eof"), books=Full()) as (made, _, http):
            got = await post(made, http)
            assert got.status == 200
            shown, _, frame = got.body.rpartition(b"data: ")
            assert opened(shown) == b"".join(OWN[:4])
            assert json.loads(frame)["error"]["code"] == "ledger_unavailable"
            assert b"/var" not in got.body
            assert made.log.lines[-1]["status"] == 503
        async with stage(whole(), books=Full()) as (made, _, http):
            got = await post(made, http, {**ASK, "stream": False})
            assert (got.status, got.error["code"]) == (503, "ledger_unavailable")

    virtually(main)


def test_silence_before_and_in_the_answer_is_filled() -> None:
    async def main() -> None:
        word, stop = OWN[3:]
        steps: list[tuple[float, str | bytes]] = [(25, word), (9, word), (11, word), (1, stop), (0, DONE)]
        async with stage(Reply(steps, end="eof"), keep_alive=10.0) as (made, books, http):
            got = await post(made, http)
            sign = b": keep-alive\n\n"
            _, said, rest = got.body.partition(word)
            assert said + rest == word + word + sign + word + stop + DONE
            assert got.body.startswith(sign + sign)
            assert got.body.count(sign) == 3
            assert "x-streamroute-tier" not in got.headers  # it was not known yet
            assert got.headers["x-streamroute-unjudged"] == "tier_asked"
            assert books.outcome.route.timings.first_shown == pytest.approx(25.0, abs=0.1)

    virtually(main)


class Slow(Books):
    """Takes three seconds for all that it is asked to keep."""

    async def written(self) -> None:
        await asyncio.sleep(3)


def test_content_that_comes_while_the_reply_is_being_opened_waits_for_that() -> None:
    """Or two replies would be begun on one connection."""

    async def main() -> None:
        word, stop = OWN[3:]
        steps: list[tuple[float, str | bytes]] = [(11, word), (0, stop), (0, DONE)]
        async with stage(Reply(steps, end="eof"), keep_alive=10.0, books=Slow()) as (made, _, http):
            got = await post(made, http)
            assert got.status == 200
            _, sign, said = got.body.partition(b": keep-alive\n\n")
            assert sign
            assert said.endswith(word + stop + DONE)
            assert b"HTTP/1.1" not in got.body

    virtually(main)


def test_a_whole_reply_to_a_streamed_request_becomes_a_stream() -> None:
    async def main() -> None:
        message = {"role": "assistant", "content": "Canberra"}
        document = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        whole = Reply(body=json.dumps(document).encode(), content_type="application/json")
        async with stage(whole) as (made, _, http):
            events = (await post(made, http)).events
            assert events[-1] == "[DONE]"
            said = [event["choices"][0]["delta"].get("content") for event in events[:-1]]
            assert said == ["", "Canberra"]
            assert events[-2]["choices"][0]["finish_reason"] == "stop"

    virtually(main)


# -- requests ---------------------------------------------------------------------------------------------------------

DEFAULTS = CONFIG.replace(
    'model = "small-1"', 'model = "small-1"\nparams = {{ top_k = 5, seed = 1 }}\nsystem = "Be brief."'
)


def test_the_request_is_the_clients_but_for_what_the_tier_adds() -> None:
    async def main() -> None:
        async with stage(Reply.of("Yes."), config=DEFAULTS) as (made, _, http):
            odd = {"seed": 2, "odd": {"x": [None, 1.5]}, "streamroute": {"release": "hold"}, "metadata": None}
            await post(made, http, {**ASK, **odd, "stream_options": {"other": 1}})
            assert made.cheap.seen[0].body == {
                "model": "small-1",
                "messages": [{"role": "system", "content": "Be brief."}, *ASK["messages"]],
                "stream": True,
                "stream_options": {"other": 1, "include_usage": True},
                "top_k": 5,
                "seed": 2,
                "odd": {"x": [None, 1.5]},
                "metadata": None,
            }

    virtually(main)


def test_an_upstream_that_refuses_stream_options_is_not_given_any() -> None:
    async def main() -> None:
        config = CONFIG.replace('model = "small-1"', 'model = "small-1"\ninclude_usage = false')
        async with stage(Reply.of("Yes."), config=config) as (made, _, http):
            await post(made, http, {**ASK, "stream_options": {"include_usage": True}})
            assert "stream_options" not in made.cheap.seen[0].body

    virtually(main)


def test_what_is_to_be_judged_is_not_passed_through() -> None:
    async def main() -> None:
        async with stage(Reply.of("Yes.")) as (made, _, http):
            got = await post(made, http, {**ASK, "model": "auto"})
            assert got.events[0]["model"] == "auto"
            got = await post(made, http, {**ASK, "model": "auto", "streamroute": {"judge": False}})
            assert got.events[0]["model"] == "small-1"

    virtually(main)


# -- whole replies ----------------------------------------------------------------------------------------------------


def test_a_whole_reply_comes_as_the_upstream_said_it_with_the_route() -> None:
    async def main() -> None:
        async with stage(whole(before_headers=100.0)) as (made, books, http):  # longer than a first token may take
            got = await post(made, http, {**ASK, "stream": False})
            assert {name: value for name, value in got.json.items() if name != "streamroute"} == WHOLE
            assert got.json["streamroute"]["legs"][0]["completion_tokens"] == 3
            assert got.headers["x-streamroute-tier"] == "cheap"
            assert made.cheap.seen[0].body["stream"] is False
            assert "stream_options" not in made.cheap.seen[0].body
            assert books.legs == [("cheap", "finished", 4, 3, True)]
            assert books.outcome.reply_id == "own-2"

    virtually(main)


# -- failures ---------------------------------------------------------------------------------------------------------

FAILING = {
    "refused": Reply.error(500, "out of memory"),
    "overloaded": Reply.error(429, "later"),
    "key refused": Reply.error(401, "who are you?"),
    "not there": Reply.error(404, "no such model"),
    "cut off": Reply([], end="abort"),
    "ended": Reply([], end="eof"),
    "an error frame": raw(b'data: {"error": {"message": "no"}}\n\n', end="eof"),
    "done without a word": raw(DONE, end="eof"),
    "not JSON": raw(b"data: <html>\n\n", end="eof"),
    "only keep-alives": Reply([(20.0, b": still here\n\n")] * 10),
    "silent": Reply(before_headers=HANG),
}


@pytest.mark.parametrize("name", FAILING)
def test_what_fails_before_the_first_content_is_answered_by_the_next_tier(name: str) -> None:
    async def main() -> None:
        async with stage(FAILING[name], raw(*OWN, DONE, end="eof")) as (made, books, http):
            got = await post(made, http)
            assert (got.status, opened(got.body)) == (200, b"".join(OWN) + DONE)
            assert got.headers["x-streamroute-tier"] == "large"
            assert got.headers["x-streamroute-reason"] == "answer_failed"
            assert [(leg.tier_name, str(leg.state)) for leg in books.outcome.route.legs] == [
                ("cheap", "failed"),
                ("large", "finished"),
            ]
            await made.quiet()

    virtually(main)


def test_several_answers_are_only_asked_of_tiers_that_give_them() -> None:
    async def main() -> None:
        config = CONFIG.replace('model = "small-1"', 'model = "small-1"\nsupports_n = true')
        async with stage(Reply.error(500, "no"), config=config) as (made, _, http):
            got = await post(made, http, {**ASK, "n": 2})
            assert got.status == 502
            assert made.cheap.seen[0].body["n"] == 2
            assert not made.large.seen

    virtually(main)


@pytest.mark.parametrize("stream", [True, False])
def test_when_every_tier_fails_the_error_names_each(stream: bool) -> None:
    async def main() -> None:
        async with stage(Reply.error(500, "one"), Reply.error(503, "two")) as (made, books, http):
            got = await post(made, http, {**ASK, "stream": stream})
            assert (got.status, got.error["code"]) == (502, "every_leg_failed")
            assert [leg["leg"] for leg in got.json["streamroute"]["legs"]] == ["cheap", "large"]
            assert books.outcome.status == 502
            assert [str(leg.state) for leg in books.outcome.route.legs] == ["failed", "failed"]

    virtually(main)


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("stream", [True, False])
def test_what_is_wrong_with_the_request_the_upstream_says_itself(status: int, stream: bool) -> None:
    async def main() -> None:
        said = {"error": {"message": "no such field", "odd": 1}}
        async with stage(whole(said, status=status)) as (made, books, http):
            got = await post(made, http, {**ASK, "stream": stream})
            assert (got.status, got.json) == (status, said)
            assert got.headers["Content-Type"].startswith("application/json")
            assert got.headers["x-streamroute-route"] == "auto"
            assert got.headers["x-streamroute-unjudged"] == "tier_asked"
            assert not made.large.seen
            assert books.outcome.status == status
            assert [str(leg.state) for leg in books.outcome.route.legs] == ["failed"]

    virtually(main)


def test_the_upstreams_key_is_not_in_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEAP_KEY", "sk-secret")
    config = CONFIG.replace('model = "small-1"', 'model = "small-1"\napi_key_env = "CHEAP_KEY"')

    async def main() -> None:
        refusal = whole({"error": {"message": "key sk-secret may not"}}, status=400)
        broken = raw(OWN[3], b'data: {"error": {"message": "key sk-secret may not"}}\n\n', end="eof")
        for reply in (refusal, broken):
            async with stage(reply, config=config) as (made, _, http):
                got = await post(made, http)
                assert b"key *** may not" in got.body

    virtually(main)


BREAKING = {
    "cut off": raw(*OWN[:4], end="abort"),
    "ended": raw(*OWN[:4], end="eof"),
    "done without a finish reason": raw(*OWN[:4], DONE, end="eof"),
    "an error frame": raw(*OWN[:4], b'data: {"error": {"message": "no"}}\n\n', DONE, end="eof"),
    "not JSON": raw(*OWN[:4], b"data: <html>\n\n", end="eof"),
    "ended in an event": raw(*OWN[:4], OWN[4][:-1], end="eof"),
    "silent": Reply([*((0, block) for block in OWN[:4]), (HANG, "")]),
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_fails_after_the_first_content_ends_with_an_error_frame(name: str) -> None:
    async def main() -> None:
        async with stage(BREAKING[name]) as (made, books, http):
            got = await post(made, http)
            shown, _, frame = got.body.rpartition(b"data: ")
            assert opened(shown) == b"".join(OWN[:4])
            assert json.loads(frame)["error"]["code"] == "answer_broke_off"
            assert (books.outcome.status, books.legs) == (502, [("cheap", "failed", 3, 2, False)])
            assert not made.large.seen
            await made.quiet()

    virtually(main)


def test_usage_that_does_not_come_is_not_waited_for_long() -> None:
    async def main() -> None:
        steps: list[tuple[float, str | bytes]] = [*((0, block) for block in OWN), (HANG, "")]
        async with stage(Reply(steps)) as (made, books, http):
            began = asyncio.get_running_loop().time()
            got = await post(made, http)
            assert opened(got.body) == b"".join(OWN) + DONE
            assert asyncio.get_running_loop().time() - began == pytest.approx(2.0, abs=0.1)
            assert books.outcome.status == 200

    virtually(main)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("reply", [Reply(before_headers=HANG), Reply([(0, OWN[3]), (HANG, "")])])
def test_a_client_that_leaves_is_settled_with_what_it_was_shown(reply: Reply, stream: bool) -> None:
    async def main() -> None:
        async with stage(reply) as (made, books, _):
            client = await made.ask(**{**ASK, "stream": stream})
            await made.cheap.until(lambda: len(made.cheap.seen) == 1)
            shown = stream and reply.steps
            if shown:
                await client.until_said("Å")
            await client.leave(rudely=True)
            await made.quiet()
            assert books.outcome.status == 499
            (leg,) = books.outcome.route.legs
            assert (str(leg.state), leg.completion_tokens) == ("cancelled", int(bool(shown)))

    virtually(main)

"""What stands in the log: nothing that was asked, answered or presented as a key, unless that is wanted."""

from __future__ import annotations

import io
import json
from typing import Any

import aiohttp
import pytest

from streamroute.config.settings import KeySettings
from streamroute.errors import (
    RouteError,
    ScorerError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamStatusError,
    UpstreamTimeoutError,
)
from streamroute.gateway.access.auth import hash_of
from streamroute.gateway.errors import logged
from streamroute.gateway.log import json_logger
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream
from tests.gateway.ledgers import FakeLedger
from tests.gateway.served import Served, serving, virtually
from tests.gateway.two_tiers import ModelServer, staged
from tests.support.upstream_server import Reply

KEY, PROMPT, ANSWER, PROBE, LARGER = "sr-" + "5ecret" * 8, "prompt-text", "answer-text", "probe-text", "larger-text"
ASK: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": f"What is {PROMPT}?"}]}


def echoing(status: int) -> UpstreamStatusError:
    return UpstreamStatusError(f"HTTP {status}: cannot answer {PROMPT} for {KEY}", upstream="cheap", status=status)


class Bursting(ScriptedScorer):
    """A judge with a bug that tells what it judged."""

    def session(self, question: str, *, deadline: float | None = None) -> Any:
        raise ValueError(f"cannot judge {question}")


async def busy(served: Served) -> None:
    """Kept, escalated, streamed, shown and withdrawn, refused in all ways, and left."""
    bearing = {"Authorization": f"Bearer {KEY}"}
    for fields in (
        {},
        {"stream": True},
        {"stream": True, "streamroute": {"release": "retract"}},
        {"stream": True, "streamroute": {"release": "append"}},
        {"model": "large"},
        {"tools": [{"type": "function", "function": {"name": PROMPT}}]},
        {"temperature": PROMPT},
        {"streamroute": {"release": PROMPT}},
        {"messages": [{"role": PROMPT, "content": PROMPT}]},
    ):
        await served.post({**ASK, **fields}, **bearing)
    await served.post(json.dumps(ASK).encode()[:-1], **bearing)
    await served.post(ASK, Authorization=f"Bearer {KEY}x")
    await served.post({**ASK, "n": 3}, api_key=KEY)


FAILURES: dict[str, tuple[ScriptedUpstream, ScriptedUpstream]] = {
    "none": (
        ScriptedUpstream(ANSWER, [PROBE, PROBE + "2"], name="cheap"),
        ScriptedUpstream(LARGER, name="large"),
    ),
    "at once": (
        ScriptedUpstream(Script([], error=echoing(400)), [Script([], error=echoing(429))], name="cheap"),
        ScriptedUpstream(Script([], error=echoing(401)), name="large"),
    ),
    "in the answer": (
        ScriptedUpstream(Script([(0.1, ANSWER)], error=echoing(200)), [PROBE], name="cheap"),
        ScriptedUpstream(
            Script([(0.1, LARGER)], error=UpstreamProtocolError(f"not JSON: {LARGER}", upstream="large")), name="large"
        ),
    ),
}


@pytest.mark.parametrize("failing", FAILURES)
@pytest.mark.parametrize("scorer", [ScriptedScorer, Bursting])
def test_no_line_of_the_log_and_no_account_holds_a_text_or_a_key(failing: str, scorer: type[ScriptedScorer]) -> None:
    ledger, out = FakeLedger(), io.StringIO()

    async def main() -> None:
        cheap, large = FAILURES[failing]
        keys = [KeySettings(name="ann", hash=hash_of(KEY))]
        async with serving(cheap, large, keys=keys, scorer=scorer(), ledger=ledger) as served:
            await busy(served)
            for line in served.log.lines:
                json_logger(out).info(line.pop("event"), **line)

    virtually(main)
    lines = out.getvalue().splitlines()
    assert len([line for line in lines if '"request"' in line]) == 12
    errors = [outcome.error for account in ledger.accounts for outcome in account.outcomes]
    assert any(errors) == (failing != "none")
    for said in (*lines, *map(str, errors)):
        assert not [text for text in (KEY, PROMPT, ANSWER, PROBE, LARGER) if text in said], said


@pytest.mark.parametrize("model", ["auto", "cheap"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "reply",
    [
        Reply.error(400, f"cannot answer {PROMPT}"),
        Reply.error(500, f"cannot answer {PROMPT}"),
        Reply(body=PROMPT.encode(), content_type="text/html"),
        Reply([(0, f'data: {{"error": {{"message": "{PROMPT}"}}}}\n\n'.encode())], end="eof"),
        Reply([(0, ANSWER), (0, f"data: {PROMPT}\n\n".encode())], end="eof"),
    ],
)
def test_nor_where_real_servers_say_it_and_bytes_are_passed_on(reply: Reply, stream: bool, model: str) -> None:
    async def main() -> None:
        async with staged(ModelServer(reply), ModelServer(reply)) as stage, aiohttp.ClientSession() as http:
            body = {**ASK, "model": model, "stream": stream}
            async with http.post(f"{stage.url}/v1/chat/completions", json=body) as answer:
                await answer.read()
            (line,) = stage.log.lines
            assert line["event"] == "request"
            assert not [text for text in (PROMPT, ANSWER) if text in str(line)], line

    virtually(main)


def test_the_client_is_still_told_what_the_upstream_said() -> None:
    async def main() -> None:
        cheap, large = FAILURES["at once"]
        async with serving(cheap, large) as served:
            reply = await served.post(ASK)
            assert f"cannot answer {PROMPT}" in reply.error["message"]
            assert served.log.lines[-1]["error"].startswith("every leg failed (cheap: status 400; ")

    virtually(main)


def test_with_log_texts_prompt_answer_and_what_upstreams_say_stand_in_the_log() -> None:
    async def main() -> None:
        async with serving(*FAILURES["none"], log_texts=True) as served:
            await served.post({**ASK, "model": "cheap"})
            line = served.log.lines[-1]
            assert (line["prompt"], line["answer"]) == (tuple(ASK["messages"]), ANSWER)
        async with serving(*FAILURES["at once"], log_texts=True) as served:
            await served.post(ASK)
            assert f"cannot answer {PROMPT}" in served.log.lines[-1]["error"]

    virtually(main)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RouteError([("cheap", echoing(400))], shown=False), "every leg failed (cheap: status 400)"),
        (RouteError([("router", KeyError(PROMPT))], shown=True), "the answer broke off (router: KeyError)"),
        (UpstreamTimeoutError("timed out connecting", upstream="cheap"), "cheap: timed out connecting"),
        (UpstreamError(PROMPT, upstream="cheap"), "UpstreamError"),
        (ScorerError(PROMPT), "internal error"),
        (PermissionError(13, "Permission denied", "/records"), "Permission denied"),
    ],
)
def test_of_an_error_its_kind_is_logged(error: Exception, said: str) -> None:
    assert logged(error) == said

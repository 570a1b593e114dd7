"""GET /v1/decisions/{id}: why a request was answered as it was, told to whom it concerns."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from streamroute.config.settings import KeySettings
from streamroute.gateway.access.auth import Client
from streamroute.gateway.decisions import decision
from streamroute.gateway.keys import CLIENT, IN_FLIGHT, LEDGER
from streamroute.testing import Script
from tests.gateway.ledger.told import opened, outcome
from tests.gateway.served import QUESTION, RIGHT, Served, agreeing, disagreeing, larger, serving, virtually

ASK: dict[str, Any] = {"model": "auto", "messages": QUESTION}


async def decided(served: Served, id: str) -> dict[str, Any]:
    reply = await served.get(f"/v1/decisions/{id}")
    assert reply.status == 200
    found: dict[str, Any] = reply.json
    return found


@pytest.mark.parametrize("stream", [True, False])
def test_an_escalation_is_told_with_its_evidence_and_every_leg(stream: bool) -> None:
    async def main() -> None:
        async with serving(disagreeing()) as served:
            asked = await served.post(
                ASK | {"stream": stream, "stream_options": {"include_usage": True}}, x_request_id="a/1"
            )
            reply = asked.events[0] if stream else asked.json
            usage = (asked.events[-2] if stream else asked.json)["usage"]
            found = await decided(served, "a/1")
            assert found["object"] == "decision"
            assert (found["id"], found["reply_id"], found["stream"]) == ("a/1", reply["id"], stream)
            assert (found["state"], found["status"], found["decision"], found["tier_name"]) == (
                "settled",
                200,
                "escalate",
                "large",
            )
            assert found["evidence"]["samples"] == 3
            assert found["evidence"]["clusters"]
            assert [(leg["role"], leg["state"]) for leg in found["legs"]][-1] == ("answer", "finished")
            assert {leg["role"] for leg in found["legs"]} == {"answer", "probe", "superseded"}
            assert found["legs"][-1]["completion_tokens"] == usage["completion_tokens"]
            assert RIGHT not in str(found)
            assert await decided(served, reply["id"]) == found

    virtually(main)


def test_an_id_that_is_not_known_is_a_404_in_the_openai_shape() -> None:
    async def main() -> None:
        async with serving() as served:
            reply = await served.get("/v1/decisions/nothing")
            assert (reply.status, reply.error["code"], reply.error["param"]) == (404, "decision_not_found", "id")

    virtually(main)


def test_a_request_that_fails_is_settled_with_what_its_legs_came_to() -> None:
    async def main() -> None:
        failing = Script.failing(text="It")
        async with serving(agreeing(), larger(failing)) as served:
            asked = await served.post(ASK | {"model": "large"}, x_request_id="b")
            assert asked.status == 502
            found = await decided(served, "b")
            assert (found["status"], found["error"], found["unjudged"]) == (502, "answer_broke_off", "tier_asked")
            assert [(leg["state"], leg["error"], leg["completion_tokens"]) for leg in found["legs"]] == [
                ("failed", "UpstreamError", 1)
            ]

    virtually(main)


def test_a_client_that_leaves_is_settled_with_what_was_cut_off() -> None:
    async def main() -> None:
        slow = Script([(0.1, "It"), (1000.0, " is")])
        async with serving(agreeing(), larger(slow)) as served:
            body = ASK | {"model": "large", "stream": True}
            async with served.http.post(
                f"{served.url}/v1/chat/completions", json=body, headers={"x-request-id": "c"}
            ) as response:
                await response.content.readuntil(b"It")
            await served.app[IN_FLIGHT].empty()
            found = await decided(served, "c")
            assert (found["state"], found["status"]) == ("settled", 499)
            assert [
                (leg["state"], leg["billing"], leg["completion_tokens"], leg["counted"]) for leg in found["legs"]
            ] == [("cancelled", "generated", 1, False)]

    virtually(main)


async def seen_by(app: web.Application, id: str, key: KeySettings | None) -> int:
    """The status that a client gets who has `key`; as aiohttp's own router would call the handler."""

    class Request(dict[Any, Any]):
        match_info = {"id": id}  # noqa: RUF012

    request = Request({CLIENT: Client(key)})
    request.app = app  # type: ignore[attr-defined]
    try:
        response = await decision(request)  # type: ignore[arg-type]
    except Exception as error:
        return int(error.problem.status)  # type: ignore[attr-defined]
    return response.status


def test_a_client_with_a_key_sees_its_own_unless_it_may_see_the_board() -> None:
    async def main() -> None:
        async with serving() as served:
            account = served.app[LEDGER].open(opened(id="hers", key="alice"))
            account.settle(outcome())
            keys = {
                name: KeySettings(name=name, hash="sha256:" + "0" * 64, board=name == "root")
                for name in ("alice", "bob", "root")
            }
            seen = [await seen_by(served.app, "hers", key) for key in (*keys.values(), None)]
            assert seen == [200, 404, 200, 200]

    virtually(main)

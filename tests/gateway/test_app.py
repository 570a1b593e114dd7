"""The pages beside chat, and the line that each request leaves in the log."""

from __future__ import annotations

import io
import json

from streamroute.gateway.log import json_logger
from tests.gateway.served import QUESTION, RIGHT, disagreeing, serving, virtually


def test_models_are_the_routes_and_their_tiers() -> None:
    async def main() -> None:
        async with serving() as served:
            models = [model async for model in served.client.models.list()]
            assert [model.id for model in models] == ["auto", "cheap", "large"]
            assert models[0].model_dump()["streamroute"] == {"kind": "route", "tiers": ["cheap", "large"]}
            assert models[1].model_dump()["streamroute"] == {"kind": "tier", "model": "small-1"}
            assert (await served.client.models.retrieve("auto")).id == "auto"
            assert (await served.get("/v1/models/other")).error["code"] == "model_not_found"

    virtually(main)


def test_the_health_page_tells_what_runs() -> None:
    async def main() -> None:
        async with serving() as served:
            assert (await served.get("/healthz")).json == {"status": "ok", "running": 0}

    virtually(main)


def test_a_request_leaves_one_line_without_its_text_or_key() -> None:
    async def main() -> None:
        async with serving(disagreeing(), api_key="topsecret") as served:
            await served.post(
                {"model": "auto", "messages": QUESTION, "stream": True},
                Authorization="Bearer topsecret",
                x_request_id="mine",
            )
            (line,) = served.log.lines
            assert line["event"] == "request"
            assert line["id"] == "mine"
            assert (line["status"], line["model"], line["route"], line["stream"]) == (200, "auto", "auto", True)
            assert (line["tier"], line["reason"], line["finish_reason"]) == ("large", "samples_disagree", "stop")
            assert line["legs"] == 5
            text = json.dumps(line)
            assert all(secret not in text for secret in ("Australia", RIGHT, "topsecret"))

    virtually(main)


def test_a_refused_request_leaves_a_line_that_says_why() -> None:
    async def main() -> None:
        async with serving() as served:
            await served.post({"model": "nope", "messages": QUESTION})
            (line,) = served.log.lines
            assert line["status"] == 404
            assert "nope" in line["error"]

    virtually(main)


def test_the_log_is_lines_of_json_with_level_and_time() -> None:
    out = io.StringIO()
    log = json_logger(out)
    log.debug("left out")
    log.info("request", status=200)
    try:
        raise ValueError("boom")
    except ValueError:
        log.exception("internal error")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["event"], first["status"], first["level"]) == ("request", 200, "info")
    assert first["timestamp"].endswith("Z")
    assert second["exception"].endswith("ValueError")
    assert "boom" not in out.getvalue().replace('ValueError(\\"boom', "")  # the line of code may be told


def test_with_texts_the_log_tells_the_message_of_an_error_too() -> None:
    out = io.StringIO()
    log = json_logger(out, texts=True)
    try:
        raise ValueError("boom")
    except ValueError:
        log.exception("internal error")
    assert "ValueError: boom" in json.loads(out.getvalue())["exception"]

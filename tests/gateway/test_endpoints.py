"""Completions and embeddings go to the tier that has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.passing import DONE, opened, post, raw, stage, whole
from tests.gateway.served import virtually
from tests.gateway.two_tiers import CONFIG
from tests.support.upstream_server import Reply

VECTORS = {"object": "list", "data": [{"index": 0, "embedding": [0.1]}], "usage": {"prompt_tokens": 2}}
SERVES = CONFIG.replace('model = "small-1"', 'model = "small-1"\nserves = ["chat"]')


def test_embeddings_come_from_the_first_tier_of_the_route_that_has_them() -> None:
    async def main() -> None:
        async with stage(whole(), whole(VECTORS), config=SERVES) as (made, books, http):
            asked = {"model": "auto", "input": ["one", "two"], "dimensions": 1}
            got = await post(made, http, asked, to="embeddings")
            assert {name: value for name, value in got.json.items() if name != "streamroute"} == VECTORS
            (seen,) = made.large.seen
            assert (seen.path, seen.body) == ("/v1/embeddings", {**asked, "model": "large-1"})
            assert books.opened[0].path == "/v1/embeddings"
            assert (books.legs, books.outcome.unjudged) == ([("large", "finished", 2, 0, True)], "embeddings")

    virtually(main)


def test_a_server_without_the_endpoint_says_so_itself() -> None:
    async def main() -> None:
        async with stage(whole({"detail": "Not Found"}, status=404)) as (made, books, http):
            got = await post(made, http, {"model": "cheap", "input": "one"}, to="embeddings")
            assert (got.status, got.json, books.outcome.status) == (404, {"detail": "Not Found"}, 404)

    virtually(main)


def test_no_other_model_embeds_in_place_of_one_that_fails() -> None:
    async def main() -> None:
        async with stage(Reply.error(500, "no"), whole(VECTORS)) as (made, _, http):
            got = await post(made, http, {"model": "cheap", "input": "one"}, to="embeddings")
            assert got.status == 502
            assert not made.large.seen

    virtually(main)


def test_a_text_completion_streams() -> None:
    blocks = [
        b'data: {"id":"c-1","choices":[{"index":0,"text":"x","finish_reason":%b}]}\n\n' % r
        for r in (b"null", b'"length"')
    ]

    async def main() -> None:
        async with stage(raw(*blocks, DONE, end="eof")) as (made, books, http):
            asked = {"model": "cheap", "prompt": "Once", "stream": True, "best_of": 1}
            got = await post(made, http, asked, to="completions")
            assert opened(got.body) == b"".join(blocks) + DONE
            (seen,) = made.cheap.seen
            assert seen.path == "/v1/completions"
            assert seen.body == {**asked, "model": "small-1", "stream_options": {"include_usage": True}}
            assert books.outcome.route.finish_reason == "length"
            assert books.legs[0][3] == 2

    virtually(main)


@pytest.mark.parametrize("to", ["embeddings", "completions"])
@pytest.mark.parametrize(
    ("body", "status", "param", "code"),
    [
        (b"{", 400, None, "invalid_json"),
        (b"[]", 400, None, "invalid_type"),
        ({"input": "x"}, 400, "model", "missing_field"),
        ({"model": 5}, 400, "model", "invalid_type"),
        ({"model": "cheap", "stream": "yes"}, 400, "stream", "invalid_type"),
        ({"model": "cheap", "stream_options": 1}, 400, "stream_options", "invalid_type"),
        ({"model": "chep"}, 404, "model", "model_not_found"),
        ({"model": "cheap"}, 404, "model", "endpoint_not_served"),
    ],
)
def test_what_cannot_be_asked_is_refused(to: str, body: Any, status: int, param: str | None, code: str) -> None:
    async def main() -> None:
        async with stage(whole(), config=SERVES) as (made, books, http):
            got = await post(made, http, body, to=to)
            assert (got.status, got.error["param"], got.error["code"]) == (status, param, code)
            assert not made.seen
            assert not books.opened

    virtually(main)


def test_a_tier_that_does_not_chat_is_not_asked_to() -> None:
    async def main() -> None:
        config = CONFIG.replace('model = "small-1"', 'model = "small-1"\nserves = ["embeddings"]')
        async with stage(whole(), config=config.replace('["cheap", "large"]', '["cheap"]')) as (made, _, http):
            got = await post(made, http)
            assert (got.status, got.error["param"], got.error["code"]) == (404, "model", "endpoint_not_served")
            assert not made.seen

    virtually(main)

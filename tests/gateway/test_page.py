"""The page at /ui as it is served: what it may load, who may load it, and how it is cached."""

from __future__ import annotations

import base64
import hashlib
import re

from streamroute.gateway.page import PATHS, Page
from tests.gateway.served import serving, virtually

OUTSIDE = re.compile(rb"(?:https?:)?//(?!www\.w3\.org/)[a-z0-9.-]+\.[a-z]{2,}", re.IGNORECASE)


def directives(policy: str) -> dict[str, str]:
    return {name: value for name, _, value in (part.partition(" ") for part in policy.split("; "))}


def test_everybody_gets_the_page_even_where_a_key_is_asked_for() -> None:
    async def main() -> None:
        async with serving(api_key="secret") as served:
            for path in PATHS:
                reply = await served.get(path)
                assert reply.status == 200
                assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
                assert reply.body == Page.load().body
            assert (await served.get("/v1/models")).status == 401

    virtually(main)


def test_only_its_own_script_and_style_may_run_and_only_this_server_be_asked() -> None:
    page = Page.load()
    policy = directives(page.headers["Content-Security-Policy"])
    for kind in ("script", "style"):
        (inline,) = re.findall(rf"<{kind}>(.*?)</{kind}>".encode(), page.body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline).digest()).decode()
        assert policy[f"{kind}-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["img-src"] == "data:"
    assert "unsafe" not in page.headers["Content-Security-Policy"]


def test_nothing_in_it_points_to_another_server() -> None:
    assert OUTSIDE.findall(b"<script src=//cdn.example.com>")
    assert OUTSIDE.findall(Page.load().body) == []


def test_there_is_no_markup_from_text_and_no_handler_in_an_attribute() -> None:
    body = Page.load().body.decode()
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", body)
    markup = re.sub(r"<(script|style)>.*?</\1>", "", body, flags=re.DOTALL)
    assert not re.findall(r"\son\w+=|\sstyle=|javascript:", markup)


def test_a_page_without_scripts_may_run_none() -> None:
    policy = directives(Page.of(b"<p>plain</p>").headers["Content-Security-Policy"])
    assert policy["script-src"] == policy["style-src"] == "'none'"


def test_a_browser_that_has_the_page_is_not_sent_it_again() -> None:
    async def main() -> None:
        async with serving() as served:
            first = await served.get("/ui")
            assert first.headers["Cache-Control"] == "no-cache"
            again = await served.get("/ui", **{"If-None-Match": first.headers["ETag"]})
            assert (again.status, again.body) == (304, b"")
            assert again.headers["ETag"] == first.headers["ETag"]
            other = await served.get("/ui", **{"If-None-Match": '"other"'})
            assert other.status == 200

    virtually(main)

"""A headless Chromium before the page of a real gateway, over models that say what the test says."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Locator, Page, Route, async_playwright, expect

from streamroute.config.compose import ServedRoute
from streamroute.config.settings import RouteSettings, ServerSettings
from streamroute.gateway.app import create_app
from streamroute.gateway.journal import Journal
from streamroute.gateway.process.server import listening
from streamroute.routing.router import Price, ProbePlan, Router, Tier
from streamroute.testing import ScriptedScorer
from tests.gateway.served import RecordingLog
from tests.support.puppet import Puppet

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 20_000
"""Milliseconds until a page that does not come to look as it should is given up."""


@dataclass
class Watched:
    """One page, and what it asked for and complained of."""

    page: Page
    url: str
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def at(self, selector: str, *, text: str | None = None) -> Locator:
        return self.page.locator(selector, has_text=text)

    async def sees(self, selector: str, text: str | None = None) -> None:
        """Waits for it."""
        await expect(self.at(selector, text=text).first).to_be_visible(timeout=PATIENCE)

    async def misses(self, selector: str, text: str | None = None) -> None:
        await expect(self.at(selector, text=text)).to_have_count(0, timeout=PATIENCE)

    async def ask(self, text: str, *, release: str | None = None) -> None:
        """By the keyboard, from wherever the focus is."""
        if release is not None:
            await self.page.select_option("#release", release)
        await self.page.focus("#say")
        await self.page.keyboard.type(text)
        await self.page.keyboard.press("Enter")

    async def rests(self) -> None:
        """Waits until the answer is over."""
        await self.sees("body:not(.busy)")

    def elsewhere(self) -> list[str]:
        """What was asked of others than the gateway."""
        here = urlsplit(self.url).netloc
        return [url for url in self.asked if urlsplit(url).scheme != "data" and urlsplit(url).netloc != here]


@dataclass
class Stage:
    """A running gateway, its two models, and a browser."""

    cheap: Puppet
    large: Puppet
    url: str
    browser: Browser
    _stack: AsyncExitStack

    async def open(
        self,
        hash: str = "#chat",
        *,
        expected: tuple[str, ...] = (),
        board: tuple[int, Any] | None = None,
        **context: Any,
    ) -> Watched:
        """A new page, checked when the stage ends: it asked nobody else, and complained of nothing but `expected`. To
        it /v1/board gives `board`, a status and a document."""
        made = await self.browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **context})
        self._stack.push_async_callback(made.close)
        watched = Watched(await made.new_page(), self.url)
        watched.watch()

        def content() -> None:
            unexpected = [said for said in watched.complaints if not any(part in said for part in expected)]
            assert unexpected == []
            assert watched.elsewhere() == []

        self._stack.callback(content)
        if board is not None:
            await watched.page.route("**/v1/board", answering(*board))
        await watched.page.goto(f"{self.url}/ui{hash}")
        return watched


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def staged(
    browser: Browser, *, api_key: str | None = None, feedback: Path | None = None
) -> AsyncGenerator[Stage]:
    """The route `auto`: three probes, everything above 0.5 is escalated."""
    cheap, large = Puppet("cheap"), Puppet("large")
    tiers = [
        Tier(upstream=cheap, probes=ProbePlan(count=3), price=Price(prompt=1, completion=2)),
        Tier(upstream=large, prefill=True, price=Price(prompt=10, completion=20)),
    ]
    async with AsyncExitStack() as stack:
        router = await stack.enter_async_context(Router(tiers, scorer=ScriptedScorer(), decision_deadline=None))
        routes = {"auto": ServedRoute(RouteSettings(name="auto", tiers=("cheap", "large")), router)}
        app = create_app(routes, api_key=api_key, log=RecordingLog(), journal=Journal(feedback=feedback))
        url = await stack.enter_async_context(listening(app, ServerSettings(port=0, drain_seconds=0)))
        pages = await stack.enter_async_context(AsyncExitStack())
        yield Stage(cheap, large, url, browser, pages)


def answering(status: int, document: Any) -> Callable[[Route], Awaitable[None]]:
    """What gives `document` to every request."""

    async def answer(route: Route) -> None:
        await route.fulfill(status=status, content_type="application/json", body=json.dumps(document))

    return answer

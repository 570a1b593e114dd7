"""The page in a headless Chromium: what is seen of every way that a route can go, by pointer, keyboard and screen."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from streamroute.errors import UpstreamError

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.async_api import Browser, Route, expect

from tests.gateway.browser import CHROMIUM, PATIENCE, Stage, Watched, chromium, staged

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH"),
]

SYDNEY, CANBERRA = "It is Sydney.", "It is Canberra."
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
BOARD: dict[str, Any] = {
    "now": 1000.0,
    "in_flight": 2,
    "routes": [
        {"name": "auto", "requests": 40, "escalation_rate": 0.25, "target_escalation_rate": 0.2, "cost": 0.5},
        {"name": "plain", "requests": 10, "escalation_rate": None, "cost": 0.0, "errors": 1, "saved": 1.5},
    ],
    "recent": [
        {"id": "req_1", "started": 995.0, "route": "auto", "tier_name": "large", "decision": "escalate"}
        | {"reason": "samples_disagree", "score": 0.8, "entropy": 1.1, "first_kept": 0.7, "cost": 0.02, "status": 200},
        {"id": "req_2", "started": 900.0, "route": "auto", "status": 502, "error": "every leg failed"},
    ],
    "entropy": {"bounds": [0.5, 1.0, None], "counts": [7, 2, 1]},
    "first_kept": [{"le": 0.5, "count": 5}, {"le": 1, "count": 9}, {"le": None, "count": 10}],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncGenerator[Browser]:
    async with chromium() as opened:
        yield opened


async def escalated(stage: Stage, seen: Watched, release: str, *, shown: bool = True) -> None:
    """The cheap answer is shown, and its probes disagree with it."""
    await seen.ask("What is the capital of Australia?", release=release)
    stage.cheap.say(SYDNEY)
    if shown:
        await seen.sees(".provisional .text", SYDNEY)
    stage.cheap.probe(CANBERRA, CANBERRA)


async def test_a_kept_answer_is_seen_from_its_first_word_to_what_it_cost(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open()
        await seen.ask("What is the capital of Australia?", release="retract")
        stage.cheap.say(CANBERRA)
        await seen.sees(".provisional .text", CANBERRA)
        await seen.sees(".provisional .tier", "cheap")
        await seen.sees(".dots .size", "3 running")
        stage.cheap.probe(CANBERRA)
        await seen.sees(".dots .size", "the answer and 1 sample")
        await expect(seen.at(".trace svg.scale")).to_have_attribute(
            "aria-label", "Uncertainty 0.00, certain to end between 0.00 and 0.67; the limit is 0.50."
        )
        stage.cheap.probe(CANBERRA)
        await seen.sees(".verdict", "cheap is kept")
        await seen.sees(".verdict", "enough samples agree")
        stage.cheap.say(" Since 1927.")
        stage.cheap.end()
        await seen.rests()
        await seen.sees(".kept .text", f"{CANBERRA} Since 1927.")
        await seen.sees(".facts", "12 in, 34 out")
        await seen.sees(".legs summary", "4 legs: 3 finished, 1 cancelled")
        assert stage.cheap.running == stage.large.running == 0


async def test_a_retracted_answer_stays_legible_but_is_struck_and_the_next_one_follows(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open()
        await escalated(stage, seen, "retract")
        await seen.sees("details.withdrawn del", SYDNEY)
        await seen.sees(".verdict", "large takes over")
        await seen.sees(".status", "waiting for large")
        await expect(seen.at(".withdrawn del")).to_have_css("text-decoration-line", "line-through")
        stage.large.say(CANBERRA)
        stage.large.end()
        await seen.rests()
        await seen.sees(".kept .text", CANBERRA)
        await seen.page.focus(".withdrawn summary")
        await seen.page.keyboard.press("Enter")
        await expect(seen.at(".withdrawn del")).not_to_be_visible()
        # What was withdrawn is no part of the conversation.
        await seen.ask("And its river?")
        await seen.sees(".status", "cheap is being judged")
        said = [message["content"] for message in stage.cheap.requests[-1].messages]
        assert said == ["What is the capital of Australia?", CANBERRA, "And its river?"]


async def test_under_hold_the_judging_is_seen_and_the_judged_answer_is_not(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open()
        await escalated(stage, seen, "hold", shown=False)
        await seen.sees(".verdict", "large takes over")
        await seen.sees(".held")
        await seen.misses(".text", SYDNEY)
        stage.large.say(CANBERRA)
        await seen.sees(".kept .text", CANBERRA)
        await seen.misses(".held")
        stage.large.end()
        await seen.rests()
        await seen.misses(".text", SYDNEY)


async def test_what_is_appended_follows_what_it_supersedes_without_the_marker_for_others(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open()
        await escalated(stage, seen, "append")
        await seen.sees(".doubted .pill", "large comes next")
        stage.large.say(CANBERRA)
        await seen.sees("details.superseded .text", SYDNEY)
        await seen.sees(".superseded .pill", "superseded by large")
        stage.large.end()
        await seen.rests()
        await seen.sees(".kept .text", CANBERRA)
        await seen.misses("#log", "[superseded")


async def test_a_continuation_shows_its_seam(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open()
        await seen.ask("And?", release="continue")
        stage.cheap.say(f"{SYDNEY} ", "It lies by the sea and has a famous opera house. " * 3)
        await seen.sees(".provisional .text", SYDNEY)
        stage.cheap.probe(CANBERRA, CANBERRA)
        await seen.sees(".doubted .pill", "large comes next")
        stage.large.say("No: that is Canberra.")
        await seen.sees(".seam", "large goes on")
        stage.large.end()
        await seen.rests()
        await seen.sees(".kept .tier", "cheap, then large")
        text = await seen.at(".kept .text").text_content() or ""
        assert text.startswith(SYDNEY)
        assert text.endswith("large goes onNo: that is Canberra.")


async def test_a_failure_names_every_leg_and_is_no_part_of_the_conversation(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open()
        await seen.ask("Why?", release="hold")
        stage.cheap.fail(UpstreamError("no route to host", upstream="cheap"))
        stage.large.fail(UpstreamError("503 overloaded", upstream="large"))
        await seen.rests()
        await seen.sees(".problem", "Every leg failed.")
        for leg, error in (("cheap", "no route to host"), ("large", "503 overloaded")):
            await seen.sees(f".problem li:has-text('{leg}')", error)
        await seen.ask("Still there?")
        await seen.sees(".turn:last-child .status", "cheap is being judged")
        assert [message["content"] for message in stage.cheap.requests[-1].messages] == ["Still there?"]


async def test_an_answer_that_breaks_off_says_so(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open()
        await seen.page.select_option("#model", "large")
        await seen.ask("Why?")
        stage.large.say("Because")
        await seen.sees(".kept .text", "Because")
        stage.large.fail(UpstreamError("reset by peer", upstream="large"))
        await seen.rests()
        await seen.sees(".broken .pill", "broken off")
        await seen.sees(".problem", "reset by peer")


async def test_escape_stops_the_answer_and_closes_all_that_runs(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open()
        await seen.ask("Tell me a story", release="retract")
        stage.cheap.say("Once upon a time")
        await seen.sees(".provisional .text", "Once upon a time")
        assert stage.cheap.running == 4
        await seen.page.keyboard.press("Escape")
        await seen.rests()
        await seen.sees(".stopped .pill", "stopped")
        await stage.cheap.left.wait()
        await expect(seen.at("#say")).to_be_focused()


async def test_the_keyboard_alone_is_enough(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open(board=(200, BOARD))
        press = seen.page.keyboard.press
        await expect(seen.at("#say")).to_be_focused()
        await seen.page.keyboard.type("one")
        await press("Shift+Enter")
        await seen.page.keyboard.type("two")
        await expect(seen.at("#say")).to_have_value("one\ntwo")
        await press("Enter")
        await seen.sees(".asked", "one\ntwo")
        stage.cheap.say("Yes.")
        stage.cheap.probe("Yes.", "Yes.")
        stage.cheap.end()
        await seen.rests()
        await seen.page.focus("#to-chat")
        await press("Shift+Tab")
        await expect(seen.at(".skip")).to_be_focused()
        await expect(seen.at(".skip")).to_be_in_viewport()
        await press("Enter")
        await expect(seen.at("#main")).to_be_focused()
        await seen.page.focus("#to-chat")
        await press("ArrowRight")
        await expect(seen.at("#to-board")).to_be_focused()
        assert seen.page.url.endswith("#board")
        await press("ArrowLeft")
        await expect(seen.at("#chat-view")).to_be_visible()
        outline = await seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"


async def test_what_a_model_says_is_text_and_never_markup(browser: Browser) -> None:
    markup = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script><b>bold</b>"
    async with staged(browser) as stage:
        seen = await stage.open()
        await seen.ask(markup, release="retract")
        stage.cheap.say(markup)
        stage.cheap.probe(markup, "<i>", CANBERRA)
        stage.cheap.end()
        await seen.sees("del.text", markup)
        await seen.sees(".says", "<i>")
        assert await seen.at(".text *, .says *, .asked *").count() == 0
        assert await seen.page.title() == "streamroute"


async def test_events_are_read_whatever_their_line_ends_and_comments(browser: Browser) -> None:
    async def fulfil(route: Route) -> None:
        chunk = {"id": "x", "choices": [{"index": 0, "delta": {"content": "Grüße, 世界"}}]}
        first, second = json.dumps(chunk, ensure_ascii=False).split(", ", 1)
        body = f"\ufeff: hello\r\n\r\nevent: message\rdata:{first},\rdata: {second}\r\r: again\n\ndata: [DONE]\n\n"
        await route.fulfill(status=200, content_type="text/event-stream", body=body)

    async with staged(browser) as stage:
        seen = await stage.open()
        await seen.page.route("**/v1/chat/completions", fulfil)
        await seen.ask("Hello")
        await seen.rests()
        await seen.sees(".text", "Grüße, 世界")
        await seen.misses(".problem")


async def test_a_stream_that_ends_without_its_end_is_a_failure(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open()
        await seen.page.route(
            "**/v1/chat/completions",
            lambda route: route.fulfill(status=200, body='data: {"choices":[{"delta":{"content":"Half"}}]}\n\n'),
        )
        await seen.ask("Hello")
        await seen.rests()
        await seen.sees(".broken .text", "Half")
        await seen.sees(".problem", "The stream ended before the answer did.")


async def test_a_refusal_is_told_in_the_servers_words(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open(expected=("429",))
        error = {"error": {"message": "60 requests a minute are allowed", "type": "x", "code": "rate_limited"}}
        await seen.page.route("**/v1/chat/completions", lambda route: route.fulfill(status=429, body=json.dumps(error)))
        await seen.ask("Hello")
        await seen.sees(".problem", "60 requests a minute are allowed")
        await seen.sees(".problem", "rate_limited (429)")


async def test_a_key_is_asked_for_kept_in_the_tab_and_forgotten_with_it(browser: Browser) -> None:
    async with staged(browser, api_key="open sesame") as stage:
        seen = await stage.open(expected=("401",))
        await seen.sees("dialog[open]", "This server asks for a key.")
        await expect(seen.at("#key")).to_be_focused()
        await seen.page.keyboard.type("open sesame")
        await seen.page.keyboard.press("Enter")
        await expect(seen.at("#model option")).to_have_count(3)
        assert await seen.page.evaluate("Object.values(localStorage).length") == 0
        await seen.page.reload()
        await expect(seen.at("#model option")).to_have_count(3)
        await seen.page.click("#key-button")
        await seen.page.click("#key-forget")
        assert await seen.page.evaluate("sessionStorage.length") == 0


async def test_thumbs_are_kept_where_the_server_keeps_them(browser: Browser, tmp_path: Path) -> None:
    async with staged(browser, feedback=tmp_path / "labels.jsonl") as stage:
        seen = await stage.open()
        await seen.page.select_option("#model", "large")
        await seen.ask("Why?")
        stage.large.say("Because.")
        stage.large.end()
        await seen.rests()
        await seen.page.click("button:has-text('Wrong')")
        await seen.sees(".after", "Kept, thank you.")
        await expect(seen.at("button", text="Wrong")).to_have_attribute("aria-pressed", "true")
        said = json.loads((tmp_path / "labels.jsonl").read_bytes())
        assert said["correct"] is False
        assert said["id"].startswith("chatcmpl-")


async def test_thumbs_go_where_the_server_keeps_nothing(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open(expected=("404",))
        await seen.page.select_option("#model", "large")
        await seen.ask("Why?")
        stage.large.say("Because.")
        stage.large.end()
        await seen.rests()
        await seen.page.click("button:has-text('Right')")
        await seen.sees(".after", "This server keeps no feedback.")
        await seen.misses("button", "Right")


async def test_the_board_shows_rates_histograms_and_decisions_and_keeps_up(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open("#board", board=(200, BOARD))
        for name, value in (
            ("Requests", "50"),
            ("Escalated", "25 %"),
            ("First kept token", "≤ 0.50 s"),
            ("Cost", "0.5"),
        ):
            await seen.sees(f".tile:has-text('{name}') dd", value)
        await seen.sees(".tile", "1.5 saved")
        await seen.sees(".rate:has-text('auto')", "25 % of 20 % allowed")
        await seen.sees(".rate:has-text('auto') .pill", "over")
        entropy = seen.at(".chart").first
        await expect(entropy).to_have_attribute(
            "aria-label", "Entropy of judged answers. up to 0.5 nats: 7; up to 1 nats: 2; above 1 nats: 1"
        )
        await expect(seen.at(".chart").last).to_have_attribute(
            "aria-label", "Time to first kept token. up to 0.5 s: 5; up to 1 s: 4; above 1 s: 1"
        )
        row = seen.at("tbody tr").first
        for text in ("5 s ago", "escalated", "large", "the samples disagree with it", "0.80", "1.10", "0.70 s"):
            await expect(row).to_contain_text(text)
        await seen.sees("tbody tr:nth-child(2)", "every leg failed")
        await expect(seen.at("#live")).to_contain_text("updated")
        async with seen.page.expect_response("**/v1/board", timeout=PATIENCE):
            pass
        assert sum(url.endswith("/v1/board") for url in seen.asked) >= 2


@pytest.mark.parametrize(("status", "says"), [(404, "There is no board here"), (403, "This key may not see the board")])
async def test_where_there_is_no_board_to_see_the_page_says_so_and_stops_asking(
    browser: Browser, status: int, says: str
) -> None:
    refusal = {"error": {"message": "no", "type": "x", "param": None, "code": None}}
    async with staged(browser) as stage:
        seen = await stage.open("#board", expected=(str(status),), board=(status, refusal))
        await seen.sees("#board-view .note", says)
        assert sum(url.endswith("/v1/board") for url in seen.asked) == 1


async def test_the_theme_is_the_systems_until_another_is_chosen_which_stays(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open(color_scheme="dark")
        root, body = seen.at("html"), seen.at("body")
        await expect(root).to_have_attribute("data-theme", "dark")
        await expect(body).to_have_css("background-color", "rgb(18, 20, 23)")
        await seen.page.emulate_media(color_scheme="light")
        await expect(root).to_have_attribute("data-theme", "light")
        await seen.page.click("#theme")
        await seen.page.click("#theme")
        await expect(seen.at("#theme")).to_have_attribute("aria-label", "Theme: dark")
        await seen.page.reload()
        await expect(body).to_have_css("background-color", "rgb(18, 20, 23)")


async def test_a_phone_needs_no_sideways_scrolling(browser: Browser) -> None:
    async with staged(browser) as stage:
        seen = await stage.open(board=(200, BOARD), **PHONE)
        await seen.page.select_option("#release", "auto")
        await escalated(stage, seen, "retract")
        stage.large.say("A" * 300)
        stage.large.end()
        await seen.rests()
        await seen.page.click(".legs summary")
        assert await seen.page.evaluate("document.documentElement.scrollWidth") == 360
        await seen.page.goto(f"{stage.url}/ui#board")
        await seen.sees("#recent tbody tr")
        assert await seen.page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("screen", [PHONE, {}])
async def test_the_end_of_a_growing_answer_stays_in_sight_until_the_reader_looks_elsewhere(
    browser: Browser, screen: dict[str, Any]
) -> None:
    async with staged(browser) as stage:
        seen = await stage.open(**screen)
        await seen.ask("Tell me a story", release="retract")
        for part in ("Begun.", "Continued.", "Nearly done."):
            stage.cheap.say("All went well. " * 60, part)
            await seen.sees(".provisional .text", part)
            bottom = "document.querySelector('.text').getBoundingClientRect().bottom"
            assert await seen.page.evaluate(
                f"{bottom} < document.querySelector('.composer').getBoundingClientRect().top"
            )
        await seen.page.evaluate("window.scrollTo(0, 0)")
        stage.cheap.say("All went well. " * 60, "Done.")
        await seen.sees(".provisional .text", "Done.")
        assert await seen.page.evaluate("window.scrollY") == 0


async def test_nothing_moves_for_those_who_want_it_still(browser: Browser) -> None:
    async with staged(browser) as stage:
        for motion, animation in (("no-preference", "pulse"), ("reduce", "none")):
            seen = await stage.open(reduced_motion=motion)
            await seen.ask("Why?", release="hold")
            await expect(seen.at(".status .pulse")).to_have_css("animation-name", animation)


async def test_the_page_works_without_a_network_but_this_server(browser: Browser) -> None:
    """Every other address is refused; none is asked for."""
    async with staged(browser) as stage:
        seen = await stage.open()
        await seen.page.route(lambda url: not url.startswith(stage.url), lambda route: route.abort())
        await seen.page.reload()
        await expect(seen.at("#model option")).to_have_count(3)
        assert {url.removeprefix(stage.url) for url in seen.asked if not url.startswith("data:")} == {
            "/ui",
            "/v1/models",
        }

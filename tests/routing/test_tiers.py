"""What the judge is told that the answers answer."""

from __future__ import annotations

from typing import Any

import pytest

from streamroute.routing.tiers import Price, ProbePlan, Tier, question_of, text_of
from streamroute.testing import ScriptedUpstream


def chat(*turns: str) -> list[dict[str, str]]:
    """Turns of user and assistant, alternating, the user first."""
    return [{"role": "assistant" if i % 2 else "user", "content": turn} for i, turn in enumerate(turns)]


def test_the_question_is_the_last_user_turn() -> None:
    first = "What is the capital of Australia?"
    last = "What is the largest city of Brazil?"
    assert question_of(chat(first, "Canberra.", last)) == last


@pytest.mark.parametrize("short", ["And Brazil?", "It must be larger than that one.", "Why?"])
def test_a_turn_that_cannot_stand_alone_brings_the_one_before(short: str) -> None:
    first = "What is the capital of Australia?"
    assert question_of(chat(first, "Canberra.", short)) == f"{first} {short}"


def test_neither_system_messages_nor_tool_results_are_questions() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Which planet is the largest one?"},
        {"role": "tool", "content": "{}"},
    ]
    assert question_of(messages) == "Which planet is the largest one?"
    assert question_of(messages[:1]) == ""


def test_a_long_question_keeps_its_end() -> None:
    assert question_of(chat("x" * 5000 + " What is it?")).endswith("What is it?")
    assert len(question_of(chat("x" * 5000))) == 600


def test_text_parts_are_joined_and_pictures_left_out() -> None:
    parts = [
        {"type": "text", "text": "What is"},
        {"type": "image_url", "image_url": {}},
        {"type": "text", "text": "this?"},
    ]
    assert text_of({"role": "user", "content": parts}).split() == ["What", "is", "this?"]
    assert text_of({"role": "assistant", "content": None}) == ""


def test_prices_are_for_a_million_tokens() -> None:
    assert Price(prompt=2.0, completion=6.0).of(500_000, 1_000_000) == pytest.approx(7.0)


def probed(messages: list[dict[str, Any]], suffix: str) -> list[dict[str, Any]]:
    tier = Tier(upstream=ScriptedUpstream(), probes=ProbePlan(suffix=suffix), system="Be brief.")
    answer, probe = tier.answer_request(messages, {}), tier.probe_request(messages, {}, [0])
    assert [*answer.messages] == [{"role": "system", "content": "Be brief."}, *messages]
    return [dict(message) for message in probe.messages[1:]]


def test_a_probe_may_ask_for_less_than_the_answer_does() -> None:
    first, last = chat("What is the capital of Australia?", "Canberra.", "And of Brazil?")[:2], "And of Brazil?"
    asked = probed([*first, {"role": "user", "content": last}], "Answer only.")
    assert asked == [*first, {"role": "user", "content": "And of Brazil?\n\nAnswer only."}]


def test_a_question_in_parts_gets_one_more() -> None:
    part = {"type": "text", "text": "What is this?"}
    assert probed([{"role": "user", "content": [part]}], "Answer only.") == [
        {"role": "user", "content": [part, {"type": "text", "text": "Answer only."}]}
    ]


def test_without_a_user_or_a_suffix_nothing_is_added() -> None:
    alone = [{"role": "assistant", "content": "Hello."}]
    assert probed(alone, "Answer only.") == alone
    assert probed(chat("Hello?"), "") == chat("Hello?")

"""What the prompt alone decides, rule by rule and through the router."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.types import Decision, Release
from streamroute.errors import ConfigError
from streamroute.routing.prerouter import BASE_RATE, RULES, PreRouter, Prior, Step
from streamroute.routing.router import ProbePlan, Router, Tier
from streamroute.routing.stream import Route
from streamroute.testing import ScriptedScorer, ScriptedUpstream, run_virtual


def asked(text: str) -> list[dict[str, Any]]:
    return [{"role": "system", "content": "x" * 100}, {"role": "user", "content": text}]


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        ("Hi there!", "trivial"),
        ("thank you very much", "trivial"),
        ("What does this do?\n```\nx = 1\n```", "code"),
        ("Write a Python function that reverses a list", "code"),
        ("fix this code in C++", "code"),
        ("What is 17 * 23?", "maths"),
        ("How many apples are left if Tom has 12 and eats 5?", "maths"),
        ("6 / 2 + 1", "maths"),
        ("Solve x^2 - 5x + 6 = 0", "maths"),
        ("Quelle est la capitale de la France ?", "language"),
        ("Wer war der erste Kanzler und wann ist er gestorben?", "language"),
        ("日本の首都はどこですか", "language"),
        ("Кто написал «Войну и мир»?", "language"),
        ("Write a poem about the sea", "open_ended"),
        ("Suggest five names for a cat", "open_ended"),
    ],
)
def test_each_rule_knows_its_prompts(question: str, rule: str) -> None:
    assert PreRouter().route(asked(question)).reason == rule


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of Australia?",
        "who sings what lovers do with maroon 5",
        "When was the first hello kitty film made?",
        "How many people live in Rome?",
        "who won the 1998-99 league",
        "what does de facto mean",
        "Who wrote El Cid?",
        "when did the story of O come out",
        "how many died on 9/11",
        "which countries joined in 2004 - 2007?",
        "",
    ],
)
def test_plain_questions_are_left_to_the_judge(question: str) -> None:
    assert PreRouter().route(asked(question)) == Prior(Step.JUDGE, BASE_RATE)


def test_length_counts_the_whole_conversation_and_is_off_unless_named() -> None:
    by_length = PreRouter({"long": Step.SKIP_CHEAP}, long_characters=105)
    assert by_length.route(asked("Why?!!")).reason == "long"
    assert by_length.route(asked("Why?")).reason == ""
    assert PreRouter().route(asked("Tell me why. " * 1000)).reason == ""


def test_a_rule_decides_what_it_is_told_to_and_the_first_that_applies_wins() -> None:
    both = "Hello" + "\n```x```"
    assert PreRouter({"code": Step.SKIP_PROBES}).route(asked(both)).decision is Step.SKIP_PROBES
    assert PreRouter({"trivial": Step.JUDGE}).route(asked("Hello")) == Prior(Step.JUDGE, 0.02, "trivial")
    assert PreRouter({}).route(asked("Hello")).reason == ""


def test_a_rule_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="'poetry'"):
        PreRouter({"poetry": Step.JUDGE})


@given(st.text(max_size=200), st.sampled_from(sorted(RULES)))
def test_any_text_can_be_asked_about(text: str, rule: str) -> None:
    prior = PreRouter({rule: Step.SKIP_CHEAP}).route(asked(text))
    assert (prior.decision is Step.SKIP_CHEAP) == (prior.reason == rule)
    assert PreRouter({rule: Step.SKIP_CHEAP}).route([]).decision is Step.JUDGE


def play(question: str, tiers: int = 2, prerouter: PreRouter | None = None, **request: Any) -> Route:
    upstreams = [ScriptedUpstream("Yes.", ["Yes."] * 2, name=f"tier{i}") for i in range(tiers)]
    made = Router(
        [Tier(upstream=upstream, probes=ProbePlan(count=2)) for upstream in upstreams],
        scorer=ScriptedScorer(),
        release=Release.RETRACT,
        prerouter=prerouter or PreRouter(),
    )

    async def main() -> Route:
        async with made, made.stream(asked(question), **request) as stream:
            async for _ in stream:
                pass
        return stream.route

    return run_virtual(main)


def outcome(route: Route) -> tuple[str | None, str, int]:
    assert route.verdict is not None
    assert route.verdict.decision is Decision.ACCEPT
    return route.tier_name, route.verdict.reason, len(route.legs)


def test_a_hard_prompt_starts_at_the_next_tier() -> None:
    assert outcome(play("What is 17 * 23?")) == ("tier1", "prerouter: maths", 1)


def test_of_three_tiers_the_second_is_judged_as_ever() -> None:
    route = play("What is 17 * 23?", tiers=3)
    assert outcome(route) == ("tier1", "certain_to_agree", 3)
    assert route.prior == Prior(Step.SKIP_CHEAP, 0.6, "maths")


def test_an_open_prompt_is_answered_by_the_cheap_tier_unjudged() -> None:
    assert outcome(play("Write a poem about the sea")) == ("tier0", "prerouter: open_ended", 1)


def test_other_prompts_are_judged() -> None:
    route = play("Is it?")
    assert outcome(route) == ("tier0", "certain_to_agree", 3)
    assert route.prior == Prior(Step.JUDGE, BASE_RATE)


@pytest.mark.parametrize("request_", [{"judge": False}, {"start_tier": 1}])
def test_who_chooses_a_tier_or_no_judge_is_not_overruled(request_: dict[str, Any]) -> None:
    route = play("What is 17 * 23?", **request_)
    assert route.prior is None
    assert outcome(route)[1] == "unjudged"


def test_one_tier_has_nothing_to_decide() -> None:
    assert play("What is 17 * 23?", tiers=1).prior is None

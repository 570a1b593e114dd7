import math

import pytest

from streamroute.core.types import TokenLogprob
from streamroute.evaluation.rows import LEAST_LOGPROB
from streamroute.evaluation.verifying import verification_of, verification_request
from streamroute.routing.tiers import Tier
from streamroute.testing import ScriptedUpstream


def first(**top: float) -> TokenLogprob:
    return TokenLogprob("A", -0.1, tuple((token, math.log(p)) for token, p in top.items()))


def test_the_probability_is_that_of_one_letter_against_the_other() -> None:
    found = verification_of([], first(A=0.3, B=0.1, The=0.5))
    assert found.p_true == pytest.approx(math.log(0.75))


def test_spellings_of_a_verdict_are_added_up() -> None:
    token = TokenLogprob(
        "A", -0.1, tuple((t, math.log(p)) for t, p in [("A", 0.2), ("(A", 0.1), (" true", 0.1), ("b", 0.1)])
    )
    assert verification_of([], token).p_true == pytest.approx(math.log(0.8))


def test_who_says_neither_leaves_it_open() -> None:
    assert verification_of([], first(The=0.9)).p_true == pytest.approx(math.log(0.5))
    assert verification_of(["The", ""], None).share == 0.5


def test_without_log_probabilities_no_probability_is_known() -> None:
    assert verification_of(["A"], None).p_true is None
    assert verification_of(["A"], TokenLogprob("A", -0.1)).p_true is None


def test_a_certain_no_is_a_log_probability_that_a_row_may_hold() -> None:
    assert verification_of([], first(B=0.9)).p_true == LEAST_LOGPROB


def test_votes_that_are_no_verdict_do_not_count() -> None:
    assert verification_of(["A", "(A)", "B", "The"], None).share == pytest.approx(2 / 3)


def test_the_model_is_shown_the_question_and_its_answer_and_asked_for_one_token() -> None:
    tier = Tier(upstream=ScriptedUpstream(), params={"max_tokens": 90})
    request = verification_request(tier, "Which capital?", "Sydney.", votes=8, seed=3)
    assert request.n == 8
    assert (request.params["max_tokens"], request.params["seed"]) == (1, 3)
    assert "Which capital?" in request.messages[-1]["content"]
    assert "Sydney." in request.messages[-1]["content"]

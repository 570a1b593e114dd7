from __future__ import annotations

import math

import pytest

from streamroute.evaluation.baselines import BASELINES, NEEDS_SAMPLES
from streamroute.evaluation.rows import CheapLeg


def scored(name: str, answer: str, *samples: str) -> float | None:
    return BASELINES[name](CheapLeg(answer, list(samples)))


def test_chance_is_the_same_for_every_answer() -> None:
    assert scored("random", "Ann") == scored("random", "I do not know.", "Bob")


def test_an_answer_that_does_not_answer_refuses() -> None:
    assert scored("refusal", "I'm sorry, I cannot answer that without more context.") == 1
    assert scored("refusal", "Paris") == scored("disclaimer", "Paris") == 0


def test_an_answer_that_answers_in_the_end_disclaims_but_does_not_refuse() -> None:
    answer = "As an AI, I don't have access to real-time information. However, as of 2021 it was Paris."
    assert (scored("disclaimer", answer), scored("refusal", answer)) == (1, 0)


def test_length_counts_characters() -> None:
    assert scored("length", "Köln") == 4
    assert scored("length", "") == 0
    assert scored("sample-length", "anything", "Köln", "ab") == 3


def test_overlap_counts_the_samples_that_share_words() -> None:
    samples = "the red fox", "a red fox", "red fox!", "blue whale"
    assert scored("token-overlap", "anything", *samples) == pytest.approx(
        -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    )
    assert scored("token-overlap", "anything", "red fox", "red fox") == 0


def test_the_answer_is_compared_with_each_sample() -> None:
    assert scored("answer-token-f1", "red fox", "red fox", "red hen", "blue hen") == pytest.approx(0.5)
    assert scored("string-consistency", "Red fox.", "red fox", "the red fox", "fox") == pytest.approx(1 / 3)


def test_a_vote_is_lost_by_all_but_the_most_frequent_spelling() -> None:
    assert scored("majority-vote", "blue", "red", "Red.", "blue", "green") == 0.5


def test_an_answer_that_the_model_calls_false_itself_is_uncertain() -> None:
    of = BASELINES["self-verification"]
    assert [of(CheapLeg("a", [], self_verified=share)) for share in (1.0, 0.75, 0.0)] == [0, 0.25, 1]
    assert of(CheapLeg("a", ["b"])) is None


def test_without_samples_only_the_answer_can_be_scored() -> None:
    alone = CheapLeg("", [], self_verified=0.5)
    assert {name for name, baseline in BASELINES.items() if baseline(alone) is None} == NEEDS_SAMPLES

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.wording import Wording, content_words, disclaims, length_of, lexical_diversity

ASKED = frozenset(("capital", "france"))


def test_content_words_are_new_to_the_question_and_carry_meaning() -> None:
    assert content_words("The capital of France is Paris, on the Seine.", ASKED) == {"paris", "seine"}


def test_texts_that_only_repeat_the_question_say_nothing_new() -> None:
    assert content_words("What is the capital of France?", ASKED) == frozenset()
    assert lexical_diversity(0, 5) == 0


def test_more_words_are_more_diverse_up_to_one() -> None:
    values = [lexical_diversity(words, 5) for words in range(200)]
    assert values == sorted(values)
    assert values[-1] == 1


def test_four_times_the_texts_with_twice_the_words_are_as_diverse() -> None:
    assert lexical_diversity(12, 4) == pytest.approx(lexical_diversity(24, 16))


def test_no_samples_have_no_diversity() -> None:
    assert lexical_diversity(0, 0) == 0


@pytest.mark.parametrize(("characters", "length"), [(0, 0.0), (10, 0.0), (100, 0.5), (1_000, 1.0), (50_000, 1.0)])
def test_length_is_on_a_log_scale(characters: int, length: float) -> None:
    assert length_of("x" * characters) == pytest.approx(length)


def test_a_disclaimer_counts_also_before_an_answer() -> None:
    assert disclaims("I do not have access to real-time information. However, as of 2021 it was Paris.")
    assert disclaims("It may be Lyon. But I'm not sure")
    assert not disclaims("Paris is the capital of France.")


@given(st.lists(st.text(max_size=80), max_size=5))
def test_wording_adds_up_whatever_the_texts(texts: list[str]) -> None:
    seen = Wording()
    for text in texts:
        seen.add(text, ASKED)
    assert seen.samples == len(texts)
    assert 0 <= seen.disclaiming <= len(texts)
    assert 0 <= seen.length <= len(texts)
    assert seen.words == frozenset().union(*(content_words(text, ASKED) for text in texts))
    assert math.isfinite(lexical_diversity(len(seen.words), len(texts)))

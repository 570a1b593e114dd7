import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.measures.lexical import (
    jaccard,
    jaccard_matrix,
    mean_dissimilarity,
    rouge_l,
    rouge_l_matrix,
    rouge_words,
)

WORDS = st.lists(st.sampled_from("abc"), max_size=8)
TEXTS = st.lists(st.text("ab A.", max_size=8), max_size=5)


def common_subsequence(a: list[str], b: list[str]) -> int:
    if not a or not b:
        return 0
    if a[0] == b[0]:
        return 1 + common_subsequence(a[1:], b[1:])
    return max(common_subsequence(a[1:], b), common_subsequence(a, b[1:]))


@given(WORDS, WORDS)
def test_rouge_l_is_the_f1_of_the_longest_common_subsequence(a: list[str], b: list[str]) -> None:
    common = common_subsequence(a, b)
    if common:
        precision, recall = common / len(b), common / len(a)
        assert rouge_l(a, b) == pytest.approx(2 * precision * recall / (precision + recall))
    else:
        assert rouge_l(a, b) == (a == b)


@given(WORDS, WORDS)
def test_rouge_l_is_symmetric_and_one_for_equal_texts_only(a: list[str], b: list[str]) -> None:
    assert rouge_l(a, b) == rouge_l(b, a)
    assert (rouge_l(a, b) == 1) == (a == b)


def test_rouge_l_heeds_the_order_of_words_and_jaccard_does_not() -> None:
    assert rouge_l(["the", "dog", "bit", "the", "man"], ["the", "man", "bit", "the", "dog"]) == pytest.approx(0.6)
    assert jaccard("the dog bit the man", "the man bit the dog") == 1


def test_long_texts_need_more_bits_than_a_machine_word() -> None:
    words = [str(i) for i in range(300)]
    assert rouge_l(words, words[::2]) == pytest.approx(2 * 150 / 450)


def test_rouge_words_are_lower_case_letters_and_digits_of_any_script() -> None:
    assert rouge_words("It's 3.5 km, snake_case!") == ["it", "s", "3", "5", "km", "snake", "case"]
    assert rouge_words("Größe Αθήνα 北京") == ["größe", "αθήνα", "北京"]


@pytest.mark.parametrize(
    ("a", "b", "shared"), [("a b", "b c", 1 / 3), ("A", "a", 1), ("a", "b", 0), ("", "", 1), ("", "a", 0)]
)
def test_jaccard_is_the_share_of_words_in_both(a: str, b: str, shared: float) -> None:
    assert jaccard(a, b) == pytest.approx(shared)


@given(TEXTS)
def test_the_matrices_hold_each_pair(texts: list[str]) -> None:
    n = len(texts)
    rouge, shared = rouge_l_matrix(texts), jaccard_matrix(texts)
    assert rouge.shape == shared.shape == (n, n)
    for i in range(n):
        for j in range(n):
            assert rouge[i, j] == rouge_l(rouge_words(texts[i]), rouge_words(texts[j]))
            assert shared[i, j] == jaccard(texts[i], texts[j])


@given(TEXTS)
def test_mean_dissimilarity_is_minus_the_mean_over_pairs(texts: list[str]) -> None:
    n = len(texts)
    similarity = jaccard_matrix(texts)
    pairs = [similarity[i, j] for i in range(n) for j in range(i)]
    assert mean_dissimilarity(similarity) == pytest.approx(-sum(pairs) / len(pairs) if pairs else -1)


def test_fewer_than_two_texts_are_as_texts_that_agree() -> None:
    assert mean_dissimilarity(np.eye(0)) == mean_dissimilarity(np.eye(1)) == mean_dissimilarity(np.ones((3, 3))) == -1

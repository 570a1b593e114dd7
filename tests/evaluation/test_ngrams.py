from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.evaluation.ngrams import WIDTH, ngram_vectors

TEXTS = st.lists(st.text(max_size=12), max_size=6)


@given(TEXTS, st.text(max_size=12))
def test_a_text_has_one_vector_whatever_stands_beside_it(others: list[str], text: str) -> None:
    (alone,) = ngram_vectors([text])
    for among in ([*others, text], [text, *others]):
        assert ngram_vectors(among)[among.index(text)].tolist() == alone.tolist()


@given(TEXTS)
def test_vectors_have_length_one(texts: list[str]) -> None:
    vectors = ngram_vectors(texts)
    assert vectors.shape == (len(texts), WIDTH)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.array([1.0 if "".join(t.split()) else 0 for t in texts]))


def test_texts_that_share_words_are_nearer_than_those_that_do_not() -> None:
    who, where, other = ngram_vectors(["Who wrote Emma?", "where was emma written", "12 + 30"])
    assert who @ where > 0.1 > abs(who @ other)


def test_white_space_does_not_count_but_order_does() -> None:
    once, spaced, turned = ngram_vectors(["red fox runs", "  red\n fox\truns ", "runs fox red"])
    assert once.tolist() == spaced.tolist()
    assert once @ turned < 0.9


def test_half_surrogates_and_no_texts_are_no_obstacle() -> None:
    assert ngram_vectors([]).shape == (0, WIDTH)
    assert np.isfinite(ngram_vectors(["\ud800", "", "\x00", "猫"])).all()


def test_vectors_are_the_same_on_every_machine() -> None:
    (vector,) = ngram_vectors(["Who?"])
    columns = np.flatnonzero(vector)
    assert dict(zip(columns.tolist(), np.sign(vector[columns]).tolist(), strict=True)) == {
        144: -1, 394: 1, 626: -1, 641: 1, 709: -1, 729: 1, 793: -1, 836: -1, 846: 1, 919: 1, 955: -1, 974: -1, 983: 1
    }  # fmt: skip

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from streamroute.evaluation.folds import folds_by_group
from streamroute.evaluation.learned import ANSWER_SCORER, LEARNED, QUERY_ROUTER, learned_out_of_fold
from streamroute.evaluation.metrics import Bools, Floats, Ints, auroc
from streamroute.evaluation.rows import RoutingRow
from tests.evaluation.routes import row

_SYLLABLES = ("ka", "lo", "mi", "ne", "ru", "sta", "ven", "zo")


def words(rng: np.random.Generator, count: int) -> list[str]:
    return ["".join(rng.choice(_SYLLABLES, 3)) for _ in range(count)]


def made(seed: int, n: int = 200, *, planted: str = "", in_answer: bool = False) -> tuple[list[RoutingRow], Bools]:
    """Rows of made-up words, wrong at random; those with `planted`, every other one, nine times out of ten."""
    rng = np.random.default_rng(seed)
    rows, wrong = [], []
    for i in range(n):
        said, answered = words(rng, 8), words(rng, 6)
        with_it = bool(planted) and i % 2 == 0
        if with_it:
            (answered if in_answer else said).insert(int(rng.integers(6)), planted)
        rows.append(row(f"What is {' '.join(said)}?", " ".join(answered)))
        wrong.append(rng.random() < (0.5 if not planted else 0.9 if with_it else 0.1))
    return rows, np.array(wrong)


def folds_of(rows: Sequence[RoutingRow], wrong: Bools) -> Ints:
    return folds_by_group([each.question for each in rows], wrong, 5)


def predicted(name: str, rows: Sequence[RoutingRow], wrong: Bools, folds: Ints | None = None) -> Floats:
    found = learned_out_of_fold(LEARNED[name](rows), wrong, folds_of(rows, wrong) if folds is None else folds)
    assert found is not None
    assert ((found > 0) & (found < 1)).all()
    return found


def area(name: str, rows: Sequence[RoutingRow], wrong: Bools) -> float:
    found = auroc(predicted(name, rows, wrong), wrong)
    assert found is not None
    return found


@pytest.mark.parametrize("name", LEARNED)
def test_a_planted_word_in_the_question_is_learned(name: str) -> None:
    rows, wrong = made(0, planted="hemoglobin")
    assert area(name, rows, wrong) > 0.8


def test_only_the_scorer_reads_the_answer() -> None:
    rows, wrong = made(1, planted="hemoglobin", in_answer=True)
    assert area(ANSWER_SCORER, rows, wrong) > 0.8
    assert area(QUERY_ROUTER, rows, wrong) < 0.6
    others = [row(each.question, "another answer") for each in rows]
    assert predicted(QUERY_ROUTER, rows, wrong).tolist() == predicted(QUERY_ROUTER, others, wrong).tolist()


def test_a_refusal_is_told_from_an_answer_whatever_its_words() -> None:
    rows, wrong = made(2)
    refusals = ("I'm sorry, I cannot help with that.", "I do not know.", "I have no information about this.")
    said = [
        row(each.question, refusals[i % 3] if bad else each.cheap.answer)
        for i, (each, bad) in enumerate(zip(rows, wrong, strict=True))
    ]
    assert area(ANSWER_SCORER, said, wrong) > 0.95


@pytest.mark.parametrize("name", LEARNED)
def test_there_is_nothing_to_learn_in_random_labels(name: str) -> None:
    areas = [area(name, *made(seed)) for seed in range(10, 16)]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("name", LEARNED)
def test_the_order_of_rows_does_not_matter(name: str) -> None:
    rows, wrong = made(3, n=120, planted="hemoglobin")
    order = np.random.default_rng(0).permutation(len(rows))
    found = predicted(name, [rows[i] for i in order], wrong[order])
    assert found == pytest.approx(predicted(name, rows, wrong)[order], abs=1e-5)


@pytest.mark.parametrize("name", LEARNED)
def test_a_row_is_predicted_without_the_labels_of_its_fold(name: str) -> None:
    rows, wrong = made(4, n=80)
    folds = np.arange(80) % 4
    flipped = wrong.copy()
    flipped[folds == 2] ^= True
    found, other = predicted(name, rows, wrong, folds), predicted(name, rows, flipped, folds)
    assert found[folds == 2].tolist() == other[folds == 2].tolist()
    assert found[folds != 2].tolist() != other[folds != 2].tolist()


@pytest.mark.parametrize("name", LEARNED)
def test_the_same_again_is_the_same_to_the_last_bit(name: str) -> None:
    rows, wrong = made(5, n=60)
    assert predicted(name, rows, wrong).tolist() == predicted(name, rows, wrong).tolist()


@pytest.mark.parametrize("name", LEARNED)
def test_folds_without_both_labels_teach_nothing(name: str) -> None:
    rows, _ = made(6, n=4)
    for wrong in ([True] * 4, [False] * 4, [True, False, True, False]):
        assert learned_out_of_fold(LEARNED[name](rows), np.array(wrong), np.arange(4) % 2) is None


@pytest.mark.parametrize("name", LEARNED)
def test_any_text_can_be_read(name: str) -> None:
    texts = ("", " ", "\x00", "\ud800", "猫はどこ?", "word " * 2_000, "WHO?", "12 34")
    rows = [row(text, other) for text in texts for other in texts]
    wrong = np.arange(len(rows)) % 3 == 0
    assert np.isfinite(predicted(name, rows, wrong, np.arange(len(rows)) % 5)).all()


def test_thousands_of_questions_take_seconds() -> None:
    rows, wrong = made(7, n=1_000, planted="hemoglobin")
    began = time.process_time()
    predicted(QUERY_ROUTER, rows, wrong)
    assert time.process_time() - began < 20

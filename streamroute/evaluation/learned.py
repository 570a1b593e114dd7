"""Routers that learn from labelled questions what the cheap model gets wrong: from the question alone, or with its
answer. Small stand-ins for the published ones, which fine-tune encoders: linear models of hashed n-grams."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from streamroute.evaluation.folds import Predict, out_of_fold
from streamroute.evaluation.metrics import Bools, Floats, Ints
from streamroute.evaluation.ngrams import ngram_vectors
from streamroute.evaluation.ridge import fit_ridge
from streamroute.evaluation.rows import RoutingRow
from streamroute.uncertainty.normalize import token_f1, tokens
from streamroute.uncertainty.refusals import stance
from streamroute.uncertainty.sequential import Stance
from streamroute.uncertainty.wording import content_words, disclaims

__all__ = ("ANSWER_SCORER", "LEARNED", "QUERY_ROUTER", "Reader", "Reading", "learned_out_of_fold")

QUERY_ROUTER = "query-router"
ANSWER_SCORER = "answer-scorer"

RIDGE = 2.0
"""Fixed, for an inner split of a few hundred rows would pick it by chance. It says what is likely beforehand: vectors
have length one, so the words of a text, and its counts together, move the log-odds by about 1 / sqrt(2) each. One half
and twice of it moved no AUROC of recorded routes by more than two points."""
_ASKING = ("who", "what", "when", "where", "which", "why", "how")


class Reading(NamedTuple):
    """What a router sees of n rows: `words`, (n, columns), each text's of length one, and `counts`, (n, few)."""

    words: Floats
    counts: Floats


Reader = Callable[[Sequence[RoutingRow]], Reading]


def read_questions(rows: Sequence[RoutingRow]) -> Reading:
    """The question alone, before anything is generated (in the manner of RouteLLM, Ong et al. 2024,
    arXiv:2406.18665)."""
    questions = [row.question for row in rows]
    return Reading(ngram_vectors(questions), np.array([_of_question(question) for question in questions]))


def read_answers(rows: Sequence[RoutingRow]) -> Reading:
    """The question and the cheap answer to it (in the manner of the scoring function of FrugalGPT, Chen et al. 2023,
    arXiv:2305.05176, section 3)."""
    asked = read_questions(rows)
    counts = np.array([_of_answer(row.question, row.cheap.answer) for row in rows])
    answers = ngram_vectors([row.cheap.answer for row in rows])
    return Reading(np.hstack((asked.words, answers)), np.hstack((asked.counts, counts)))


LEARNED: Mapping[str, Reader] = MappingProxyType({QUERY_ROUTER: read_questions, ANSWER_SCORER: read_answers})


def learned_out_of_fold(reading: Reading, wrong: Bools, folds: Ints) -> Floats | None:
    """(n,) the probability of being wrong that a ridge-penalised logistic regression on the other folds gives each row.
    None where the other folds of some row lack one of the two labels."""

    def fit(seen: Ints) -> Predict:
        counts = reading.counts[seen]
        varying = np.flatnonzero(np.ptp(counts, axis=0) > 0)
        middle = counts[:, varying].mean(axis=0)
        # All counts together have length one, like the words of a text, in the mean over rows.
        scale = counts[:, varying].std(axis=0) * math.sqrt(len(varying))

        def design(rows: Ints) -> Floats:
            return np.hstack((reading.words[rows], (reading.counts[rows][:, varying] - middle) / scale))

        predict = fit_ridge(design(seen), wrong[seen], l2=RIDGE)
        return lambda rows: predict(design(rows))

    return out_of_fold(fit, wrong, folds)


def _of_question(question: str) -> list[float]:
    words = question.split()
    asking = next((word for word in (each.strip("?,.'\"").casefold() for each in words) if word in _ASKING), None)
    return [*_size(question), math.log1p(sum(map(str.isupper, question))), *(float(asking == each) for each in _ASKING)]


def _of_answer(question: str, answer: str) -> list[float]:
    asked, said = tokens(question), tokens(answer)
    return [
        *_size(answer),
        token_f1(asked, said),
        math.log1p(len(content_words(answer, asked))),
        float(stance(answer) is not Stance.CLAIM),
        float(disclaims(answer)),
    ]


def _size(text: str) -> list[float]:
    """Characters, words and digits, on a log scale."""
    return [math.log1p(len(text)), math.log1p(len(text.split())), math.log1p(sum(map(str.isdigit, text)))]

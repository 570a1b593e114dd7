"""One row of sampled answers, scored in every way there is: clusters, the router's score, all measures, all pairs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from streamroute.core.types import Sample
from streamroute.evaluation.asking import CHUNK
from streamroute.evaluation.sampled import SampledRow
from streamroute.uncertainty.base import EntailmentModel, Pair, Relation, Relations
from streamroute.uncertainty.clustering import Comparer, Rule
from streamroute.uncertainty.gist import Gist, gist
from streamroute.uncertainty.judge import SemanticEntropy
from streamroute.uncertainty.measures.families import family
from streamroute.uncertainty.measures.samples import SampleSet
from streamroute.uncertainty.measures.table import measure_all

__all__ = ("Memo", "Progress", "Scored", "all_relations", "matrix_pairs", "measures_of", "score_row")

Matrix = npt.NDArray[np.float64]

Progress = Callable[[int, int], None]
"""Told how many of how many pairs of the matrix are done, after each chunk."""


class Memo:
    """An `EntailmentModel` that asks `model` about each pair once, in one order of its texts, in chunks of `CHUNK`.
    `passes` counts the pairs it asked for."""

    def __init__(self, model: EntailmentModel) -> None:
        self._model = model
        self._known: dict[Pair, Relations] = {}
        self.passes = 0

    async def relations(
        self,
        pairs: Sequence[Pair],
        *,
        deadline: float | None = None,
        progress: Progress = lambda done, total: None,
    ) -> Sequence[Relations]:
        """The relations of each pair, in order; `deadline` is that of `EntailmentModel`. Raises `ScorerError`."""
        new: dict[Pair, None] = {}
        for pair in pairs:
            if pair not in self._known and pair.swapped() not in new:
                new[pair] = None
        # Pairs of similar length go together, for padding is pure loss.
        order = sorted(new, key=lambda pair: sum(map(len, pair)), reverse=True)
        for start in range(0, len(order), CHUNK):
            chunk = order[start : start + CHUNK]
            for pair, found in zip(chunk, await self._model.relations(chunk, deadline=deadline), strict=True):
                self._known[pair.swapped()] = found.swapped()
                self._known[pair] = found
            self.passes += len(chunk)
            progress(start + len(chunk), len(order))
        return [self._known[pair] for pair in pairs]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """What is known of one row. `texts` are the answer, where there is one (`answered`), and the samples;
    `assignment[i]` is the cluster of text i, clusters numbered as they appear.

    `score` is the router's own, in [0, 1]; it and all measures are higher where the texts are less certain. A measure
    is None where it is not defined or lacks an input. `entailment` and `contradiction` are (n, n) probabilities of the
    claims, the row as premise, 1 and 0 on the diagonal; None where no matrix was asked for. `nli_pairs` counts passes
    of the model, each of which says both directions of a pair.
    """

    question: str
    answered: bool
    texts: tuple[str, ...]
    assignment: tuple[int, ...]
    score: float
    measures: dict[str, float | None]
    entailment: Matrix | None
    contradiction: Matrix | None
    nli_pairs: int
    seconds: float

    @property
    def clusters(self) -> list[list[int]]:
        """The indices of the texts of each cluster."""
        found: list[list[int]] = [[] for _ in range(max(self.assignment, default=-1) + 1)]
        for i, c in enumerate(self.assignment):
            found[c].append(i)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, all numbers finite."""
        return {
            "question": self.question,
            "texts": list(self.texts),
            "clusters": self.clusters,
            "assignment": list(self.assignment),
            "score": self.score,
            "measures": self.measures,
            "entailment": None if self.entailment is None else self.entailment.tolist(),
            "contradiction": None if self.contradiction is None else self.contradiction.tolist(),
            "nli_pairs": self.nli_pairs,
            "seconds": self.seconds,
        }


async def score_row(
    model: EntailmentModel,
    row: SampledRow,
    *,
    rule: Rule | str = Rule.PROBABILITY,
    theta: float = 0.5,
    matrix: bool = True,
    progress: Progress = lambda done, total: None,
) -> Scored:
    """Scores one row, its answer taken as greedy: it marks a cluster and is not one of the samples.

    With `matrix` each of the n(n-1)/2 pairs of claims costs at most one pass of `model`, and clustering asks for few
    more; without it only clustering asks, and measures by relations are None. Raises `ScorerError`, and ValueError on a
    `theta` outside (0, 1).
    """
    began = time.perf_counter()
    memo = Memo(model)
    session = SemanticEntropy(memo, rule=rule, theta=theta).session(row.question)
    relations = await all_relations(memo, row, progress=progress) if matrix else None
    evidence = await session.evaluate(
        answer=row.answer or "",
        answer_finished=row.answer is not None,
        samples=[Sample(text) for text in row.samples],
        expected=len(row.samples),
    )
    own = () if evidence.answer_cluster is None else (evidence.answer_cluster,)
    assignment = (*own, *evidence.assignment)
    return Scored(
        question=row.question,
        answered=row.answer is not None,
        texts=tuple(row.texts),
        assignment=assignment,
        score=evidence.score,
        measures=measures_of(row, assignment, relations),
        entailment=None if relations is None else relations[0],
        contradiction=None if relations is None else relations[2],
        nli_pairs=memo.passes,
        seconds=time.perf_counter() - began,
    )


def matrix_pairs(row: SampledRow, model: EntailmentModel) -> list[Pair]:
    """What `all_relations` asks the model, which is not asked yet."""
    return _matrix(row, model)[1]


async def all_relations(
    memo: Memo, row: SampledRow, *, progress: Progress = lambda done, total: None
) -> tuple[Matrix, Matrix, Matrix]:
    """(entailment, neutral, contradiction) of the claims, each (n, n) with the row as premise, asked as clustering
    asks. Raises `ScorerError`."""
    gists, pairs = _matrix(row, memo)
    couples = combinations(range(len(gists)), 2)
    found = np.zeros((len(gists), len(gists), len(Relation._fields)))
    found[np.diag_indices(len(gists))] = Relation(1.0, 0.0, 0.0)
    for (i, j), pair, both in zip(couples, pairs, await memo.relations(pairs, progress=progress), strict=True):
        found[i, j], found[j, i] = both if pair.a == gists[i].claim else both.swapped()
    entailment, neutral, contradiction = np.moveaxis(found, -1, 0)
    return entailment, neutral, contradiction


def _matrix(row: SampledRow, model: EntailmentModel) -> tuple[list[Gist], list[Pair]]:
    comparer = Comparer(model, row.question)
    gists = [gist(text, row.question) for text in row.texts]
    return gists, [comparer.pair(a, b) for a, b in combinations(gists, 2)]


def measures_of(
    row: SampledRow,
    assignment: Sequence[int],
    relations: tuple[Matrix, Matrix, Matrix] | None,
    *,
    answer_logprobs: Sequence[float] | None = None,
    first_top_logprobs: Sequence[float] | None = None,
) -> dict[str, float | None]:
    """Every measure of the row's texts in these clusters, None where it is not defined, lacks an input or is not
    finite. `answer_logprobs`: of each token of the answer; `first_top_logprobs`: of its most likely first ones."""
    entailment, neutral, contradiction = (None, None, None) if relations is None else relations
    answered = row.answer is not None
    values = measure_all(
        SampleSet(
            texts=row.texts,
            assignment=assignment,
            entailment=entailment,
            neutral=neutral,
            contradiction=contradiction,
            mean_token_logprobs=row.logprobs,
            answer_token_logprobs=answer_logprobs or None,
            first_token_top_logprobs=first_top_logprobs or None,
            p_true_logprob=row.p_true,
            answer_sampled=not answered,
        )
    )
    # Without an answer the table would take the first sample for it.
    return {
        name: value if value is not None and math.isfinite(value) and (answered or not family(name).of_answer) else None
        for name, value in values.items()
    }

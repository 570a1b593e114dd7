"""What the measures are computed from: one answer, further samples, and all that is known about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ("SampleSet", "require_logprobs")

Matrix = npt.NDArray[np.float64]

# Softmax in single or half precision leaves this much.
ROUNDING = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleSet:
    """`texts[0]` is the shown answer, the others are samples; `assignment[i]` names the cluster of text i.

    `entailment`, `neutral` and `contradiction` are (n, n) probabilities with the row as premise, all three or none;
    what is on their diagonals is never read. Log-probabilities are natural: of each text the mean over its tokens
    and the sum, of the answer each token, of its first content token the most likely ones (the K of the provider),
    and that the model calls the answer true. None is what is not known.

    `answer_sampled`: the answer was drawn like the samples and counts as one of them. A greedy one does not, or its
    meaning would count double; it is then only compared with the samples (METHOD 2.2).

    Raises ValueError, naming the field, on another number of entries than texts, on a log-probability that is not
    finite or above zero, and on relations that are no probabilities or do not sum to one.
    """

    texts: Sequence[str]
    assignment: Sequence[int]
    entailment: Matrix | None = None
    neutral: Matrix | None = None
    contradiction: Matrix | None = None
    mean_token_logprobs: Sequence[float] | None = None
    sequence_logprobs: Sequence[float] | None = None
    answer_token_logprobs: Sequence[float] | None = None
    first_token_top_logprobs: Sequence[float] | None = None
    p_true_logprob: float | None = None
    answer_sampled: bool = True

    def __post_init__(self) -> None:
        self._require_length("assignment", self.assignment)
        for name in ("mean_token_logprobs", "sequence_logprobs"):
            self._require_length(name, getattr(self, name))
        for name in ("mean_token_logprobs", "sequence_logprobs", "answer_token_logprobs", "first_token_top_logprobs"):
            require_logprobs(name, getattr(self, name))
        require_logprobs("p_true_logprob", None if self.p_true_logprob is None else [self.p_true_logprob])
        for name in ("answer_token_logprobs", "first_token_top_logprobs"):
            values = getattr(self, name)
            if values is not None and not len(values):
                raise ValueError(f"{name} is empty; where nothing is known it is None")
        self._require_relations()

    @property
    def relations(self) -> tuple[Matrix, Matrix, Matrix] | None:
        """(entailment, neutral, contradiction), where they are known."""
        if self.entailment is None or self.neutral is None or self.contradiction is None:
            return None
        return self.entailment, self.neutral, self.contradiction

    def _require_length(self, name: str, values: Sequence[object] | None) -> None:
        if values is not None and len(values) != len(self.texts):
            raise ValueError(f"{name} has {len(values)} entries for {len(self.texts)} texts")

    def _require_relations(self) -> None:
        n = len(self.texts)
        matrices = {name: getattr(self, name) for name in ("entailment", "neutral", "contradiction")}
        missing = [name for name, matrix in matrices.items() if matrix is None]
        if len(missing) == 3:
            return
        if missing:
            raise ValueError(f"{missing[0]} is missing, and the three relations come together")
        between = ~np.eye(n, dtype=bool)
        for name, matrix in matrices.items():
            if matrix.shape != (n, n):
                raise ValueError(f"{name} has shape {matrix.shape} for {n} texts")
            values = matrix[between]
            if not ((values >= 0) & (values <= 1)).all():  # false of NaN too
                raise ValueError(f"{name} holds a value that is no probability")
        if (abs(sum(matrix[between] for matrix in matrices.values()) - 1) > ROUNDING).any():
            raise ValueError("entailment, neutral and contradiction of some pair do not sum to 1")


def require_logprobs(name: str, values: Sequence[float] | None) -> None:
    """Raises ValueError, with `name`, on a value that is not finite or above zero by more than rounding."""
    if values is None:
        return
    for i, value in enumerate(values):
        if not np.isfinite(value):
            raise ValueError(f"{name}[{i}] is {value}; log-probabilities are finite")
        if value > ROUNDING:
            raise ValueError(f"{name}[{i}] is {value}, which is above zero and so no log-probability")

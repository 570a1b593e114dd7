"""SelfCheckGPT with natural-language inference (Manakul, Liusie and Gales 2023, section 5.4; METHOD 1.6)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ("contradiction_share", "sentence_scores")

Array = npt.NDArray[np.float64]


def contradiction_share(entailment: Array, contradiction: Array) -> Array:
    """P(contradict) by softmax over the logits of entailment and contradiction only, from three-way probabilities:
    d / (d + e), of any one shape. 1/2 where both are zero, for then nothing speaks for either."""
    both = entailment + contradiction
    return np.where(both > 0, contradiction / np.where(both > 0, both, 1.0), 0.5)


def sentence_scores(entailment: Array, contradiction: Array) -> Array:
    """The score of each sentence, (sentences,), in [0, 1], higher is less certain: the mean of `contradiction_share`
    over samples. Probabilities are (sentences, samples).

    Which text is the premise is the caller's choice. The paper has the sample as premise of the sentence, which is
    right for long samples, for the sample is the evidence; the released code passes (sentence, sample), so the sentence
    is the premise there. Raises ValueError where there are no samples.
    """
    if not entailment.shape[1]:
        raise ValueError("no samples to check against")
    return np.asarray(contradiction_share(entailment, contradiction).mean(axis=1), dtype=np.float64)

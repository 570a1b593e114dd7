"""How much two texts share in words, and how little a set of texts does. Token F1 is in `uncertainty.normalize`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ("jaccard", "jaccard_matrix", "mean_dissimilarity", "rouge_l", "rouge_l_matrix", "rouge_words")

_WORD = re.compile(r"[^\W_]+")


def rouge_words(text: str) -> list[str]:
    """Lower-case runs of letters and digits. Of ASCII text the same as the tokens of Google's rouge_score without
    stemmer, which the SNNE script uses; that one drops every other letter, so that texts in most scripts are empty."""
    return _WORD.findall(text.lower())


def rouge_l(a: Sequence[str], b: Sequence[str]) -> float:
    """F1 of the longest common subsequence of two token sequences, in [0, 1] (Lin 2004, section 3.1, beta 1).

    1 for two empty sequences: what is the same is alike.
    """
    return _rouge_l(a, b, _positions(a))


def rouge_l_matrix(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """`rouge_l` of each pair of texts, (n, n), symmetric, one on the diagonal."""
    words = [rouge_words(text) for text in texts]
    positions = [_positions(sequence) for sequence in words]
    return _matrix(len(texts), lambda i, j: _rouge_l(words[i], words[j], positions[i]))


def jaccard(a: str, b: str) -> float:
    """Shared over all different words, lower-case and parted by white space, in [0, 1] (Lin, Trivedi and Sun 2024,
    section 4.1, as released). 1 for two texts without words."""
    return _jaccard(frozenset(a.lower().split()), frozenset(b.lower().split()))


def jaccard_matrix(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """`jaccard` of each pair of texts, (n, n), symmetric, one on the diagonal."""
    words = [frozenset(text.lower().split()) for text in texts]
    return _matrix(len(texts), lambda i, j: _jaccard(words[i], words[j]))


def mean_dissimilarity(similarity: npt.NDArray[np.float64]) -> float:
    """Minus the mean similarity of two different texts, from an (n, n) matrix: lexical similarity (Fomicheva et al.
    2020) with its sign flipped, so that higher is less certain. -1, as of equal texts, where there are fewer than two.
    """
    n = len(similarity)
    return -float(similarity.sum() - np.trace(similarity)) / (n * (n - 1)) if n > 1 else -1.0


def _matrix(n: int, similarity: Callable[[int, int], float]) -> npt.NDArray[np.float64]:
    matrix = np.eye(n)
    for i in range(n):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = similarity(i, j)
    return matrix


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a or b else 1.0


def _rouge_l(a: Sequence[str], b: Sequence[str], positions: dict[str, int]) -> float:
    if not a or not b:
        return float(not a and not b)
    return 2 * _common_subsequence(len(a), b, positions) / (len(a) + len(b))


def _positions(words: Sequence[str]) -> dict[str, int]:
    """For each word a number whose bit i says that the word is the i-th."""
    bits: dict[str, int] = {}
    for i, word in enumerate(words):
        bits[word] = bits.get(word, 0) | 1 << i
    return bits


def _common_subsequence(length: int, b: Sequence[str], positions: dict[str, int]) -> int:
    """Length of the longest common subsequence with a sequence of `length` words at `positions`.

    One row of the usual table is one integer, its zero bits the steps of the row (Hyyro 2004, "Bit-parallel
    LCS-length computation revisited"): some hundred times faster in Python than a table, and as short.
    """
    full = (1 << length) - 1
    row = full
    for word in b:
        matched = row & positions.get(word, 0)
        row = ((row + matched) | (row - matched)) & full
    return length - row.bit_count()

"""How much an entropy owes to the order of its texts: greedy clustering by a relation that is no equivalence."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamroute.uncertainty.measures.entropies import discrete_entropy

__all__ = ("Match", "greedy_assignment", "order_sensitivity")

CHANGE = 0.1
"""Nats by which an entropy must move to count as changed (METHOD 1.1)."""


class Match(enum.StrEnum):
    """Which cluster gets a text that is equivalent to the representatives of several."""

    FIRST = "first"
    """The earliest (streamroute, lm-polygraph)."""
    LAST = "last"
    """The latest: the released loop of Farquhar et al. 2024 never asks whether a text already has a cluster."""


def greedy_assignment(
    equivalent: npt.NDArray[np.bool_], order: Sequence[int], *, match: Match = Match.FIRST
) -> list[int]:
    """The cluster of each text where the texts come in `order`, each compared with one representative a cluster.

    `equivalent` is (n, n), row the representative; `order` a permutation of range(n). Clusters are numbered as opened.
    """
    assignment = [-1] * len(order)
    clusters = 0
    for i, text in enumerate(order):
        if assignment[text] == -1:  # it opens a cluster, which takes in what follows
            assignment[text] = clusters
            for later in order[i + 1 :]:
                if equivalent[text, later] and (match is Match.LAST or assignment[later] == -1):
                    assignment[later] = clusters
            clusters += 1
    return assignment


def order_sensitivity(
    equivalent: npt.NDArray[np.bool_], *, shuffles: int = 20, seed: int = 0, match: Match = Match.FIRST
) -> float:
    """The share of random orders in which the discrete entropy differs by more than 0.1 nats from that of the given
    order, in [0, 1] (METHOD 1.1). 0 where `equivalent`, (n, n), is an equivalence.

    Raises ValueError for fewer than one shuffle.
    """
    if shuffles < 1:
        raise ValueError(f"shuffles must be at least 1, not {shuffles}")
    n = len(equivalent)
    random = np.random.default_rng(seed)

    def entropy(order: Sequence[int]) -> float:
        return discrete_entropy(list(Counter(greedy_assignment(equivalent, order, match=match)).values()))

    given = entropy(range(n))
    return sum(abs(entropy(random.permutation(n).tolist()) - given) > CHANGE for _ in range(shuffles)) / shuffles

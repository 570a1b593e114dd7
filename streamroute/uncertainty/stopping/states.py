"""What a stopping table tells apart: how many probes hold each meaning, and how many hold that of the shown answer."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from streamroute.core.types import Evidence
from streamroute.uncertainty.measures.posterior import chance_of_new, normalised_posterior_entropy

__all__ = ("Move", "State", "following", "placements", "state_of")


class State(NamedTuple):
    """`own` probes mean what the shown answer means; None while that is not known. `others`: how many hold each other
    meaning, or each meaning while `own` is None; the largest first, so that clusterings which differ only in names are
    one state."""

    own: int | None = 0
    others: tuple[int, ...] = ()

    @property
    def probes(self) -> int:
        return (self.own or 0) + sum(self.others)

    @property
    def texts(self) -> tuple[int, ...]:
        """The sizes of all clusters. The shown answer is one of their texts, whichever way it was drawn: the next probe
        may always mean the same."""
        return self.others if self.own is None else (self.own + 1, *self.others)

    def entropy(self, most: int) -> float:
        """x2 of METHOD 2.2, in [0, 1]: over the probes alone, scaled by that of `most` probes and an answer."""
        return normalised_posterior_entropy((self.own or 0, *self.others), most=max(most, self.probes - 1) + 1)


class Move(enum.Enum):
    """What the next probe can do."""

    AGREE = enum.auto()
    JOIN = enum.auto()
    NEW = enum.auto()


def state_of(evidence: Evidence) -> State:
    """The state that the judge has found."""
    counts = Counter(evidence.assignment)
    own = None if evidence.answer_cluster is None else counts.pop(evidence.answer_cluster, 0)
    return State(own, tuple(sorted(counts.values(), reverse=True)))


def following(state: State) -> Iterator[tuple[Move, State, float]]:
    """Every state, once, that the next probe can lead to, and the Ewens posterior probability of it: a cluster attracts
    by its size, and new ones open at the rate that the posterior over concentrations gives (METHOD 3.3)."""
    texts, others = state.texts, state.others
    total = sum(texts)
    new = chance_of_new(total, len(texts))
    joining = (1 - new) / total if total else 0.0
    if state.own is not None:
        yield Move.AGREE, State(state.own + 1, others), joining * (state.own + 1)
    for size in dict.fromkeys(others):
        yield Move.JOIN, State(state.own, _grown(others, size)), joining * size * others.count(size)
    yield Move.NEW, State(state.own, (*others, 1)), new


def placements(state: State) -> Iterator[tuple[State, float]]:
    """Every state that `state` can be once the meaning of the shown answer is known, and how probable that is: the
    answer is a text like the next probe."""
    if state.own is not None:
        yield state, 1.0
        return
    total, new = state.probes, chance_of_new(state.probes, len(state.others))
    for size in dict.fromkeys(state.others):
        rest = list(state.others)
        rest.remove(size)
        yield State(size, tuple(rest)), (1 - new) * size * state.others.count(size) / total
    yield State(0, state.others), new


def _grown(sizes: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Sizes after one more of the clusters of `size` texts: the first of them, so that they stay in order."""
    i = sizes.index(size)
    return (*sizes[:i], size + 1, *sizes[i + 1 :])

"""What the probes to come can still change: reachable entropies in closed form, reachable scores by enumeration."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

__all__ = ("Group", "Groups", "Stance", "completions", "entropy_bounds", "reachable_range")


def entropy_bounds(counts: Sequence[int], remaining: int, *, closed: int | None = None) -> tuple[float, float]:
    """The least and the greatest discrete entropy, in nats, that `counts` can have after `remaining` more texts.

    Least: all join the largest cluster. Greatest: each opens a new one, or, where only `closed` different answers exist
    (yes/no, multiple choice), fills the smallest (METHOD 3.1; majorisation). Raises ValueError when there are already
    more clusters than `closed`.
    """
    sizes = sorted((c for c in counts if c), reverse=True)
    if closed is not None and len(sizes) > closed:
        raise ValueError(f"{len(sizes)} clusters in a closed set of {closed} answers")
    total = sum(sizes) + remaining
    if total == 0:
        return 0.0, 0.0
    largest, rest = (sizes[0], sizes[1:]) if sizes else (0, [])
    spread = sizes + [1] * remaining if closed is None else _filled(sizes + [0] * (closed - len(sizes)), remaining)
    return _entropy([largest + remaining, *rest], total), _entropy(spread, total)


def _filled(sizes: list[int], texts: int) -> list[int]:
    for _ in range(texts):
        sizes[sizes.index(min(sizes))] += 1
    return sizes


def _entropy(sizes: Sequence[int], total: int) -> float:
    return max(0.0, math.log(total) - math.fsum(c * math.log(c) for c in sizes if c) / total)


class Stance(enum.IntEnum):
    """What a text does: answers, refuses because it may not, or says that it does not know."""

    CLAIM = 0
    POLICY = 1
    IGNORANCE = 2


class Group(NamedTuple):
    """One cluster as the score sees it: how many probes, whether the shown answer is in it, what its texts do."""

    probes: int
    answer: bool = False
    stance: Stance = Stance.CLAIM


Groups = tuple[Group, ...]
"""Sorted, so that clusterings that differ only in names are one state."""


def completions(groups: Collection[Group], remaining: int) -> Iterator[Groups]:
    """Every clustering, once, that `groups` can become after `remaining` more probes, with the answer placed. A text
    joins a cluster or opens one."""
    states: set[Groups] = {_canonical(groups)}
    for _ in range(remaining):
        states = {after for state in states for after in _extended(state, Group(1))}
    if any(group.answer for group in groups):
        yield from states
    else:
        yield from {after for state in states for after in _extended(state, Group(0, answer=True))}


def _canonical(groups: Collection[Group]) -> Groups:
    return tuple(sorted(groups, reverse=True))


def _extended(state: Groups, text: Group) -> Iterator[Groups]:
    previous = None
    for i, group in enumerate(state):
        if group != previous:  # equal neighbours lead to the same state
            grown = group._replace(probes=group.probes + text.probes, answer=group.answer or text.answer)
            yield _canonical((*state[:i], grown, *state[i + 1 :]))
        previous = group
    yield _canonical((*state, text))


def reachable_range(
    groups: Collection[Group], remaining: int, interval: Callable[[Groups], tuple[float, float]]
) -> tuple[float, float]:
    """The least and the greatest score that all completions allow; `interval` gives the range of one final clustering,
    in which features that do not depend on counts are bounded (METHOD 3.2)."""
    ranges = [interval(state) for state in completions(groups, remaining)]
    return min(low for low, _ in ranges), max(high for _, high in ranges)

"""The least of something that is enough."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ("least",)


def least(enough: Callable[[int], bool], start: int = 1) -> int:
    """The smallest number from `start` on that is `enough`, of which more is always enough too. Asks about ever larger
    steps, then about halves: twice the logarithm of how far it is. Does not return where none is."""
    short, step, at = start - 1, 1, start
    while not enough(at):
        short, at, step = at, at + step, 2 * step
    while at - short > 1:
        middle = (short + at) // 2
        if enough(middle):
            at = middle
        else:
            short = middle
    return at

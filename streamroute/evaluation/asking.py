"""Asks a model about many pairs, and times it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamroute.nli.batcher import BlockingModel
from streamroute.uncertainty.base import Pair, Relations

__all__ = ("CHUNK", "Answers", "Progress", "ask")

CHUNK = 64
"""Pairs a call: a few of the model's own batches, and as long as Ctrl-C may have to wait."""

Progress = Callable[[int], None]
"""Told how many pairs are done, after each chunk."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model said of each pair, in order. `seconds` are the model's own, its tokenizer's with them."""

    relations: tuple[Relations, ...]
    seconds: float

    @property
    def pairs_per_second(self) -> float:
        """Pairs, each of them in both directions."""
        return len(self.relations) / max(self.seconds, 1e-9)


def ask(
    model: BlockingModel,
    pairs: Sequence[Pair],
    *,
    progress: Progress = lambda done: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Answers:
    """The relations of each pair. Blocks. Raises `ScorerError`.

    Pairs of similar length go together, for padding is pure loss; the longest first, so that the time that seems left
    shrinks rather than grows.
    """
    order = sorted(range(len(pairs)), key=lambda i: sum(map(len, pairs[i])), reverse=True)
    found: dict[int, Relations] = {}
    seconds = 0.0
    for start in range(0, len(order), CHUNK):
        part = order[start : start + CHUNK]
        began = clock()
        relations = model.relations([pairs[i] for i in part])
        seconds += clock() - began
        found.update(zip(part, relations, strict=True))
        progress(len(found))
    return Answers(tuple(found[i] for i in range(len(pairs))), seconds)

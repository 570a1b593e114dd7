"""What each measure of the table looks at."""

from __future__ import annotations

import enum

__all__ = ("Family", "family")


class Family(enum.StrEnum):
    """What a measure is about, in the words of a reader."""

    MEANINGS = "meanings of the samples"
    NEIGHBOURS = "nearest neighbours"
    WORDS = "words of the samples"
    GRAPH = "graph of the samples"
    KERNEL = "kernel of the samples"
    ANSWER = "answer against the samples"
    ALONE = "answer alone"

    @property
    def of_answer(self) -> bool:
        """Whether it is defined only where there is an answer apart from the samples."""
        return self in (Family.ANSWER, Family.ALONE)


_BY_NAME = {
    **dict.fromkeys(
        ("mean-token-surprise", "sequence-surprise", "least-token-surprise", "first-token-entropy", "p-true"),
        Family.ALONE,
    ),
    "semantic-agreement": Family.GRAPH,
}
_BY_START = {
    **dict.fromkeys(("snne", "wsnne"), Family.NEIGHBOURS),
    "dissimilarity": Family.WORDS,
    **dict.fromkeys(("eigv", "deg", "ecc"), Family.GRAPH),
    "kle": Family.KERNEL,
    **dict.fromkeys(("answer", "selfcheck", "cocoa", "semantic", "bsdetector"), Family.ANSWER),
}


def family(name: str) -> Family:
    """The family of a measure of `measure_all`, by its name."""
    return _BY_NAME.get(name, _BY_START.get(name.partition("-")[0], Family.MEANINGS))

"""How samples are worded: how many different things they say, how long they are, how many of them disclaim.

None of it compares meanings, and all of it predicts errors: a model that knows names one thing and stops.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection
from dataclasses import dataclass

from streamroute.uncertainty.normalize import split_sentences, tokens
from streamroute.uncertainty.refusals import is_refusing

__all__ = ("Wording", "content_words", "disclaims", "length_of", "lexical_diversity")

MANY_WORDS = 40
SHORT, LONG = 10, 1_000
"""Characters between which a length is told apart."""
_FUNCTION_WORDS = """
    a an the this that these those it its he him his she her hers they them their we our you your i my me one
    of in on at to for from by with as into about over after before between through during under against
    and or but nor so if than then also too very there here
    is are was were be been being am do does did done have has had can could will would may might shall should must
    who whom whose which what when where why how
"""


def content_words(text: str, asked: Collection[str]) -> frozenset[str]:
    """The different words of `text` that carry meaning and are not among `asked`, the words of the question."""
    return frozenset(tokens(text)) - _function_words() - frozenset(asked)


@functools.cache
def _function_words() -> frozenset[str]:
    return frozenset(_FUNCTION_WORDS.split())


def lexical_diversity(words: int, samples: int) -> float:
    """How many different content words `samples` texts hold together, on a log scale from none to `MANY_WORDS`, in
    [0, 1]. Vocabulary grows about with the square root of the number of texts, so it is counted by that root: the same
    model on the same question gets about the same value for any number of samples. 0 for no samples."""
    if not samples:
        return 0.0
    return min(1.0, math.log1p(words / math.sqrt(samples)) / math.log1p(MANY_WORDS))


def length_of(text: str) -> float:
    """The length of a text on a log scale between `SHORT` and `LONG` characters, in [0, 1]."""
    return min(1.0, max(0.0, math.log(max(1, len(text)) / SHORT) / math.log(LONG / SHORT)))


def disclaims(text: str) -> bool:
    """Whether any sentence of `text` says that there will be no answer, also where an answer follows."""
    finished, rest = split_sentences(text)
    return any(is_refusing(sentence) for sentence in (*finished, rest))


@dataclass(slots=True)
class Wording:
    """What is known of the wording of the samples so far. `length` is the sum of `length_of` over them."""

    samples: int = 0
    disclaiming: int = 0
    length: float = 0.0
    words: frozenset[str] = frozenset()

    def add(self, text: str, asked: Collection[str]) -> None:
        self.samples += 1
        self.disclaiming += disclaims(text)
        self.length += length_of(text)
        self.words |= content_words(text, asked)

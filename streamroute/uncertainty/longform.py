"""Long answers say too much to be the same or not: each sentence is held against the samples (METHOD 4.2, 4.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import NamedTuple

from streamroute.uncertainty.base import EntailmentModel, Pair, Relation, Relations
from streamroute.uncertainty.code import fenced
from streamroute.uncertainty.gist import MAX_CHARS, asserts
from streamroute.uncertainty.normalize import split_sentences, token_f1, tokens

__all__ = ("LongForm", "Mode", "SentenceCheck", "Support", "checkable", "choose_mode", "directional_support")

SHORT_TOKENS = 40
DECISIVE = 3
EVIDENCE = 2
NO_INFORMATION = 0.9
MAX_SENTENCES = 100
MAX_SENTENCE_WORDS = 60
MAX_SENTENCE_CHARS = 600
MIN_SENTENCE_WORDS = 3
_PREDICATE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|does|did|becomes?|became|contains?|consists?|means?|causes?|caused|makes?|made"
    r"|uses?|includes?|requires?|returns?|leads?|led|lies|lives?|wrote|won|grew|ran|came|went|took|gave|rose|fell"
    r"|began|held|built|found|left|met|lost|sold|sent|kept|stood|became|\w{3,20}ed)\b",
    re.IGNORECASE,
)
_OF_ITSELF = re.compile(r"\W*(?:i|we|you|let|please|feel free|note that you|hope)\b", re.IGNORECASE)


class Mode(StrEnum):
    """How texts are compared: in clusters, which needs equivalence, or two by two, which does not."""

    CLUSTER = "cluster"
    PAIRWISE = "pairwise"


def choose_mode(texts: Sequence[str], *, extracted: bool = False) -> Mode:
    """Clusters where the median text has at most 40 words, or where an extractor found the answers (`extracted`)."""
    lengths = [len(tokens(text[:MAX_CHARS])) for text in texts]
    return Mode.CLUSTER if extracted or not lengths or median(lengths) <= SHORT_TOKENS else Mode.PAIRWISE


class Support(NamedTuple):
    """How many short or cut off texts a longer one agrees with, contradicts, and says nothing about."""

    agreeing: int
    disagreeing: int
    unknown: int

    @property
    def agreement(self) -> float | None:
        """The share that agrees of those that something is known about, or None: a text that was cut off may not have
        got to the point."""
        known = self.agreeing + self.disagreeing
        return self.agreeing / known if known else None


def directional_support(relations: Sequence[Relations], *, theta: float = 0.5) -> Support:
    """Agreement of a long text (`a` of each pair) with short ones (`b`), which it need not be equivalent to.

    A contradiction in either direction disagrees; else a long text that entails the short one agrees; else nothing is
    known.
    """
    disagreeing = sum(max(r.forward.contradiction, r.backward.contradiction) >= theta for r in relations)
    agreeing = sum(
        r.forward.entailment >= theta and max(r.forward.contradiction, r.backward.contradiction) < theta
        for r in relations
    )
    return Support(agreeing, disagreeing, len(relations) - agreeing - disagreeing)


@dataclass(frozen=True, slots=True)
class LongForm:
    """An answer held against samples. `sentences` are those of the answer that can be checked, in order; `scores[i][j]`
    in [0, 1] is how far sample j contradicts sentence i, None where it says nothing about it."""

    sentences: tuple[str, ...]
    scores: tuple[tuple[float | None, ...], ...]

    @property
    def per_sentence(self) -> tuple[float | None, ...]:
        """The mean over the samples that say something; None where none does, which is no agreement."""
        return tuple(_mean(row) for row in self.scores)

    @property
    def worst(self) -> float | None:
        """The highest score of the first three sentences: what to decide by."""
        return _max(self.per_sentence[:DECISIVE])

    @property
    def mean(self) -> float | None:
        """The mean over all sentences: what to report."""
        return _mean(self.per_sentence)

    @property
    def per_sample(self) -> tuple[float | None, ...]:
        """How far each sample contradicts the answer: its highest score over the first three sentences."""
        return tuple(_max(column) for column in zip(*self.scores[:DECISIVE], strict=True))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _max(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


class SentenceCheck:
    """Holds answers to `question` against samples. Remembers what it asked; `pairs` counts it."""

    def __init__(self, model: EntailmentModel, question: str = "") -> None:
        self._model = model
        self._asked = tokens(question)
        self._known: dict[Pair, Relation] = {}
        self.pairs = 0

    async def check(
        self, answer: str, samples: Sequence[str], *, finished: bool = True, most: int | None = DECISIVE
    ) -> LongForm | None:
        """The first `most` checkable sentences of `answer` (None: all), each against the two sentences of each sample
        that are most like it. One call of the model, of at most `most` pairs a sample. Of an answer that is not
        `finished`, its finished sentences.

        None where there is nothing to check or nothing is known about any of it. Raises `ScorerError`.
        """
        sentences = checkable(answer, self._asked, finished=finished)[:most]
        said = [[(sentence, tokens(sentence)) for sentence in _sentences(sample)] for sample in samples]
        cells = [[_evidence(sentence, sample) for sample in said] for sentence in sentences]
        await self._ask([pair for row in cells for pair in row if isinstance(pair, Pair)])
        scores = tuple(tuple(self._score(cell) for cell in row) for row in cells)
        found = LongForm(tuple(sentences), scores)
        return None if found.mean is None else found

    async def _ask(self, pairs: Sequence[Pair]) -> None:
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        if new:
            self.pairs += len(new)
            answers = await self._model.relations(new)
            self._known.update((pair, found.forward) for pair, found in zip(new, answers, strict=True))

    def _score(self, cell: Pair | float | None) -> float | None:
        if not isinstance(cell, Pair):
            return cell
        found = self._known[cell]
        decided = found.entailment + found.contradiction
        return None if found.neutral > NO_INFORMATION or decided <= 0 else min(1.0, found.contradiction / decided)


def checkable(text: str, asked: Sequence[str] = (), *, finished: bool = True) -> list[str]:
    """The sentences of `text`, without an unfinished last one unless it is `finished`, that can be true or false.

    They name something, have a number or a factual predicate, and are no filler, question, refusal, heading or offer.
    `asked` are the words of the question. At most 100.
    """
    return [
        sentence for sentence in _sentences(text, finished=finished) if _states(sentence) and asserts(sentence, asked)
    ]


def _sentences(text: str, *, finished: bool = True) -> list[str]:
    """Sentences of the prose, cut to what a model can read."""
    every, rest = split_sentences(fenced(text[:MAX_CHARS]).prose)
    if rest and finished:
        every.append(rest)
    return [" ".join(s.split()[:MAX_SENTENCE_WORDS])[:MAX_SENTENCE_CHARS] for s in every[:MAX_SENTENCES]]


def _states(sentence: str) -> bool:
    words = sentence.lstrip("*-•> ").split()
    heading = sentence.startswith("#") or sentence.rstrip("*").endswith(":")
    if len(words) < MIN_SENTENCE_WORDS or heading or _OF_ITSELF.match(sentence):
        return False
    named = any(word[:1].isupper() and word not in ("I", "I'm") for word in words[1:])
    return named or any(map(str.isdigit, sentence)) or bool(_PREDICATE.search(sentence))


def _evidence(sentence: str, said: Sequence[tuple[str, list[str]]]) -> Pair | float | None:
    """What is to be asked; 0 where the sample says the same in the same words, None where it shares none with it."""
    words = tokens(sentence)
    if any(words == other for _, other in said):
        return 0.0
    ranked = sorted(((token_f1(words, other), -i) for i, (_, other) in enumerate(said)), reverse=True)[:EVIDENCE]
    best = sorted(-i for f1, i in ranked if f1 > 0)
    return Pair("", " ".join(said[i][0] for i in best), sentence) if best else None

"""The training mixture of the judge: rows of several data sets as pairs of texts with a target.

The sources know different amounts, so there are three kinds of target:

- ``three_way``      a entails, is neutral to, or contradicts b (NLI corpora); nothing is said of b -> a, except that a
                     contradiction is one both ways and an entailment none;
- ``equivalence``    two answers to one question do or do not mean the same: both directions entail, or neither;
- ``contradiction``  two sentences do or do not contradict each other.

Row formats are those of the project's own commands, see ``onnx_models/README.md``.
"""

from __future__ import annotations

import json
import lzma
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from negatives import gold_pairs, swapped

from streamroute.uncertainty.gist import gist

Kind = Literal["three_way", "equivalence", "contradiction"]
KINDS: tuple[Kind, ...] = ("three_way", "equivalence", "contradiction")
LABELS = ("entailment", "neutral", "contradiction")

# Rows per epoch. Synthetic sources teach their templates, not the language; human ones in short supply are repeated.
SHARES = {
    "snli_dev": 14_000,
    "mnli_train10k": 15_000,
    "lingnli_train": 30_000,
    "conjnli_adv": 4_000,
    "sra_train": 3_000,
} | {f"curr_{name}": 300 for name in ("boolean", "comparative", "conditional", "counting", "negation", "quantifier")}
EQUAL_ANSWERS = 12_000
SWAPPED_ANSWERS = 5_000
GOLD_ANSWERS = 4_000
HARMLESS_SENTENCES = 5_500
WITH_QUESTION = 0.8  # of sentences that could stand alone
AS_CLAIM = 0.6  # of answers are cut to what the router compares
STANDALONE_WORDS = 6
HELD_OUT = 1000  # rows of SNLI dev that are never trained on: what training is watched with


@dataclass(frozen=True, slots=True)
class Example:
    question: str
    a: str
    b: str
    kind: Kind
    target: int  # index into LABELS for three_way, else 1 (holds) or 0


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _three_way(path: Path) -> dict[str, list[Example]]:
    by_source: dict[str, list[Example]] = {}
    for row in rows(path):
        example = Example("", row["premise"], row["hypothesis"], "three_way", LABELS.index(row["label"]))
        by_source.setdefault(row["source"], []).append(example)
    return by_source


class Mixture:
    """All rows in memory; `epoch(i)` is a seeded draw of the sources, the same for the same seed.

    A row whose premise stands in the test file is left out, whatever its hypothesis.
    """

    def __init__(self, data: Path, *, seed: int) -> None:
        self._seed = seed
        tested = {row["premise"].strip().casefold() for row in rows(data / "nli" / "test.jsonl.xz")}
        sources = _three_way(data / "nli" / "train_3way.jsonl.xz")
        for source, examples in _three_way(data / "nli" / "dev.jsonl.xz").items():
            sources[source] = examples[HELD_OUT:] if source == "snli_dev" else examples
        self._three_way = {
            source: [example for example in examples if example.a.strip().casefold() not in tested]
            for source, examples in sources.items()
        }
        self._answers = list(rows(data / "nli" / "qa_equivalence_train.jsonl.xz"))
        sentences = list(rows(data / "nli" / "llm_contradiction_train.jsonl.xz"))
        self._conflicting = [row for row in sentences if row["label"] == "contradiction"]
        self._harmless = [row for row in sentences if row["label"] != "contradiction"]
        unseen = {row["question"].casefold() for row in rows(data / "nli" / "qa_equivalence_dev.jsonl.xz")}
        unseen |= {row["question"].casefold() for row in rows(data / "routing" / "nq250.jsonl.xz")}
        questions = rows(data / "questions" / "questions.jsonl.xz")
        self._gold = [row for row in questions if row["question"].casefold() not in unseen and row["kind"] == "free"]

    def epoch(self, index: int) -> list[Example]:
        rng = random.Random(self._seed * 1000 + index)
        examples: list[Example] = []
        for source, pool in sorted(self._three_way.items()):
            wanted = SHARES.get(source, len(pool))
            repeats, rest = divmod(wanted, len(pool)) if pool else (0, 0)
            examples += pool * repeats + rng.sample(pool, rest)
        examples += self._answer_pairs(rng)
        examples += [Example(*pair, "equivalence", same) for pair, same in gold_pairs(self._gold, GOLD_ANSWERS, rng)]
        examples += self._sentence_pairs(rng)
        rng.shuffle(examples)
        return examples

    def _answer_pairs(self, rng: random.Random) -> Iterator[Example]:
        # Unequal pairs are rarer (a quarter) and matter more: all of them, and as many made by swapping what two equal
        # answers share for something of the same kind.
        unequal = [row for row in self._answers if not row["equivalent"]]
        equal = [row for row in self._answers if row["equivalent"]]
        for row in unequal + rng.sample(equal, EQUAL_ANSWERS):
            a, b = (_shortened(rng, row[side], row["question"]) for side in ("a", "b"))
            yield _turned(rng, row["question"], (a, b), "equivalence", int(row["equivalent"]))
        made = 0
        for row in rng.sample(equal, len(equal)):
            a, b = (gist(row[side], row["question"]).claim for side in ("a", "b"))
            other = rng.choice(equal)
            changed = swapped(row["question"], a, b, other["b"], rng)
            if changed is not None:
                yield _turned(rng, row["question"], (a, changed), "equivalence", 0)
                made += 1
            if made == SWAPPED_ANSWERS:
                break

    def _sentence_pairs(self, rng: random.Random) -> Iterator[Example]:
        for row in self._conflicting + rng.sample(self._harmless, HARMLESS_SENTENCES):
            target = int(row["label"] == "contradiction")
            yield _turned(rng, row["question"], (row["premise"], row["hypothesis"]), "contradiction", target)


def _shortened(rng: random.Random, answer: str, question: str) -> str:
    return (gist(answer, question).claim or answer) if rng.random() < AS_CLAIM else answer


def _turned(rng: random.Random, question: str, texts: Sequence[str], kind: Kind, target: int) -> Example:
    a, b = texts if rng.random() < 0.5 else reversed(texts)
    standalone = min(len(a.split()), len(b.split())) >= STANDALONE_WORDS
    return Example("" if standalone and rng.random() > WITH_QUESTION else question, a, b, kind, target)


def watch_set(data: Path) -> list[Example]:
    """The held-out head of SNLI dev."""
    return _three_way(data / "nli" / "dev.jsonl.xz")["snli_dev"][:HELD_OUT]


def equivalence_dev(data: Path) -> list[dict[str, Any]]:
    return list(rows(data / "nli" / "qa_equivalence_dev.jsonl.xz"))

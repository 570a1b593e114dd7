"""The training mixture of the judge: rows of three data sets as tokenised, weighted examples.

Each example is one *directed* premise -> hypothesis pair with a target of one of three kinds, because the sources
know different amounts:

- ``three_way``      entailment, neutral or contradiction (NLI corpora);
- ``equivalence``    a pair of answers to one question is or is not equivalent, so entailment should or should not hold;
- ``contradiction``  a pair of sentences does or does not contradict.

Row formats are those of the project's own commands, see ``onnx_models/README.md``.
"""

from __future__ import annotations

import json
import lzma
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["three_way", "equivalence", "contradiction"]
KINDS: tuple[Kind, ...] = ("three_way", "equivalence", "contradiction")
LABELS = ("entailment", "neutral", "contradiction")

# Synthetic sources teach their templates, not the language: at most this many rows of each are used per epoch.
SOURCE_CAPS = {"conjnli_adv": 6000, "sra_train": 5000} | {
    f"curr_{name}": 600 for name in ("boolean", "comparative", "conditional", "counting", "negation", "quantifier")
}
EQUIVALENCE_PER_EPOCH = 24_000
CONTRADICTION_PER_EPOCH = 14_000
# Both answers at least this long: sentences that stand alone, so the question is left out half of the time.
STANDALONE_WORDS = 6


@dataclass(frozen=True, slots=True)
class Example:
    premise: str
    hypothesis: str
    kind: Kind
    target: int  # index into LABELS for three_way, else 1 (holds) or 0


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def with_question(question: str, answer: str) -> str:
    """The form in which the judge sees a short answer: the question makes it a proposition (Farquhar 2024)."""
    return f"{question} {answer}"


def _three_way(path: Path) -> dict[str, list[Example]]:
    by_source: dict[str, list[Example]] = {}
    for row in rows(path):
        example = Example(row["premise"], row["hypothesis"], "three_way", LABELS.index(row["label"]))
        by_source.setdefault(row["source"], []).append(example)
    return by_source


class Mixture:
    """All rows in memory; `epoch(i)` is a fresh, seeded draw of capped sources, the same for the same seed."""

    def __init__(self, data: Path, *, seed: int) -> None:
        self._seed = seed
        self._three_way = _three_way(data / "train_3way.jsonl.xz")
        for source, examples in _three_way(data / "dev.jsonl.xz").items():
            self._three_way[source] = examples[HELD_OUT:] if len(examples) > 2 * HELD_OUT else []
        self._equivalence = list(rows(data / "qa_equivalence_train.jsonl.xz"))
        contradictions = list(rows(data / "llm_contradiction_train.jsonl.xz"))
        self._positive = [row for row in contradictions if row["label"] == "contradiction"]
        self._negative = [row for row in contradictions if row["label"] != "contradiction"]

    def epoch(self, index: int) -> list[Example]:
        rng = random.Random(self._seed * 1000 + index)
        examples: list[Example] = []
        for source, pool in sorted(self._three_way.items()):
            cap = SOURCE_CAPS.get(source, len(pool))
            examples += pool if cap >= len(pool) else rng.sample(pool, cap)
        examples += self._answer_pairs(rng)
        examples += self._sentence_pairs(rng)
        rng.shuffle(examples)
        return examples

    def _answer_pairs(self, rng: random.Random) -> Iterator[Example]:
        # Unequal pairs are rarer (a quarter) and matter more: take them all, and as many equal ones as fit.
        unequal = [row for row in self._equivalence if not row["equivalent"]]
        equal = [row for row in self._equivalence if row["equivalent"]]
        chosen = unequal + rng.sample(equal, min(len(equal), EQUIVALENCE_PER_EPOCH - len(unequal)))
        for row in chosen:
            yield _directed(rng, row["question"], (row["a"], row["b"]), "equivalence", int(row["equivalent"]))

    def _sentence_pairs(self, rng: random.Random) -> Iterator[Example]:
        chosen = self._positive + rng.sample(self._negative, CONTRADICTION_PER_EPOCH - len(self._positive))
        for row in chosen:
            target = int(row["label"] == "contradiction")
            yield _directed(rng, row["question"], (row["premise"], row["hypothesis"]), "contradiction", target)


def _directed(rng: random.Random, question: str, texts: tuple[str, str], kind: Kind, target: int) -> Example:
    a, b = texts
    if rng.random() < 0.5:
        a, b = b, a
    standalone = min(len(a.split()), len(b.split())) >= STANDALONE_WORDS
    if not (standalone and rng.random() < 0.5):
        a, b = with_question(question, a), with_question(question, b)
    return Example(a, b, kind, target)


HELD_OUT = 1000  # rows of each large dev source that are never trained on: what training is watched with


def watch_set(data: Path) -> list[Example]:
    """The held-out head of each dev source (small sources whole)."""
    return [example for pool in _three_way(data / "dev.jsonl.xz").values() for example in pool[:HELD_OUT]]


def equivalence_dev(data: Path) -> list[dict[str, Any]]:
    return list(rows(data / "qa_equivalence_dev.jsonl.xz"))

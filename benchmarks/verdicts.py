"""What the judge's benchmarks judge: 16 questions, each with an answer and 5 samples of about twenty words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from streamroute.core.types import Evidence, Sample

if TYPE_CHECKING:
    from streamroute.nli.batcher import BlockingModel, EntailmentWorker
    from streamroute.nli.model import CrossEncoder
    from streamroute.uncertainty.judge import SemanticEntropy

_DATA = Path(__file__).with_name("verdicts.jsonl")
# One for every copy of a row: two routes that ask the same would be merged, and the judge would look faster.
_OPENINGS = ("", "Indeed, ", "In short, ", "As far as I know, ")


class Row(NamedTuple):
    """One question with all that a verdict on its answer takes."""

    question: str
    answer: str
    samples: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.answer, *self.samples)


def read(most: int | None = None) -> list[Row]:
    """The first `most` rows."""
    lines = _DATA.read_text(encoding="utf-8").splitlines()[:most]
    found = map(json.loads, lines)
    return [Row(row["question"], row["answer"], tuple(row["samples"])) for row in found]


def routes(count: int) -> list[Row]:
    """`count` rows of which no two compare the same texts. At most 64."""
    rows = read()
    if count > len(rows) * len(_OPENINGS):
        raise ValueError(f"there are {len(rows) * len(_OPENINGS)} different routes, not {count}")
    return [_opened(rows[i % len(rows)], _OPENINGS[i // len(rows)]) for i in range(count)]


def _opened(row: Row, opening: str) -> Row:
    return Row(row.question, opening + row.answer, tuple(opening + text for text in row.samples))


def bundled_model() -> CrossEncoder:
    """The bundled model alone."""
    from streamroute.nli.manifest import bundled_manifest, read_manifest
    from streamroute.nli.model import CrossEncoder

    models, default = read_manifest(bundled_manifest())
    return CrossEncoder(models[default])


def uncached(model: BlockingModel, *, max_queued: int = 256) -> EntailmentWorker:
    """A worker that remembers nothing from one verdict to the next, so that a repetition costs what the first did."""
    from streamroute.nli.batcher import EntailmentWorker

    return EntailmentWorker(model, max_queued=max_queued, cached=0)


async def verdict(judge: SemanticEntropy, row: Row) -> Evidence:
    """One verdict on a finished answer, all samples at once."""
    return await judge.session(row.question).evaluate(
        answer=row.answer, answer_finished=True, samples=samples(row), expected=len(row.samples)
    )


def samples(row: Row) -> Sequence[Sample]:
    return [Sample(text) for text in row.samples]

"""What the judge knows after each sample of each row, in the order in which the samples came; kept in a file.

Judging is what takes the time: a second look at the same rows reads the file. A row: its id, whether the cheap and the
large answer are right (None where there is no large one), and for every horizon the evidence after 0, 1, 2 ... samples.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from streamroute.core.types import Evidence, Sample
from streamroute.evaluation.rows import lines_of, numbered
from streamroute.nli.model import load_bundled
from streamroute.uncertainty.base import Scorer
from streamroute.uncertainty.judge import SemanticEntropy

HORIZONS = (5, 8, 10)


@dataclass(frozen=True, slots=True)
class Row:
    """`evidences[k][j]` is the evidence after j of k samples."""

    id: str
    cheap_right: bool
    large_right: bool | None
    evidences: dict[int, list[Evidence]]


def judged_rows(file: Path, *, cache: Path | None = None, limit: int | None = None) -> list[Row]:
    """The labelled rows of a file of routing rows, every prefix of their samples judged; at most `limit` of them."""
    raw = [json.loads(line) for _, line in numbered(lines_of(file), str(file))]
    raw = [row for row in raw if row["cheap"].get("correct") is not None][:limit]
    stamp = hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()
    if cache is not None and cache.exists():
        kept = msgspec.json.decode(cache.read_bytes(), type=dict[str, list[Row]])
        if stamp in kept:
            return kept[stamp]
    rows = asyncio.run(_judge_all(raw))
    if cache is not None:
        cache.write_bytes(msgspec.json.encode({stamp: rows}))
    return rows


async def _judge_all(raw: Sequence[dict[str, Any]]) -> list[Row]:
    worker = load_bundled()
    try:
        judge = SemanticEntropy(worker)
        return [await _judge(row, judge) for row in raw]
    finally:
        await worker.aclose()


async def _judge(row: dict[str, Any], judge: Scorer) -> Row:
    cheap, texts = row["cheap"], [Sample(text) for text in row["cheap"]["samples"]]
    evidences: dict[int, list[Evidence]] = {}
    for horizon in sorted({min(k, len(texts)) for k in HORIZONS}):
        session = judge.session(row["question"])
        evidences[horizon] = [
            await session.evaluate(answer=cheap["answer"], answer_finished=True, samples=texts[:seen], expected=horizon)
            for seen in range(horizon + 1)
        ]
    large = row.get("large") or {}
    return Row(row["id"], cheap["correct"], large.get("correct"), evidences)

"""All figures of one record set, as plain values."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.reporting.settings import Records, Settings
from streamroute.errors import DataFileError
from streamroute.evaluation.comparison.early import early_stopping
from streamroute.evaluation.comparison.sets import Compared, compare
from streamroute.evaluation.judged import Judgement, judge_rows, with_samples
from streamroute.evaluation.methods import OURS, Method
from streamroute.evaluation.rows import RoutingRow, read_rows
from streamroute.nli.batcher import BlockingModel
from streamroute.uncertainty.clustering import Rule

__all__ = ("figures_of", "rows_of")

BY_COUNT = (OURS, "streamroute-fitted", "discrete-se", "snne-nli", "selfcheck-nli-answer-premise", "token-overlap")
"""Whose ranking is looked at for each number of samples."""
CUTS = (0.5,)
"""What is left of each sample where samples are cut short."""
EXAMPLES = 8


def rows_of(records: Records) -> list[RoutingRow]:
    """The rows of a set of which both answers have a label. Raises `DataFileError`, also where none has."""
    path = Path(records.file)
    rows = [row for row in read_rows(path, RoutingRow) if not records.kinds or row.kind in records.kinds]
    paired = [row for row in rows if row.paired and row.cheap.samples]
    if not paired:
        raise DataFileError(f"{path}: no row of {records.name!r} has samples and labels of both answers")
    return paired


def figures_of(
    rows: Sequence[RoutingRow], model: BlockingModel, settings: Settings, *, texts: bool = False
) -> dict[str, Any]:
    """Everything but the systems, of what `rows_of` gives; `texts` may be quoted."""
    judged = [with_samples(row, settings.samples) for row in rows]
    most = min(len(row.cheap.samples) for row in rows)
    counts = {*range(1, settings.samples + 1), *(count for count in settings.counts if count <= most)}
    after = {count: judge_rows(model, [with_samples(row, count) for row in rows]) for count in sorted(counts)}
    judgement = after[settings.samples]
    early = early_stopping([after[count] for count in range(1, settings.samples + 1)])
    compared = _compared(judged, judgement, settings, beside=[early])
    return {
        "models": {"cheap": rows[0].cheap.model, "large": rows[0].large.model if rows[0].large else ""},
        **asdict(compared),
        "by_count": _by_count(rows, {count: after[count] for count in settings.counts if count in after}, settings),
        "ablations": _ablations(model, judged, settings),
        "failures": _failures(judged, judgement, texts=texts),
    }


def _compared(
    rows: Sequence[RoutingRow],
    judgement: Judgement,
    settings: Settings,
    *,
    only: Collection[str] | None = None,
    beside: Sequence[Method] = (),
) -> Compared:
    return compare(
        rows,
        judgement,
        settings.billing,
        share=settings.share,
        resamples=settings.resamples,
        together=settings.together,
        only=only,
        beside=beside,
    )


def _by_count(rows: Sequence[RoutingRow], after: Mapping[int, Judgement], settings: Settings) -> dict[str, Any]:
    """What each further sample brings: the AUROC of some methods, and the gap and the cost of ours, held out. `after`:
    how the rows were judged by so many samples."""
    found: dict[str, list[float | None]] = {name: [] for name in BY_COUNT}
    held: dict[str, list[Any]] = {"escalated": [], "gap": [], "cost": []}
    for count, judgement in after.items():
        cut = [with_samples(row, count) for row in rows]
        entries = {each.name: each for each in _compared(cut, judgement, settings, only=BY_COUNT).entries}
        for name in BY_COUNT:
            found[name].append(entries[name].auroc.value if name in entries else None)
        for figure, values in held.items():
            values.append(getattr(entries[OURS].held_out, figure))
    return {"counts": list(after), "auroc": found, "held_out": held}


def _ablations(model: BlockingModel, rows: Sequence[RoutingRow], settings: Settings) -> list[dict[str, Any]]:
    """The AUROC of the default score, one thing changed at a time; `difference` to nothing changed."""
    once = msgspec.structs.replace(settings, resamples=1)  # no intervals are told
    whole = partial(_judged, model, rows)
    variants: Mapping[str, Callable[[], tuple[Sequence[RoutingRow], Judgement]]] = {
        "as it is": whole,
        **{f"rule: {rule}": partial(whole, rule=rule) for rule in Rule},
        "without log-probabilities": partial(whole, logprobs=False),
        **{f"samples cut to {share:.0%}": partial(_judged, model, _cut(rows, share)) for share in CUTS},
    }
    found: list[dict[str, Any]] = []
    for name, variant in variants.items():
        seen, judgement = variant()
        entries = _compared(seen, judgement, once, only=(OURS, "discrete-se")).entries
        area = {each.name: each.auroc.value for each in entries}
        pairs = statistics.fmean(each.evidence.nli_pairs for each in judgement.rows)
        found.append(
            {"what": name, "auroc": area.get(OURS), "discrete_se": area.get("discrete-se"), "nli_pairs": pairs}
        )
    return found


def _judged(
    model: BlockingModel, rows: Sequence[RoutingRow], *, rule: Rule = Rule.PROBABILITY, logprobs: bool = True
) -> tuple[Sequence[RoutingRow], Judgement]:
    return rows, judge_rows(model, rows, rule=rule, logprobs=logprobs)


def _cut(rows: Sequence[RoutingRow], share: float) -> list[RoutingRow]:
    """The rows with the first `share` of each sample's characters."""

    def short(row: RoutingRow) -> RoutingRow:
        samples = [text[: max(1, round(share * len(text)))] for text in row.cheap.samples]
        # The times are those of the whole texts.
        return msgspec.structs.replace(
            row, cheap=msgspec.structs.replace(row.cheap, samples=samples, sample_timings=None)
        )

    return [short(row) for row in rows]


def _failures(rows: Sequence[RoutingRow], judgement: Judgement, *, texts: bool) -> dict[str, Any]:
    """What the default score is most certain of and wrong, and the other way round."""
    scores = [each.evidence.score for each in judgement.rows]
    order = sorted(range(len(rows)), key=scores.__getitem__)
    wrong = [i for i in order if not rows[i].cheap.correct]
    right = [i for i in reversed(order) if rows[i].cheap.correct]
    quarter = order[: max(1, len(order) // 4)]
    sure = [i for i in quarter if not rows[i].cheap.correct]

    def told(i: int) -> dict[str, Any]:
        row, evidence = rows[i], judgement.rows[i].evidence
        about = {"id": row.id, "score": round(scores[i], 3), "clusters": list(evidence.sizes)}
        if not texts:
            return about
        said = {"question": row.question, "answer": row.cheap.answer, "gold": (row.gold or [""])[0]}
        return about | said | {"large": row.large.answer if row.large else "", "large_right": _mended(row)}

    return {
        "certain_quarter": len(quarter),
        "certain_and_wrong": len(sure),
        "of_one_meaning": sum(len(judgement.rows[i].evidence.sizes) == 1 for i in sure),
        "refusals": sum(judgement.rows[i].evidence.refusals > 0 for i in sure),
        "large_right": sum(_mended(rows[i]) for i in sure),
        "wrong": [told(i) for i in wrong[:EXAMPLES]],
        "right": [told(i) for i in right[:EXAMPLES]],
    }


def _mended(row: RoutingRow) -> bool:
    """Whether the large model is right."""
    return row.large is not None and bool(row.large.correct)

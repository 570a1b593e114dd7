"""Routing rows as the judge sees them: its evidence on each, and every measure of the same texts beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from streamroute.core.types import Confidence, Evidence, Sample, TokenLogprob
from streamroute.evaluation.rows import CheapLeg, RoutingRow
from streamroute.evaluation.sampled import SampledRow
from streamroute.evaluation.scoring import Memo, Progress, all_relations, matrix_pairs, measures_of
from streamroute.nli.batcher import BlockingModel
from streamroute.uncertainty.base import Pair, Relations
from streamroute.uncertainty.clustering import Rule
from streamroute.uncertainty.combine import most_probes
from streamroute.uncertainty.judge import SemanticEntropy
from streamroute.uncertainty.measures.families import Family, family

__all__ = ("Blocking", "Judged", "Judgement", "judge_rows", "with_samples")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One row. `measures` are higher where less certain, None where not defined; without samples only those of the
    answer alone are. `pairs` were compared for them, `answer_pairs` of them with the answer; what the judge itself
    needed is in `evidence.nli_pairs`."""

    evidence: Evidence
    measures: dict[str, float | None]
    pairs: int
    answer_pairs: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """All rows, in order, what the model was asked for them, and the seconds that everything took."""

    rows: tuple[Judged, ...]
    passes: int
    seconds: float


class Blocking:
    """An `EntailmentModel` for which somebody waits: nothing else runs on the loop here."""

    def __init__(self, model: BlockingModel) -> None:
        self._model = model

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        return self._model.relations(pairs)


def with_samples(row: RoutingRow, most: int) -> RoutingRow:
    """The row with at most the first `most` samples."""
    leg, changes = row.cheap, {}
    for name in ("samples", "sample_timings", "sample_logprobs"):
        if (values := getattr(leg, name)) is not None:
            changes[name] = values[:most]
    return msgspec.structs.replace(row, cheap=msgspec.structs.replace(leg, **changes))


def judge_rows(
    model: BlockingModel,
    rows: Sequence[RoutingRow],
    *,
    rule: Rule | str = Rule.PROBABILITY,
    logprobs: bool = True,
    progress: Progress = lambda done, total: None,
) -> Judgement:
    """Judges each row by all of its samples, its answer taken as greedy; `rule` and `logprobs` as of `SemanticEntropy`.
    Blocks. Raises `ScorerError`.

    The full matrices of all rows are asked first, pairs of similar length together.
    """
    return asyncio.run(_judge_rows(model, rows, Rule(rule), logprobs, progress))


async def _judge_rows(
    model: BlockingModel, rows: Sequence[RoutingRow], rule: Rule, logprobs: bool, progress: Progress
) -> Judgement:
    began = time.perf_counter()
    memo = Memo(Blocking(model))
    most = most_probes(max((len(row.cheap.samples) for row in rows), default=0))
    scorer = SemanticEntropy(memo, rule=rule, logprobs=logprobs, most_probes=most)
    texts = [_sampled(row) for row in rows]
    await memo.relations([pair for each in texts for pair in matrix_pairs(each, memo)], progress=progress)
    judged = [await _judge(memo, scorer, row, each) for row, each in zip(rows, texts, strict=True)]
    return Judgement(tuple(judged), memo.passes, time.perf_counter() - began)


async def _judge(memo: Memo, scorer: SemanticEntropy, row: RoutingRow, texts: SampledRow) -> Judged:
    leg = row.cheap
    evidence = await scorer.session(row.question).evaluate(
        answer=leg.answer,
        answer_finished=True,
        samples=_samples(leg),
        expected=len(leg.samples),
        confidence=_confidence(leg),
    )
    own = () if evidence.answer_cluster is None else (evidence.answer_cluster,)
    relations = await all_relations(memo, texts)
    measures = measures_of(
        texts,
        (*own, *evidence.assignment),
        relations,
        answer_logprobs=leg.logprobs,
        first_top_logprobs=leg.first_top_logprobs,
    )
    pairs = matrix_pairs(texts, memo)
    return Judged(
        evidence=evidence,
        measures=_defined(measures, leg),
        pairs=len(set(pairs)),
        answer_pairs=len(set(pairs[: len(leg.samples)])),
    )


def _samples(leg: CheapLeg) -> list[Sample]:
    means: Sequence[float | None] = leg.sample_logprobs or [None] * len(leg.samples)
    return [Sample(text, mean_logprob=mean) for text, mean in zip(leg.samples, means, strict=True)]


def _sampled(row: RoutingRow) -> SampledRow:
    leg = row.cheap
    means = None
    if leg.logprobs and leg.sample_logprobs is not None:
        means = [sum(leg.logprobs) / len(leg.logprobs), *leg.sample_logprobs]
    return SampledRow(row.question, leg.samples, leg.answer, means, leg.p_true)


def _confidence(leg: CheapLeg) -> Confidence | None:
    values = leg.logprobs
    if not values:
        return None
    top = tuple(("", logprob) for logprob in leg.first_top_logprobs or ())
    return Confidence(TokenLogprob("", values[0], top), sum(values) / len(values), min(values), len(values))


def _defined(measures: dict[str, float | None], leg: CheapLeg) -> dict[str, float | None]:
    """Without samples the table takes them to agree; here there is then nothing to measure."""
    if leg.samples:
        return measures
    return {name: value if family(name) is Family.ALONE else None for name, value in measures.items()}

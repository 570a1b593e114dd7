"""Routing rows to records: judged on the spot, as the route would judge them."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamroute.calibration.labels import differs
from streamroute.calibration.records import Record
from streamroute.config.binding import RULE, THETA, binding_of
from streamroute.config.settings import RouteSettings, Settings
from streamroute.core.types import CHARACTERS_PER_TOKEN, Confidence, Sample, TokenLogprob
from streamroute.evaluation.rows import CheapLeg, LargeLeg, RoutingRow
from streamroute.routing.tiers import Price
from streamroute.uncertainty.base import EntailmentModel
from streamroute.uncertainty.clustering import Comparer
from streamroute.uncertainty.combine import most_probes
from streamroute.uncertainty.judge import SemanticEntropy

__all__ = ("Judged", "judge_rows", "record_of")


@dataclass(slots=True)
class Judged:
    """`short` rows have fewer samples than the route draws, and were left out. `models` are the cheap ones of the rows,
    `bound` that of the route."""

    bound: str
    records: list[Record] = field(default_factory=list)
    short: int = 0
    models: set[str] = field(default_factory=set)

    def warnings(self, route: RouteSettings) -> Iterator[str]:
        if self.short:
            yield f"{self.short} rows have fewer samples than the {route.probes.count} that route {route.name} draws"
        others = sorted(self.models - {self.bound, ""})
        if others:
            yield f"the rows are of {', '.join(others)}, but the first tier of route {route.name} is {self.bound}"


def judge_rows(
    rows: Sequence[RoutingRow], settings: Settings, route: RouteSettings, *, agreement: bool = False
) -> Judged:
    """Records of the rows, with the samples, rule and judge of `route`, whose prices make their costs. With
    `agreement`, a row without a label has that of agreeing with the larger model. Raises `ModelFileError`,
    `ScorerError`."""
    return asyncio.run(_judge(rows, settings, route, agreement=agreement))


async def _judge(rows: Sequence[RoutingRow], settings: Settings, route: RouteSettings, *, agreement: bool) -> Judged:
    from streamroute.nli.judge import bundled_model

    large = settings.upstream(route.tiers[-1]).price
    price = Price(prompt=large.prompt, completion=large.completion)
    judged = Judged(binding_of(settings, route).cheap)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("rows", total=len(rows))
        async with bundled_model() as model:
            for row in rows:
                bar.advance(task)
                judged.models.add(row.cheap.model)
                if len(row.cheap.samples) < max(1, route.probes.count):
                    judged.short += 1
                    continue
                judged.records.append(await record_of(model, row, route, price=price, agreement=agreement))
    return judged


async def record_of(
    model: EntailmentModel, row: RoutingRow, route: RouteSettings, *, price: Price, agreement: bool
) -> Record:
    """One row, judged by all samples that the route draws."""
    samples = row.cheap.samples[: route.probes.count]
    logprobs: Sequence[float | None] = row.cheap.sample_logprobs or [None] * len(samples)
    scorer = SemanticEntropy(model, rule=RULE, theta=THETA, most_probes=most_probes(route.probes.count))
    evidence = await scorer.session(row.question).evaluate(
        answer=row.cheap.answer,
        answer_finished=True,
        samples=[Sample(text, mean_logprob=value) for text, value in zip(samples, logprobs, strict=False)],
        expected=len(samples),
        confidence=_confidence(row.cheap),
    )
    wrong = None if row.cheap.correct is None else not row.cheap.correct
    large_wrong = None if row.large is None or row.large.correct is None else not row.large.correct
    if wrong is None and agreement and row.large is not None:
        comparer = Comparer(model, row.question, rule=RULE, theta=THETA)
        wrong = await differs(comparer, row.question, row.cheap.answer, row.large.answer)
        large_wrong = None if wrong is None else False
    return Record(
        id=row.id,
        score=evidence.score,
        features=evidence.features,
        wrong=wrong,
        large_wrong=large_wrong,
        cost=None if row.large is None or price == Price() else _cost(price, row, row.large),
        group=row.question,
    )


def _confidence(leg: CheapLeg) -> Confidence | None:
    if not leg.logprobs:
        return None
    first = TokenLogprob("", leg.logprobs[0])
    return Confidence(first, statistics.fmean(leg.logprobs), min(leg.logprobs), len(leg.logprobs))


def _cost(price: Price, row: RoutingRow, large: LargeLeg) -> float:
    """Of asking the larger model; tokens that nobody counted are estimated."""
    prompt = large.prompt_tokens or len(row.question) // CHARACTERS_PER_TOKEN + 1
    counted = None if large.timing is None else large.timing.tokens
    return price.of(prompt, counted or len(large.answer) // CHARACTERS_PER_TOKEN + 1)

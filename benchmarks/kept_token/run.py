"""The command: opens what the demo opens, and measures what the file does not hold yet."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks import verdicts
from benchmarks.figures import command, show
from benchmarks.kept_token.rows import Rows
from benchmarks.kept_token.summary import figures_of, lines_of
from benchmarks.kept_token.systems import PARAMS, SYSTEMS, Row, row_of
from streamroute.cli.compose import RouteOptions, missing_models, require, resolve
from streamroute.cli.questions import Question, load_questions
from streamroute.config.binding import RULE, THETA
from streamroute.config.compose import compose
from streamroute.errors import ConfigError, StreamrouteError
from streamroute.routing.router import Router
from streamroute.uncertainty.base import Scorer
from streamroute.uncertainty.combine import most_probes
from streamroute.uncertainty.judge import SemanticEntropy

__all__ = ("answer_all", "main", "questions_of")

WARM_UP = Question(id="warm-up", question="What is the capital of France?", gold=("Paris",), kind="free")


def questions_of(paths: Sequence[Path], limit: int | None) -> list[Question]:
    """The first `limit` questions of the files, in order. Raises `ConfigError`, also where two have one id."""
    questions = [question for path in paths for question in load_questions(path)]
    if len({question.id for question in questions}) < len(questions):
        raise ConfigError("two questions have the same id")
    return questions[:limit]


async def answer_all(router: Router, scorer: Scorer, questions: Sequence[Question], out: Path) -> list[Row]:
    """A row for each question, in order: those that `out` lacks are measured, after a warm-up, and added to it."""
    setup = _setup(router)
    with Rows(out, setup) as held:
        if any(question.id not in held.rows for question in questions):
            await row_of(router, scorer, WARM_UP, number=0, setup=setup)
        for number, question in enumerate(questions):
            if question.id not in held.rows:
                held.append(row := await row_of(router, scorer, question, number=number, setup=setup))
                print(f"{number + 1}/{len(questions)} {_told(row)}", file=sys.stderr, flush=True)
        return [held.rows[question.id] for question in questions]


def _setup(router: Router) -> str:
    """All that the systems are made of."""
    tiers = [
        [tier.label, tier.upstream.model, tier.system, {**tier.params, **PARAMS}, tier.probes and asdict(tier.probes)]
        for tier in router.tiers
    ]
    return json.dumps([tiers, router.plan.policy.score_limit, router.plan.decision_deadline], sort_keys=True)


def _told(row: Row) -> str:
    kept = ((name, row.systems[name].first_kept) for name in SYSTEMS)
    times = (f"{name} {'failed' if first is None else f'{first:.2f}'}" for name, first in kept)
    return f"{row.id}: first kept token, s: {', '.join(times)}"


@asynccontextmanager
async def opened(threshold: float | None) -> AsyncGenerator[tuple[Router, Scorer]]:
    """The embedded route and its judge, which remembers nothing. Raises `ModelFileError`, `ConfigError`."""
    settings, route = resolve(RouteOptions(threshold=threshold))
    require(missing_models(settings, route.tiers))
    model = verdicts.uncached(await asyncio.to_thread(verdicts.bundled_model))
    try:
        scorer = SemanticEntropy(model, rule=RULE, theta=THETA, most_probes=most_probes(route.probes.count))
        async with compose(settings, routes=[route.name], scorer=scorer) as served:
            yield served[route.name].router, scorer
    finally:
        await model.aclose()


async def _measure(args: argparse.Namespace, questions: Sequence[Question]) -> list[Row]:
    async with opened(args.threshold) as (router, scorer):
        return await answer_all(router, scorer, questions, args.out)


def main() -> None:
    parser = command("Time to the first kept token, beside each model alone and a sequential cascade.")
    parser.add_argument("questions", type=Path, nargs="+", help="JSON Lines, as of examples/questions")
    parser.add_argument("--out", type=Path, required=True, help="the file of measured questions, to which this adds")
    parser.add_argument("--limit", type=int, help="only the first N questions of all files")
    parser.add_argument("--threshold", type=float, help="of all that is judged (default: the embedded route's)")
    args = parser.parse_args()
    if args.limit is not None and args.limit < 1:
        parser.error("--limit: at least 1")
    try:
        rows = asyncio.run(_measure(args, questions_of(args.questions, 3 if args.quick else args.limit)))
    except StreamrouteError as error:
        sys.exit(str(error))
    figures = figures_of(rows, resamples=100 if args.quick else 1000)
    if args.json:
        show(figures, as_json=True)
        return
    for line in lines_of(figures):
        print(line)

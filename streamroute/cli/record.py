"""`streamroute record`: asks a route's models a file of questions, and writes down what they said and when."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamroute.cli.compose import RouteOptions, missing_models, open_showing, require, resolve
from streamroute.cli.labels import Label, labelled_by, read_labels
from streamroute.cli.questions import Question, load_questions
from streamroute.cli.record_file import RecordFile
from streamroute.cli.render import one_line
from streamroute.errors import ConfigError, DataFileError, UpstreamError
from streamroute.evaluation.recording import Asked, ask, record_row
from streamroute.evaluation.rows import RoutingRow
from streamroute.routing.router import Router

__all__ = ("Outcome", "record", "run", "to_ask")

PARAMS = {"temperature": 0.0, "seed": 7}
"""Of every answer: greedy, so that it can be repeated; probes differ by their seeds, which are counted from this."""

GIVE_UP = 5
"""So many questions that failed one after the other are the model's fault, not theirs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many questions were recorded, and the errors of those that were not."""

    recorded: int
    errors: tuple[str, ...]


def run(args: argparse.Namespace) -> int:
    """Exit code 2 where a question is left without its row: the next run asks it again."""
    console = Console(stderr=True, no_color=args.no_color or None)
    questions = _chosen(load_questions(Path(args.questions)), args.kinds, args.limit)
    labels = {} if args.labels is None else read_labels(Path(args.labels))
    options = RouteOptions(config=args.config, route=args.route)
    settings, route = resolve(options)
    require(missing_models(settings, route.tiers))  # told before a file is made
    with RecordFile(Path(args.output)) as file:
        try:
            outcome = asyncio.run(_opened(args, options, questions, file, console))
            _label(labels, file)
        except KeyboardInterrupt:
            print(f"{len(file.rows)} rows are in {file.path}: the same command goes on from there", file=sys.stderr)
            raise
    print(_summary(questions, file))
    if outcome.errors:
        failed = f"{len(outcome.errors)} failed, to be asked again by the same command"
        print(f"{failed}. The last: {outcome.errors[-1]}", file=sys.stderr)
    return 2 if outcome.errors else 0


def to_ask(router: Router, *, samples: int, max_tokens: int | None, logprobs: bool, votes: int = 0) -> Asked:
    """The route's cheapest and its last tier. Raises `ConfigError` for a route that has not both, or no probes."""
    cheap, large = router.tiers[0], router.tiers[-1]
    if len(router.tiers) < 2:
        raise ConfigError(f"recording needs a route of two tiers, a cheap and a large one; this has only {cheap.label}")
    if cheap.probes is None:
        raise ConfigError(f"{cheap.label} has no probe settings to draw samples by")
    limit = {} if max_tokens is None else {"max_tokens": max_tokens}
    return Asked(cheap=cheap, large=large, samples=samples, params={**PARAMS, **limit}, logprobs=logprobs, votes=votes)


async def record(asked: Asked, questions: Sequence[Question], file: RecordFile, console: Console) -> Outcome:
    """Append the row of every question that `file` lacks, in their order. Raises `DataFileError` where its rows are of
    other models or other questions, and `UpstreamError` where a model cannot be asked at all."""
    _require_same(asked, questions, file)
    left = [question for question in questions if question.id not in file.rows]
    errors: list[str] = []
    in_a_row = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("warming up", total=len(questions), completed=len(questions) - len(left))
        if left:
            await _warm(asked)
        for number, question in enumerate(left, start=1):
            bar.update(task, description=one_line(question.question, 50))
            try:
                file.append(await _row(asked, question))
                in_a_row = 0
            except UpstreamError as error:
                errors.append(f"{question.id}: {error}")
                in_a_row += 1
                if in_a_row == GIVE_UP:
                    raise
            bar.advance(task)
            if not console.is_terminal and (number % 10 == 0 or number == len(left)):
                console.print(f"{number} of {len(left)}, {len(errors)} failed", highlight=False)
    return Outcome(len(left) - len(errors), tuple(errors))


async def _opened(
    args: argparse.Namespace, options: RouteOptions, questions: Sequence[Question], file: RecordFile, console: Console
) -> Outcome:
    async with AsyncExitStack() as stack:
        router = await open_showing(stack, options, console)
        asked = to_ask(
            router, samples=args.samples, max_tokens=args.max_tokens, logprobs=args.logprobs, votes=args.verify
        )
        return await record(asked, questions, file, console)


def _label(labels: Mapping[str, Label], file: RecordFile) -> None:
    """Raises `DataFileError` for a label of a question that is not recorded."""
    unknown = [id for id in labels if id not in file.rows]
    if unknown:
        raise DataFileError(f"there is a label for {unknown[0]!r}, which {file.path} does not hold")
    file.relabel(lambda row: labelled_by(labels, row))


async def _row(asked: Asked, question: Question) -> RoutingRow:
    return await record_row(
        asked,
        question.question,
        id=question.id,
        right=question.is_answered_by if question.gold else None,
        gold=question.gold,
        kind=question.kind,
    )


async def _warm(asked: Asked) -> None:
    """So that the first row's times are like the others', and a model that is not there is found out at once."""
    for tier in (asked.cheap, asked.large):
        request = tier.answer_request([{"role": "user", "content": "Hello!"}], {**asked.params, "max_tokens": 8})
        await ask(tier.upstream, request)


def _chosen(questions: Sequence[Question], kinds: Sequence[str] | None, limit: int | None) -> Sequence[Question]:
    """Raises `ConfigError` for an id that stands there twice, and where no question is left."""
    twice = [id for id, times in Counter(question.id for question in questions).items() if times > 1]
    if twice:
        raise ConfigError(f"two questions have the id {twice[0]!r}, by which a recording is resumed")
    chosen = [question for question in questions if kinds is None or question.kind in kinds][:limit]
    if not chosen:
        raise ConfigError(f"no question is of the kind {' or '.join(kinds or ())}")
    return chosen


def _require_same(asked: Asked, questions: Sequence[Question], file: RecordFile) -> None:
    models = asked.cheap.upstream.model, asked.large.upstream.model
    texts = {question.id: question.question for question in questions}
    for row in file.rows.values():
        theirs = row.cheap.model, "" if row.large is None else row.large.model
        if theirs != models:
            raise DataFileError(
                f"{file.path}: {row.id!r} was recorded with {' and '.join(theirs)}, not with {' and '.join(models)}: "
                "record into another file"
            )
        if texts.get(row.id, row.question) != row.question:
            raise DataFileError(f"{file.path}: {row.id!r} is another question there: record into another file")


def _summary(questions: Sequence[Question], file: RecordFile) -> str:
    rows = [file.rows[question.id] for question in questions if question.id in file.rows]
    line = f"{file.path}: {len(rows)} of {len(questions)} questions"
    both = [row for row in rows if row.paired]
    if not both:
        return line
    cheap = sum(bool(row.cheap.correct) for row in both) / len(both)
    large = sum(row.large is not None and bool(row.large.correct) for row in both) / len(both)
    return f"{line}; right: cheap {cheap:.1%}, large {large:.1%} of {len(both)}"

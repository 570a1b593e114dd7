"""`streamroute demo`: questions with gold answers, routed live, then compared with three other ways to answer them."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from streamroute.cli.baselines import Recordings, answer_alone, default_path, key_of
from streamroute.cli.comparison import Answered, Routed, Row, compare, random_spread
from streamroute.cli.compose import RouteOptions, embedded_models, open_showing
from streamroute.cli.models import pull_all
from streamroute.cli.questions import Question, load_questions
from streamroute.cli.render import one_line, seconds
from streamroute.cli.session import Silent, Watched, watch
from streamroute.core.types import Decision
from streamroute.models import store
from streamroute.models.manifest import load_manifest
from streamroute.routing.router import Router

__all__ = ("run", "run_demo")

PARAMS = {"temperature": 0.0, "seed": 7, "max_tokens": 64}
"""The same for every way to answer: greedy and short, so that each answer can be repeated."""

SMALL, LARGE = 0, 1


def run(args: argparse.Namespace) -> int:
    console = Console(no_color=args.no_color or None)
    questions = load_questions(Path(args.questions) if args.questions else None)[: args.limit]
    manifest = load_manifest()
    wanted = embedded_models()
    if any(store.status(manifest[name]).state != "ok" for name in wanted):
        pull_all(wanted, console)
    asyncio.run(_demo(questions, RouteOptions(threshold=args.threshold), console, fresh=args.fresh))
    return 0


async def _demo(questions: Sequence[Question], options: RouteOptions, console: Console, *, fresh: bool) -> None:
    async with AsyncExitStack() as stack:
        router = await open_showing(stack, options, console)
        await run_demo(router, questions, console, Recordings(default_path(), fresh=fresh))


async def run_demo(
    router: Router, questions: Sequence[Question], console: Console, recordings: Recordings
) -> list[Row]:
    """Route every question, then ask each model alone, then print the comparison. The two passes are apart so that
    neither finds the other's prompts in the models' caches."""
    names = [tier.label for tier in router.tiers]
    console.print(f"{len(questions)} questions. small: {names[SMALL]}, large: {names[LARGE]}", highlight=False)
    console.print(Text(_COLUMNS, style="dim"), soft_wrap=True)
    with _progress(console) as progress:
        warming = progress.add_task("warming up", total=2)
        for tier in (SMALL, LARGE):
            await answer_alone(router, tier, "Hello!", PARAMS)
            progress.advance(warming)
        progress.remove_task(warming)
        routed = await _routed(router, questions, progress)
        alone = [await _alone(router, tier, questions, progress, recordings) for tier in (SMALL, LARGE)]
    rows = [
        Row(question=question, routed=route, small=small, large=large)
        for question, route, small, large in zip(questions, routed, *alone, strict=True)
    ]
    _print_table(rows, console)
    return rows


async def _routed(router: Router, questions: Sequence[Question], progress: Progress) -> list[Routed]:
    routed = []
    task = progress.add_task("routed", total=len(questions))
    for number, question in enumerate(questions, start=1):
        progress.update(task, description=f"routed: {one_line(question.question, 50)}")
        messages = [{"role": "user", "content": question.question}]
        route = _summary(await watch(router, messages, display=Silent(), params=PARAMS))
        routed.append(route)
        progress.advance(task)
        progress.console.print(_line(number, question, route), soft_wrap=True)
    progress.update(task, description="routed")
    return routed


async def _alone(
    router: Router, tier: int, questions: Sequence[Question], progress: Progress, recordings: Recordings
) -> list[Answered]:
    answers = []
    label = router.tiers[tier].label
    task = progress.add_task(f"{label} alone", total=len(questions))
    keys = [key_of(router, tier, question.question, PARAMS) for question in questions]
    new = sum(recordings.get(key) is None for key in keys)
    if new:
        progress.console.print(f"asking {label} alone, for comparison: {new} answers", highlight=False, soft_wrap=True)
    for key, question in zip(keys, questions, strict=True):
        answer = recordings.get(key)
        if answer is None:
            answer = await answer_alone(router, tier, question.question, PARAMS)
            recordings.put(key, answer)
        answers.append(answer)
        progress.advance(task)
    return answers


def _summary(watched: Watched) -> Routed:
    route, evidence = watched.route, watched.route.evidence
    verdict = route.verdict
    return Routed(
        text=route.answer.strip(),
        escalated=route.tier != SMALL,
        verdict=str(verdict.decision) if verdict else str(Decision.UNDECIDED),
        reason=verdict.reason if verdict else "",
        entropy=None if evidence is None else evidence.entropy,
        clusters=tuple(cluster.size for cluster in watched.view.clusters),
        first_shown=route.timings.first_shown,
        first_kept=route.timings.first_kept,
        small_tokens=sum(leg.completion_tokens for leg in route.legs if leg.leg.tier == SMALL),
        large_tokens=sum(leg.completion_tokens for leg in route.legs if leg.leg.tier != SMALL),
    )


_COLUMNS = f"{'':>3}   {'tier':5} {'verdict':8} {'reason':19} {'entropy':7} {'clusters':11} {'shown':>7} {'kept':>7}"


def _line(number: int, question: Question, route: Routed) -> Text:
    right = question.is_answered_by(route.text)
    entropy = "-" if route.entropy is None else f"{route.entropy:.2f}"
    clusters = "+".join(map(str, route.clusters)) or "-"
    line = Text(f"{number:>3} ")
    line.append("✓ " if right else "✗ ", style="green" if right else "red")
    line.append(f"{'large' if route.escalated else 'small':5} ", style="yellow" if route.escalated else "cyan")
    line.append(f"{route.verdict:8} {route.reason:19} {entropy:7} {clusters:11} ")
    line.append(f"{seconds(route.first_shown):>7} {seconds(route.first_kept):>7}  ")
    line.append(f"{question.question} ", style="dim")
    return line.append(one_line(route.text, 60))


def _print_table(rows: Sequence[Row], console: Console) -> None:
    lines = compare(rows)
    table = Table(Column("", no_wrap=True), "right", "first kept token, mean", "large-model tokens", box=None)
    table.add_column("small-model tokens")
    for line in lines:
        table.add_row(
            line.name,
            f"{line.accuracy:.1%}",
            seconds(line.first_kept),
            f"{line.large_tokens:.0f}",
            f"{line.small_tokens:.0f}",
            style="bold" if line is lines[-1] else "",
        )
    console.print()
    console.print(table)
    points = 100 * (lines[3].accuracy - lines[2].accuracy)
    spread = 100 * random_spread(rows)
    for note in (
        f"routed is {points:+.1f} points of accuracy from random at the same rate (whose own spread is ±{spread:.1f}).",
        "Tokens count everything that was generated: probes and cancelled answers too (those are estimates).",
        "Random is computed from the two always-lines, not run. Each model alone is measured once and reused: "
        "`streamroute demo --fresh` measures again.",
    ):
        console.print(Text(note, style="dim"), soft_wrap=True)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)

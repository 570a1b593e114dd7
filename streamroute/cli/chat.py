"""`streamroute chat`: a conversation in which every turn is routed."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack

from rich.console import Console

from streamroute.cli.compose import RouteOptions, open_showing
from streamroute.cli.lines import LineReader
from streamroute.cli.session import display_for, watch
from streamroute.errors import RouteError
from streamroute.routing.router import Router
from streamroute.upstreams.base import Message

__all__ = ("converse", "run")

QUIT = frozenset({"/quit", "/exit", "/q"})


def run(args: argparse.Namespace) -> int:
    console = Console(no_color=args.no_color or None)
    asyncio.run(_chat(RouteOptions.of(args), console))
    return 0


async def _chat(options: RouteOptions, console: Console) -> None:
    async with AsyncExitStack() as stack:
        router = await open_showing(stack, options, console)
        console.print("Ask away; /quit ends the conversation.", style="dim")
        await converse(router, LineReader(sys.stdin.fileno()), console)


async def converse(router: Router, lines: LineReader, console: Console) -> list[Message]:
    """Turn after turn until the lines end or one of `QUIT`; returns the conversation. A turn whose every leg failed is
    reported and forgotten, so that the next one starts from what was said before it."""
    said: list[Message] = []
    while True:
        console.print("you> ", style="bold", end="")
        line = await lines.line()
        if line is None or line.strip() in QUIT:
            return said
        if not line.strip():
            continue
        turn: Message = {"role": "user", "content": line.strip()}
        try:
            watched = await watch(router, [*said, turn], display=display_for(console))
        except RouteError as error:
            console.print(f"error: {error}", style="red", markup=False)
            continue
        answer = watched.route.answer.strip()
        if not console.is_terminal:
            console.print(answer, markup=False, highlight=False, soft_wrap=True)
        said += [turn, {"role": "assistant", "content": answer}]

"""`streamroute ask`: one question, and how it was decided who answers it."""

from __future__ import annotations

import argparse
import asyncio
import json
from contextlib import AsyncExitStack

from rich.console import Console

from streamroute.cli.compose import RouteOptions, open_showing
from streamroute.cli.session import Silent, Watched, display_for, watch
from streamroute.errors import BadRequestError

__all__ = ("run",)


def run(args: argparse.Namespace) -> int:
    if not args.question.strip():
        raise BadRequestError("the question is empty", param="question")
    console = Console(no_color=args.no_color or None)
    watched = asyncio.run(_ask(args.question, RouteOptions.of(args), console, silent=args.json))
    if args.json:
        print(json.dumps(watched.to_dict(), ensure_ascii=False))
    elif not console.is_terminal:
        print(watched.route.answer.strip())
    return 0


async def _ask(question: str, options: RouteOptions, console: Console, *, silent: bool) -> Watched:
    async with AsyncExitStack() as stack:
        router = await open_showing(stack, options, None if silent else console)
        display = Silent() if silent else display_for(console)
        return await watch(router, [{"role": "user", "content": question}], display=display)

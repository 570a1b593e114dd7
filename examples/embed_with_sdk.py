"""Embed the router in a service, over OpenAI clients you already have.

    python examples/embed_with_sdk.py "Why is the sky blue?" \
        --small BASE_URL MODEL --large BASE_URL MODEL        # keys: $SMALL_KEY, $LARGE_KEY
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable

from openai import AsyncOpenAI

import streamroute as sr


async def answer(
    question: str, small: sr.Tier, large: sr.Tier, judge: sr.SemanticEntropy, write: Callable[[str], object]
) -> sr.Route:
    """Stream one routed answer. Shown text may be withdrawn, so say so when it is."""
    async with sr.Router([small, large], scorer=judge, release=sr.Release.RETRACT) as router:
        async with router.stream([{"role": "user", "content": question}]) as stream:
            async for event in stream:
                match event:
                    case sr.TextDelta(delta=delta):
                        write(delta.text)
                    case sr.Retracted(reason=reason):
                        write(f"\n[withdrawn: {reason}]\n")
                    case sr.Committed(name=name, verdict=verdict):
                        write(f"\n[{name}: {verdict.reason}]\n")
        return stream.route


async def main() -> None:
    parser = argparse.ArgumentParser(description="Ask two OpenAI-compatible models through one router.")
    parser.add_argument("question")
    parser.add_argument("--small", nargs=2, metavar=("BASE_URL", "MODEL"), required=True)
    parser.add_argument("--large", nargs=2, metavar=("BASE_URL", "MODEL"), required=True)
    args = parser.parse_args()
    async with (
        AsyncOpenAI(base_url=args.small[0], api_key=os.environ.get("SMALL_KEY", "none")) as small,
        AsyncOpenAI(base_url=args.large[0], api_key=os.environ.get("LARGE_KEY", "none")) as large,
        sr.bundled_judge() as judge,
    ):
        route = await answer(
            args.question,
            sr.Tier(upstream=sr.SDKUpstream(small, model=args.small[1], name="small"), probes=sr.ProbePlan(count=5)),
            sr.Tier(upstream=sr.SDKUpstream(large, model=args.large[1], name="large")),
            judge,
            lambda text: print(text, end="", flush=True),
        )
    print(f"\nlegs: {', '.join(f'{leg.leg} {leg.state} {leg.completion_tokens} tokens' for leg in route.legs)}")


if __name__ == "__main__":
    asyncio.run(main())

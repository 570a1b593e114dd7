"""An edge box: both models in this process, no network. Needs the extra `local` and `streamroute models pull`.

python examples/edge_box.py "What is the capital of Australia?"
"""

from __future__ import annotations

import asyncio
import sys

import streamroute as sr

GREEDY = {"temperature": 0.0, "max_tokens": 128}
SYSTEM = "You are a helpful assistant. Answer in one short sentence."


async def main(question: str) -> sr.Reply:
    small = sr.LocalUpstream.from_manifest("smollm2-135m-instruct")
    large = sr.LocalUpstream.from_manifest("qwen2.5-coder-1.5b-instruct")
    tiers = [
        sr.Tier(upstream=small, probes=sr.ProbePlan(count=5), params=GREEDY, system=SYSTEM),
        sr.Tier(upstream=large, params=GREEDY, system=SYSTEM),
    ]
    # A slow box: better a late verdict than one without evidence, so no deadline.
    async with sr.bundled_judge() as judge, sr.Router(tiers, scorer=judge, decision_deadline=None) as router:
        await small.start(probes=True)
        return await router.complete([{"role": "user", "content": question}])


if __name__ == "__main__":
    reply = asyncio.run(main(" ".join(sys.argv[1:]) or "What is the capital of Australia?"))
    verdict = reply.route.verdict
    print(reply.text.strip())
    print(f"({reply.route.tier_name}: {verdict.reason if verdict else 'no verdict'})")

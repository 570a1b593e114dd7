"""What the gateway costs, beside a bare aiohttp pass-through, LiteLLM's proxy and TensorZero's embedded gateway.

    python -m benchmarks.gateway [--peers VENV] [--rounds 5] [--only RACER ...] [--quick] [--json]

Model server, clients and every gateway run in processes of their own; rounds are interleaved, and figures are medians
over them. `passed` is what streamroute passes through, `decoded` what it reads and tells anew as a judged route does,
with probes off. LiteLLM and TensorZero run on the Python of VENV, which needs `litellm[proxy]` and `tensorzero`.
"""

from __future__ import annotations

__all__ = ("main",)


def main() -> None:
    from benchmarks.gateway.run import main as run  # not before: model, load and bare are started from here too

    run()

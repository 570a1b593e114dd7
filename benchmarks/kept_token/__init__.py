"""Time to the first token that is kept: the routed system beside each model alone and a cascade that does not overlap.

    python -m benchmarks.kept_token QUESTIONS.jsonl ... --out FILE [--limit N] [--threshold T] [--quick] [--json]

The two embedded models and the bundled judge as `streamroute demo` uses them (`streamroute models pull` fetches the
models), greedy, one question after the other. Each question is answered by every system in turn, in an order that
rotates from question to question, so that a machine that is busy otherwise disturbs all alike:

`always-cheap`, `always-large`: one model alone, unjudged.
`sequential`: the whole cheap answer first, then its probes and the verdict, then the large model where it is needed.
`hold`, `retract`, `auto`: the router, by how it releases.

A token is kept if it is of the answer that finally stands: that of a retracted route is the large model's. `kept` and
`escalated` are the questions whose cheap answer that system itself kept, or not. Ratios are of times to the same
question: over those of either model alone, with 95% intervals by bootstrap over questions. Those of `kept` and
`escalated` questions are over what the model alone took for just these.

Between two answers every model is asked something else: else it would still hold the prompt from the system before,
which saves most of the time to a first token. So it knows its system prompt and not the question, as in service. The
judge, too, remembers nothing between verdicts. All systems use the same instances, threads and priorities; one warm-up
question is not counted. `--out` gets a row for each question as soon as it is measured, and a later run goes on there.
"""

from __future__ import annotations

__all__ = ("main",)


def main() -> None:
    from benchmarks.kept_token.run import main as run

    run()

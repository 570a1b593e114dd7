"""README's section of results, from the report: no number in it is typed by hand.

    python -m benchmarks.readme [--report FILE.json] [--check]

Writes what stands between the two marks in README.md. `--check` writes nothing and fails where it would.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.reporting.cells import number, share, signed, table

__all__ = ("main", "replaced", "section_of")

README = Path("README.md")
REPORT = Path("benchmarks/results/report.json")
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
METHODS = (
    "streamroute",
    "streamroute-fitted",
    "streamroute-early",
    "discrete-se",
    "snne-nli",
    "selfcheck-nli-answer-premise",
    "p-true",
    "mean-token-surprise",
    "token-overlap",
    "length",
    "answer-scorer",
    "query-router",
    "random",
)
SYSTEMS = ("always-cheap", "always-large", "sequential", "hold", "retract", "auto", "hedge", "hold, stopping-table")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, default=REPORT, metavar="FILE.json")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where something would change")
    args = parser.parse_args(argv)
    before = README.read_text(encoding="utf-8")
    after = replaced(before, section_of(json.loads(args.report.read_text(encoding="utf-8"))))
    if args.check:
        if before != after:
            print("README.md does not say what the report says: python -m benchmarks.readme", file=sys.stderr)
        return int(before != after)
    README.write_text(after, encoding="utf-8")
    return 0


def replaced(text: str, section: str) -> str:
    """`text` with `section` between its two marks. Raises ValueError where they are not there."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no {BEGIN} .. {END}")
    return f"{head}{BEGIN}\n\n{section}\n\n{END}{tail}"


def section_of(report: Mapping[str, Any]) -> str:
    """The same text for the same report."""
    settings = report["settings"]
    parts = [_ABOUT.format(**settings, sets=", ".join(report["sets"]))]
    for name, figures in report["sets"].items():
        parts += [_headline(name, figures), _methods(figures), _systems(figures)]
    return "\n\n".join(parts)


def _headline(name: str, figures: Mapping[str, Any]) -> str:
    models, best = figures["models"], figures["best"]
    return (
        f"**{name}**, {figures['n']} questions. {models['cheap']} is right about {share(figures['cheap'])}, "
        f"{models['large']} about {share(figures['large'])}. The default score's AUROC is {signed(best['difference'])} "
        f"away from that of the best of all other methods, `{best['other']}`."
    )


def _methods(figures: Mapping[str, Any]) -> str:
    by_name = {each["name"]: each for each in figures["entries"]}
    rows = [
        (
            f"`{each['name']}`",
            each["when"],
            number(each["auroc"]),
            number(each["apgr"]),
            share(each["held_out"]["gap"]),
            share(each["held_out"]["cost"]),
        )
        for name in METHODS
        if (each := by_name.get(name)) is not None
    ]
    return table(("method", "decides", "AUROC", "APGR", "gap recovered", "cost"), rows)


def _systems(figures: Mapping[str, Any]) -> str:
    by_name = {each["system"]: each for each in figures["systems"]}
    rows = [
        (
            f"`{name}`",
            f"{100 * each['quality'][0]:.1f} %",
            f"{100 * each['escalated'][0]:.1f} %",
            f"{100 * each['cost'][0]:.1f} %",
            f"{each['ttft_p50'][0]:.2f}",
            f"{each['ttfkt_p50'][0]:.2f}",
            f"{each['ttfkt_p95'][0]:.2f}",
            f"{100 * each['retracted'][0]:.1f} %",
            f"{each['probes'][0]:.1f}",
        )
        for name in SYSTEMS
        if (each := by_name.get(name)) is not None
    ]
    columns = ("system", "right", "escalated", "cost", "first token", "kept p50", "p95", "retracted", "probes")
    return table(columns, rows)


_ABOUT = """Made by `python -m benchmarks.readme` from [the report](benchmarks/results/report.md), which
`python -m benchmarks.report` makes from the recordings in `examples/recordings` ({sets}): questions of our own,
asked of the two local models. The large model is taken to cost {price_ratio:g} times as much a token. Intervals are
95 %. *Gap recovered* (0: always the cheap model, 1: always the large one) and *cost* (of always asking the large one,
with {samples} samples and cheap answers that are thrown away) are those of a threshold that was chosen on other
questions. Systems run the real decision core over the recorded legs, at the default threshold; times are in seconds."""


if __name__ == "__main__":
    sys.exit(main())

"""A report as Markdown, and the same as one HTML file that needs no other."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from benchmarks.reporting.cells import number, quote, share, signed, table
from benchmarks.reporting.plots import PLOTS

__all__ = ("html_of", "markdown_of")

GOAL_LEAD, GOAL_GAP, GOAL_COST = 0.02, 0.95, 0.60
"""What ours is to reach: so far above the best other AUROC, so much of the gap, at so much of always-large's cost."""


def markdown_of(report: Mapping[str, Any]) -> str:
    parts = [_head(report), *(_set(name, figures) for name, figures in report["sets"].items())]
    plots = [f"### {caption}\n\n![{caption}](plots/{name}.png)" for name, (_, _, caption) in PLOTS.items()]
    return "\n\n".join([*parts[:1], "## Plots", *plots, *parts[1:], _failures(report), _reading(report)]) + "\n"


def html_of(markdown: str, folder: Path) -> str:
    """`markdown` with the plots of `folder` in it."""

    def embedded(match: re.Match[str]) -> str:
        data = base64.b64encode((folder / match[1]).read_bytes()).decode("ascii")
        return f'src="data:image/png;base64,{data}"'

    body = MarkdownIt("commonmark").enable("table").render(markdown)
    page = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return page.replace("BODY", re.sub(r'src="([^":]+\.png)"', embedded, body))


# -- parts ------------------------------------------------------------------------------------------------------------


def _head(report: Mapping[str, Any]) -> str:
    settings, sets = report["settings"], report["sets"]
    about = _ABOUT.format(**settings)
    columns = ("set", "questions", "cheap model", "large model", "cheap right", "large right", "either right")
    rows = (
        (
            name,
            each["n"],
            each["models"]["cheap"],
            each["models"]["large"],
            share(each["cheap"]),
            share(each["large"]),
            f"{100 * each['oracle']:.1f} %",
        )
        for name, each in sets.items()
    )
    verdicts = "\n".join(f"- {_verdict(name, each)}" for name, each in sets.items())
    return "\n\n".join(["# Every way to route, side by side", verdicts, about, table(columns, rows)])


def _verdict(name: str, figures: Mapping[str, Any]) -> str:
    """Whether ours is where it is to be, in words, misses first."""
    ours = next(each for each in figures["entries"] if each["name"] == "streamroute")
    best, held = figures["best"], ours["held_out"]
    lead, low, _ = best["difference"]
    ahead = lead >= GOAL_LEAD and low is not None and low > 0
    reached = held["gap"][0] is not None and held["gap"][0] >= GOAL_GAP and held["cost"][0] <= GOAL_COST
    judged = "" if ahead and reached else "**not reached**: " if not (ahead or reached) else "**half reached**: "
    return (
        f"**{name}**: {judged}AUROC {number(ours['auroc'])}, {signed(best['difference'])} to the best of all others, "
        f"`{best['other']}` (wanted: +{GOAL_LEAD:.2f}, interval above 0: {'yes' if ahead else 'no'}); "
        f"{share(held['gap'])} of the gap between the models for {share(held['cost'])} of always-large's cost "
        f"(wanted: {GOAL_GAP:.0%} for at most {GOAL_COST:.0%}: {'yes' if reached else 'no'}{_bound(figures)})"
    )


def _bound(figures: Mapping[str, Any]) -> str:
    least = figures["foresight"]
    return "" if least is None else f"; with every outcome known and no sample drawn it would still cost {least:.1%}"


def _set(name: str, figures: Mapping[str, Any]) -> str:
    return "\n\n".join(
        [
            f"## {name}: {figures['n']} questions, {figures['samples']:.1f} samples each",
            f"### Methods\n\n{_methods(figures['entries'])}",
            f"### Ours against others, named beforehand\n\n{_against(figures)}",
            f"### Systems, on the real core\n\n{_systems(figures['systems'])}",
            f"### By the number of samples\n\n{_counts(figures['by_count'])}",
            f"### One thing changed at a time\n\n{_ablations(figures['ablations'])}",
        ]
    )


def _methods(entries: Sequence[Mapping[str, Any]]) -> str:
    columns = (
        "method", "kind", "decides", "from", "AUROC", "AURC", "APGR", "CPT(50)", "cost at 95 %",
        "held out: gap", "cost", "probes", "pairs", "ms",
    )  # fmt: skip
    return table(
        columns,
        (
            (
                f"**{e['name']}**" if e["kind"] == "ours" else e["name"],
                e["paradigm"],
                f"{e['when']} ({e['how']})",
                e["uses"],
                number(e["auroc"]),
                number(e["aurc"]),
                number(e["apgr"]),
                number(e["cpt50"]),
                number(e["cost95"]),
                share(e["held_out"]["gap"]),
                share(e["held_out"]["cost"]),
                f"{e['probes']:.1f}",
                f"{e['nli_pairs']:.1f}",
                f"{e['milliseconds']:.0f}",
            )
            for e in entries
        ),
    )


def _against(figures: Mapping[str, Any]) -> str:
    rows = [(a["other"], signed(a["difference"]), f"{a['p']:.3f}") for a in figures["against"]]
    if figures["best"] is not None:
        best = figures["best"]
        rows.append((f"{best['other']}: the best of all, chosen by its result", signed(best["difference"]), "-"))
    return table(("against", "AUROC of streamroute is higher by", "p (Holm)"), rows)


def _systems(systems: Sequence[Mapping[str, Any]]) -> str:
    columns = {
        "right": ("quality", "{:.1%}"), "escalated": ("escalated", "{:.1%}"), "cost": ("cost", "{:.1%}"),
        "waste": ("waste", "{:.1%}"), "first token": ("ttft_p50", "{:.2f}"), "first kept p50": ("ttfkt_p50", "{:.2f}"),
        "p95": ("ttfkt_p95", "{:.2f}"), "of kept": ("ttfkt_kept_p50", "{:.2f}"),
        "of escalated": ("ttfkt_escalated_p50", "{:.2f}"), "retracted": ("retracted", "{:.1%}"),
        "probes": ("probes", "{:.2f}"), "pairs": ("nli_pairs", "{:.1f}"),
    }  # fmt: skip
    rows = (
        (each["system"], *("-" if each[key] is None else form.format(each[key][0]) for key, form in columns.values()))
        for each in systems
    )
    return table(("system", *columns), rows)


def _counts(by_count: Mapping[str, Any]) -> str:
    held = by_count["held_out"]
    rows = (
        (
            count,
            *("-" if areas[i] is None else f"{areas[i]:.3f}" for areas in by_count["auroc"].values()),
            *(share(held[figure][i]) for figure in ("escalated", "gap", "cost")),
        )
        for i, count in enumerate(by_count["counts"])
    )
    return table(("samples", *by_count["auroc"], "ours, held out: escalated", "gap", "cost"), rows)


def _ablations(ablations: Sequence[Mapping[str, Any]]) -> str:
    base = ablations[0]["auroc"]
    return table(
        ("what", "AUROC", "difference", "discrete SE", "pairs"),
        (
            (
                a["what"],
                f"{a['auroc']:.3f}",
                f"{a['auroc'] - base:+.3f}",
                f"{a['discrete_se']:.3f}",
                f"{a['nli_pairs']:.1f}",
            )
            for a in ablations
            if a["auroc"] is not None
        ),
    )


def _failures(report: Mapping[str, Any]) -> str:
    parts = ["## Where it fails"]
    for name, figures in report["sets"].items():
        f = figures["failures"]
        parts.append(
            f"**{name}**: of the {f['certain_quarter']} answers that it is most certain of, {f['certain_and_wrong']} "
            f"are wrong. Of those, {f['of_one_meaning']} have all samples in one meaning: no method that compares "
            f"samples can see them; in {f['refusals']} a sample refuses; the large model is right about "
            f"{f['large_right']}."
        )
        quoted = [each for each in f["wrong"] if "question" in each]
        if quoted:
            parts.append(table(("score", "question", "answer", "right is"), (quote(each) for each in quoted)))
            missed = [each for each in f["right"] if "question" in each]
            parts.append(f"Right, and yet the least certain ({name}):")
            parts.append(table(("score", "question", "answer", "right is"), (quote(each) for each in missed)))
    return "\n\n".join(parts)


def _reading(report: Mapping[str, Any]) -> str:
    return _READING.format(share=report["settings"]["share"], command=report["command"], seconds=report["seconds"])


_ABOUT = """The large model costs {price_ratio:g} times as much a token as the cheap one, a token of a prompt
{prompt_price:g} of a generated one; {samples} samples at most. Costs are in those of always asking the large model;
samples, and cheap answers that are thrown away, are paid for. Thresholds are chosen on four fifths of the questions and
measured on the last fifth, five times over. Intervals (95 %) are of a bootstrap over questions."""
_READING = """## How to read this

AUROC: how often a wrong answer scores above a right one. AURC: the share of wrong answers, averaged over how many are
kept (less is better). APGR: the share of the gap between the models that is recovered, averaged over escalation rates
(random .5). CPT(50): the least share escalated that recovers half of the gap. Cost at 95 %: the least cost at which
95 % of the large model's quality are reached, on the rows that it is measured on. Held out: with a threshold for
{share:.0%} of the gap from other questions. Pairs: compared by the judge; ms: of CPU on the machine of the report.
Made by `{command}` in {seconds:.0f} s."""

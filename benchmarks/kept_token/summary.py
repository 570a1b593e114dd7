"""From measured questions to figures: percentiles of each system, and its ratios to each model alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.figures import percentile
from benchmarks.kept_token.systems import ALONE, SYSTEMS, Measured, Row
from streamroute.evaluation.metrics import Floats, bootstrap_interval

__all__ = ("MEASURES", "figures_of", "lines_of")

MEASURES = {
    "first_shown": ("first_shown", None),
    "first_kept": ("first_kept", None),
    "first_kept_of_kept": ("first_kept", False),
    "first_kept_of_escalated": ("first_kept", True),
    "end": ("end", None),
}
"""The time, and whether it is of escalated questions: None for all."""

Figures = dict[str, Any]


def figures_of(rows: Sequence[Row], *, resamples: int = 1000) -> Figures:
    """All figures of at least one row; times in seconds. A figure of no question is None."""
    found = {name: [row.systems[name] for row in rows] for name in SYSTEMS}
    return {
        "questions": len(rows),
        "load_average": percentile([row.load for row in rows], 0.5),
        "systems": {name: _system(each) for name, each in found.items()},
        "ratios": {
            name: {
                base: {measure: _ratio(measure, each, found[base], resamples) for measure in MEASURES}
                for base in ALONE
                if base != name
            }
            for name, each in found.items()
        },
    }


def _system(found: Sequence[Measured]) -> Figures:
    return {
        **{measure: _spread([_time(measure, one) for one in found]) for measure in MEASURES},
        "right": fmean(one.right for one in found),
        "escalated": fmean(one.escalated or False for one in found),
        "retracted": sum(one.retracted for one in found),
        "failed": sum(one.failed for one in found),
        "decided_by_deadline": sum(one.reason.startswith("deadline") for one in found),
        **{f"{part}_tokens": fmean(_tokens(one, part) for one in found) for part in ("cheap", "probe", "large")},
    }


def _time(measure: str, one: Measured) -> float | None:
    """None where the system has no such time, or the question is not one of those."""
    name, escalated = MEASURES[measure]
    time: float | None = getattr(one, name)
    return time if escalated in (None, one.escalated) else None


def _tokens(one: Measured, part: str) -> int:
    """Of the cheap answer, of its probes, or of the large answer."""
    parts = {leg: "probe" if "probe" in leg else "cheap" if leg == "tier 0" else "large" for leg in one.legs}
    return sum(tokens for leg, tokens in one.legs.items() if parts[leg] == part)


def _spread(times: Sequence[float | None]) -> Figures | None:
    """The usual time and the worst of twenty, of the `n` that there are."""
    known = [time for time in times if time is not None]
    return {"n": len(known), "p50": _median(np.array(known)), "p95": percentile(known, 0.95)} if known else None


def _ratio(measure: str, found: Sequence[Measured], alone: Sequence[Measured], resamples: int) -> Figures | None:
    """Both ratios over the `n` questions where both have such a time."""
    name, _ = MEASURES[measure]
    times = [(_time(measure, one), getattr(other, name)) for one, other in zip(found, alone, strict=True)]
    pairs = np.array([pair for pair in times if None not in pair], dtype=float).reshape(-1, 2)
    if not len(pairs):
        return None
    figures: Figures = {"n": len(pairs)}
    for key, statistic in (("median_of_ratios", _median_of_ratios), ("ratio_of_medians", _ratio_of_medians)):
        figures[key] = statistic(*pairs.T)
        figures[f"{key}_95"] = bootstrap_interval(statistic, *pairs.T, resamples=resamples)
    return figures


def _median(values: Floats) -> float:
    return float(np.median(values))


def _median_of_ratios(times: Floats, alone: Floats) -> float:
    return _median(times / alone)


def _ratio_of_medians(times: Floats, alone: Floats) -> float:
    return _median(times) / _median(alone)


def lines_of(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures as two tables and their headings."""
    yield f"{figures['questions']} questions, load average {figures['load_average']}; seconds: p50 / p95"
    yield _line("", *MEASURES, "right", "escalated", "retracted", "failed")
    for name, each in figures["systems"].items():
        shares = (f"{each[key]:.1%}" for key in ("right", "escalated"))
        counts = (str(each[key]) for key in ("retracted", "failed"))
        yield _line(name, *(_both(each[measure]) for measure in MEASURES), *shares, *counts)
    for base in ALONE:
        yield f"\ntimes {base}: median of the questions' ratios (95%), ratio of the medians (95%)"
        for name, each in figures["ratios"].items():
            for measure in MEASURES if base in each else ():
                if (ratio := each[base][measure]) is not None:
                    parts = (_interval(ratio, key) for key in ("median_of_ratios", "ratio_of_medians"))
                    yield f"{name:14}{measure:25}n {ratio['n']:<6}" + "".join(f"{part:24}" for part in parts).rstrip()


def _line(name: str, *cells: str) -> str:
    widths = [max(16, len(measure) + 2) for measure in MEASURES] + [12] * 4
    return f"{name:14}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _both(spread: Mapping[str, float] | None) -> str:
    return "-" if spread is None else f"{spread['p50']:.3f} / {spread['p95']:.3f}"


def _interval(ratio: Mapping[str, Any], key: str) -> str:
    interval = ratio[f"{key}_95"]
    return f"{ratio[key]:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"

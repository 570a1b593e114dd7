"""Estimates and texts as cells of a Markdown table."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ("between", "number", "quote", "share", "signed", "table")

MOST = 140
"""Characters of a text that is quoted."""


def table(columns: Iterable[str], rows: Iterable[Sequence[object]]) -> str:
    head = list(columns)
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])


def quote(each: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"{each['score']:.2f}", *(_short(each[key]) for key in ("question", "answer", "gold")))


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return html.escape(flat if len(flat) <= MOST else f"{flat[: MOST - 1]}…", quote=False).replace("|", "\\|")


def number(estimate: Sequence[float | None]) -> str:
    return "-" if estimate[0] is None else f"{estimate[0]:.3f} ({between(estimate)})"


def share(estimate: Sequence[float | None]) -> str:
    value, low, high = estimate
    around = "" if low is None or high is None else f" ({100 * low:.0f}-{100 * high:.0f})"
    return "-" if value is None else f"{100 * value:.1f} %{around}"


def signed(estimate: Sequence[float | None]) -> str:
    return "-" if estimate[0] is None else f"{estimate[0]:+.3f} ({between(estimate, '{:+.3f}')})"


def between(estimate: Sequence[float | None], form: str = "{:.3f}") -> str:
    _, low, high = estimate
    return "" if low is None or high is None else f"{form.format(low)} to {form.format(high)}"

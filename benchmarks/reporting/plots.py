"""The plots of a report, each a PNG with one panel for each record set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg  # no display, and no global state
from matplotlib.figure import Figure

__all__ = ("PLOTS", "draw")

SHOWN = {
    "streamroute": ("#c2410c", 2.6),
    "streamroute-fitted": ("#f59e0b", 2.0),
    "streamroute-early": ("#ef4444", 2.0),
    "discrete-se": ("#1d4ed8", 1.4),
    "snne-nli": ("#0d9488", 1.4),
    "selfcheck-nli-answer-premise": ("#7c3aed", 1.4),
    "mean-token-surprise": ("#64748b", 1.4),
    "query-router": ("#be185d", 1.4),
    "answer-scorer": ("#15803d", 1.4),
    "token-overlap": ("#94a3b8", 1.4),
    "length": ("#78716c", 1.4),
    "random": ("#cbd5e1", 1.4),
}
"""The same colours in every plot; ours are the thick ones."""
SYSTEMS = ("always-cheap", "always-large", "sequential", "hold", "retract", "auto", "hedge", "hold, stopping-table")
BARS = 24
SHARES = [i / 20 for i in range(21)]
Sets = Mapping[str, Mapping[str, Any]]


def draw(sets: Sets, folder: Path) -> list[Path]:
    """Every plot into `folder`; the paths, in the order of `PLOTS`."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_panels(sets, panel, size, folder / f"{name}.png") for name, (panel, size, _) in PLOTS.items()]


def _panels(
    sets: Sets, panel: Callable[[Axes, Mapping[str, Any]], None], size: tuple[float, float], path: Path
) -> Path:
    width, height = size
    figure = Figure(figsize=(width * len(sets), height), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, figures) in zip(figure.subplots(1, len(sets), squeeze=False)[0], sets.items(), strict=True):
        axes.set_title(f"{name} (n = {figures['n']})", fontsize=10)
        panel(axes, figures)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=110)
    return path


def _quality_and_cost(axes: Axes, figures: Mapping[str, Any]) -> None:
    for name, (colour, width) in SHOWN.items():
        if (curve := figures["curves"].get(name)) is not None:
            axes.plot(*zip(*curve, strict=True), color=colour, linewidth=width, label=name)
    axes.plot([figures["cheap_cost"], 1], [figures["cheap"][0], figures["large"][0]], "ks", markersize=5, zorder=5)
    axes.annotate(
        "always cheap",
        (figures["cheap_cost"], figures["cheap"][0]),
        fontsize=7,
        xytext=(5, -9),
        textcoords="offset points",
    )
    axes.annotate("always large", (1, figures["large"][0]), fontsize=7, xytext=(-46, 6), textcoords="offset points")
    for each in figures["systems"]:
        if each["system"] in ("auto", "hold, stopping-table"):
            axes.plot(each["cost"][0], each["quality"][0], "o", markersize=5, color="#0f172a", fillstyle="none")
            axes.annotate(
                each["system"],
                (each["cost"][0], each["quality"][0]),
                fontsize=7,
                xytext=(5, 3),
                textcoords="offset points",
            )
    axes.set_xlabel("cost of a question, of always-large's", fontsize=8)
    axes.set_ylabel("share of right answers", fontsize=8)
    axes.legend(fontsize=6.5, frameon=False, loc="lower right")


def _risk_and_coverage(axes: Axes, figures: Mapping[str, Any]) -> None:
    for name, (colour, width) in SHOWN.items():
        if (risks := figures["risks"].get(name)) is not None:
            axes.plot(SHARES[1:], risks, color=colour, linewidth=width, label=name)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("share of the questions kept, the most certain first", fontsize=8)
    axes.set_ylabel("share of wrong among them", fontsize=8)
    axes.legend(fontsize=6.5, frameon=False, loc="upper left")


def _by_count(axes: Axes, figures: Mapping[str, Any]) -> None:
    counts = figures["by_count"]["counts"]
    for name, areas in figures["by_count"]["auroc"].items():
        known = [(count, area) for count, area in zip(counts, areas, strict=True) if area is not None]
        if known:
            colour, width = SHOWN.get(name, ("#334155", 1.4))
            axes.plot(*zip(*known, strict=True), "o-", color=colour, linewidth=width, markersize=3.5, label=name)
    axes.set_xticks(counts)
    axes.set_xlabel("samples", fontsize=8)
    axes.set_ylabel("AUROC for “the cheap answer is wrong”", fontsize=8)
    axes.legend(fontsize=6.5, frameon=False, loc="lower right")


def _ranking(axes: Axes, figures: Mapping[str, Any]) -> None:
    entries = [each for each in figures["entries"] if each["auroc"][0] is not None]
    ours = [each for each in entries if each["kind"] == "ours"]
    chosen = sorted([*ours, *[e for e in entries if e not in ours][: BARS - len(ours)]], key=lambda e: e["auroc"][0])
    for place, each in enumerate(chosen):
        value, low, high = each["auroc"]
        colour = "#c2410c" if each["kind"] == "ours" else "#475569"
        if low is not None:
            axes.plot([low, high], [place, place], color=colour, linewidth=1.2)
        axes.plot(value, place, "o", color=colour, markersize=4)
    axes.set_yticks(range(len(chosen)), [each["name"] for each in chosen], fontsize=7)
    axes.set_xlabel("AUROC for “the cheap answer is wrong”, 95 % interval", fontsize=8)


def _waiting(axes: Axes, figures: Mapping[str, Any]) -> None:
    for each in figures["systems"]:
        if each["system"] in SYSTEMS:
            style = "--" if each["system"].startswith("always") else "-"
            axes.plot(each["kept_quantiles"], SHARES, style, linewidth=1.5, label=each["system"])
    axes.set_xscale("log")
    axes.set_xlabel("seconds to the first kept token", fontsize=8)
    axes.set_ylabel("share of the questions", fontsize=8)
    axes.legend(fontsize=6.5, frameon=False, loc="upper left")


def _calibration(axes: Axes, figures: Mapping[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color="#cbd5e1", linewidth=1)
    for name, bins in figures["bins"].items():
        colour, _ = SHOWN[name]
        axes.plot([b[0] for b in bins], [b[1] for b in bins], "-", color=colour, linewidth=1.2, label=name)
        axes.scatter([b[0] for b in bins], [b[1] for b in bins], s=[4 + b[2] for b in bins], color=colour, alpha=0.7)
    axes.set_xlabel("score (fitted: a probability), by tenths", fontsize=8)
    axes.set_ylabel("share of wrong answers", fontsize=8)
    axes.legend(fontsize=6.5, frameon=False, loc="upper left")


PLOTS: Mapping[str, tuple[Callable[[Axes, Mapping[str, Any]], None], tuple[float, float], str]] = {
    "quality-cost": (_quality_and_cost, (5.4, 4.4), "Quality against cost, samples and waste counted"),
    "auroc": (_ranking, (5.2, 5.0), "How well each method says when the cheap answer is wrong"),
    "risk-coverage": (_risk_and_coverage, (4.8, 3.8), "Risk against coverage"),
    "samples": (_by_count, (4.8, 3.8), "By the number of samples"),
    "waiting": (_waiting, (4.8, 3.8), "Time to the first kept token, by system"),
    "calibration": (_calibration, (4.4, 3.8), "Calibration"),
}
"""By the name of the file: what draws a panel, its size in inches, and the caption."""

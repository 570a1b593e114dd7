"""What every benchmark does with its figures, and the two flags that every one has."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Mapping, Sequence


def command(about: str) -> argparse.ArgumentParser:
    """A parser with `--quick` (as little as shows that it runs; no figure to quote) and `--json`."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="as little as shows that it runs; no figures to quote")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    return parser


def show(figures: Mapping[str, object], *, as_json: bool) -> None:
    """One line of JSON, or a line for each figure."""
    if as_json:
        print(json.dumps(figures))
        return
    for key, value in figures.items():
        print(f"{key.replace('_', ' '):40} {value}")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of `values` do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def milliseconds(name: str, seconds: Iterable[float], *, upper: int = 95) -> dict[str, float]:
    """Figures `name_ms_p50` and `name_ms_pNN`."""
    values = list(seconds)
    return {f"{name}_ms_p{p}": round(1000 * percentile(values, p / 100), 2) for p in (50, upper)}

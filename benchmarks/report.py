"""What every benchmark does with its figures."""

from __future__ import annotations

import json
from collections.abc import Mapping


def show(figures: Mapping[str, object], *, as_json: bool) -> None:
    """One line of JSON, or a line for each figure."""
    if as_json:
        print(json.dumps(figures))
        return
    for key, value in figures.items():
        print(f"{key.replace('_', ' '):32} {value}")

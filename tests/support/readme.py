"""Writes what README takes from the code: `python -m tests.support.readme` (a test checks that it is up to date)."""

from __future__ import annotations

import re
from pathlib import Path

from streamroute.core.states import diagram

README = Path(__file__).parents[2] / "README.md"


def written(text: str) -> str:
    """`text` with its generated block as it should be."""
    block = f"<!-- state-diagram:begin -->\n```mermaid\n{diagram()}\n```\n<!-- state-diagram:end -->"
    fresh, found = re.subn(
        r"<!-- state-diagram:begin -->.*?<!-- state-diagram:end -->", lambda _: block, text, flags=re.DOTALL
    )
    if found != 1:
        raise ValueError(f"README needs one state-diagram block, not {found}")
    return fresh


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")

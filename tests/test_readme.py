"""README says what the code does."""

from __future__ import annotations

from tests.support.readme import README, written


def test_the_state_diagram_is_drawn_from_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    assert written(text) == text, "run: python -m tests.support.readme"

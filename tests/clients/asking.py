"""What the clients ask, and what has to come of it, whichever client it is."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

RIGHT, WRONG = "It is Canberra.", "It is Sydney."
MARKER = "\n\n---\n[superseded by large]\n\n"
FINISHED_TOOL = "It is 21 degrees in Canberra."


class City(BaseModel):
    name: str
    people: int


TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

# Route, question and the text that a client sees which knows nothing of retractions.
SHOWN = [
    pytest.param("auto", "Capital of Australia?", RIGHT, id="kept"),
    pytest.param("auto", "Capital of Australia? doubt", RIGHT, id="escalated"),
    pytest.param("shown", "Capital of Australia?", RIGHT, id="kept-shown"),
    pytest.param("shown", "Capital of Australia? doubt", WRONG + RIGHT, id="retracted"),
    pytest.param("appended", "Capital of Australia? doubt", WRONG + MARKER + RIGHT, id="appended"),
    pytest.param("cheap", "Capital of Australia?", RIGHT, id="tier"),
]
WHOLE = [case for case in SHOWN if case.id in ("kept", "escalated", "tier")]


def asking(question: str) -> list[Any]:
    return [{"role": "user", "content": question}]

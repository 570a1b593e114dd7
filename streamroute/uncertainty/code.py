"""Answers that are code: found, canonical, and how alike two are (METHOD 4.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from streamroute.uncertainty import pycode
from streamroute.uncertainty.normalize import token_f1

__all__ = ("Block", "Fenced", "canonical_code", "code_similarity", "fenced", "is_program", "is_source")

_FENCE = re.compile(r"```(?:[ \t]*([\w+#.-]*)[ \t]*\n|(json)\b)?(.*?)(?:```|\Z)", re.DOTALL)
_PYTHON = frozenset(("python", "py", "python3", "py3"))
_PROSE = frozenset(("text", "txt", "plain", "plaintext", "markdown", "md", "output", "latex", "tex", "math"))
_HASH_COMMENTS = _PYTHON | {
    "bash", "sh", "shell", "zsh", "console", "ruby", "rb", "perl", "r", "yaml", "yml", "toml", "ini", "makefile",
    "dockerfile", "elixir", "julia", "powershell",
}  # fmt: skip
_DASH_COMMENTS = frozenset(("sql", "lua", "haskell", "hs", "ada", "postgresql", "mysql"))
_CASELESS = frozenset(("sql", "postgresql", "mysql"))
_LAYOUT_COUNTS = _PYTHON | {"yaml", "yml", "makefile", "haskell", "hs"}
# Nothing here can match in two ways, so nothing is tried twice; what is not closed runs to its end.
_STRINGS = r'"(?:[^"\\\n]|\\.)*"?|\'(?:[^\'\\\n]|\\.)*\'?|`(?:[^`\\]|\\.)*`?'
_WORDS = r"(?P<indent>^[ \t]*)|(?P<word>\w+(?:\.\d+)?)|(?P<sign>[^\w\s])"
_HASHED = re.compile(rf"(?P<string>{_STRINGS})|(?P<comment>\#[^\n]*)|{_WORDS}", re.MULTILINE)
_DASHED = re.compile(rf"(?P<string>{_STRINGS})|(?P<comment>--[^\n]*)|{_WORDS}", re.MULTILINE)
_SLASHED = re.compile(
    rf"(?P<string>{_STRINGS})|(?P<comment>//[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/)?|<!--(?:[^-]|-(?!->))*(?:-->)?)|{_WORDS}",
    re.MULTILINE,
)
_CODE_LINE = re.compile(r"[;{}]\s*$|\w\(|\w\s?=|^\s*(?://|#|<\w|</|\$ |>)")


class Block(NamedTuple):
    """A fenced block: its language tag in lower case, "" where it has none, and what stands in it."""

    language: str
    body: str


class Fenced(NamedTuple):
    """A text taken apart at its fences. `prose` is all that stands outside of them."""

    blocks: tuple[Block, ...]
    prose: str


def fenced(text: str) -> Fenced:
    """The fenced blocks of `text` and its prose. A block that is not closed runs to the end."""
    blocks = []
    prose = []
    at = 0
    for found in _FENCE.finditer(text):
        prose.append(text[at : found.start()])
        blocks.append(Block((found[1] or found[2] or "").casefold(), found[3].strip("\r\n")))
        at = found.end()
    return Fenced(tuple(blocks), "\n".join((*prose, text[at:])))


def is_program(body: str, language: str = "") -> bool:
    """Whether `body`, under this language tag, is code rather than words or a number put into a fence."""
    if language:
        return language not in _PROSE and bool(body.strip())
    if is_source(body):
        return True
    lines = [line for line in body.splitlines() if line.strip()]
    return bool(lines) and 2 * sum(bool(_CODE_LINE.search(line)) for line in lines) >= len(lines)


def is_source(body: str) -> bool:
    """Whether `body` is a Python program as it stands."""
    tree = pycode.parsed(body)
    return tree is not None and pycode.binds(tree)


def canonical_code(body: str, language: str = "") -> tuple[str, ...]:
    """The tokens of `body` in canonical form: equal tokens are equal code.

    Python counts by its syntax tree (`pycode.canonical`). Other languages, and what does not parse, count by their
    tokens without comments, in any layout unless the language reads layout.
    """
    if language in _PYTHON or not language:
        tree = pycode.parsed(body)
        source = pycode.canonical(tree) if tree is not None and (language or pycode.binds(tree)) else None
        if source is not None:
            return ("python", *_lexed(source, "python"))
    return tuple(_lexed(body, language))


def _lexed(body: str, language: str) -> list[str]:
    pattern = _DASHED if language in _DASH_COMMENTS else _HASHED if language in _HASH_COMMENTS else _SLASHED
    found: list[str] = []
    for token in pattern.finditer("\n".join(line.rstrip() for line in body.splitlines() if line.strip())):
        kind = token.lastgroup
        if kind == "indent" and language in _LAYOUT_COUNTS:
            found.append("\n" + token[0])
        elif kind not in ("comment", "indent"):
            found.append(token[0].casefold() if kind == "word" and language in _CASELESS else token[0])
    return found


def code_similarity(a: Sequence[str], b: Sequence[str]) -> float:
    """How alike two canonical codes are, in [0, 1]: the F1 of their tokens and pairs of neighbouring tokens."""
    return token_f1(_with_neighbours(a), _with_neighbours(b))


def _with_neighbours(code: Sequence[str]) -> list[str]:
    return [*code, *(f"{x}\n{y}" for x, y in pairwise(code))]

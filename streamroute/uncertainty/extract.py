"""What a text finally answers, where it says so in a form that needs no understanding (METHOD 4.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from streamroute.uncertainty.code import fenced
from streamroute.uncertainty.normalize import tokens
from streamroute.uncertainty.numerals import spelt_fraction
from streamroute.uncertainty.structure import Code, Structured, structured

__all__ = ("Answer", "Form", "extract", "is_arithmetic", "is_polar", "number_of", "numbers")


class Form(StrEnum):
    """The kind of an extracted answer. Values of one form can be compared with each other; TEXT only for equality."""

    JSON = "json"
    CALLS = "calls"
    CODE = "code"
    NUMBER = "number"
    LETTER = "letter"
    POLARITY = "polarity"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Answer:
    """An extracted answer: `value` is canonical (equal values are the same answer), `text` is what was written, `parts`
    what it is made of where it is data or code."""

    form: Form
    value: str
    text: str
    parts: Structured | None = field(default=None, repr=False)


MAX_DIGITS = 60

_BOXED = re.compile(r"\\boxed\s*\{")
_HASHES = re.compile(r"^[ \t]*#{4}[ \t]*([^#\s].*)$", re.MULTILINE)
_FINAL = re.compile(r"\banswer\b\s*(?:is\b|:|=)\**\s*(?::\s*)?(?P<value>\S[^\n]*)", re.IGNORECASE)
_LETTER = re.compile(r"^\W*(?:(?:option|choice|answer)\W*)?([A-H])(?:[).:\]]|\s*[-\u2013]\s|\W*$)", re.IGNORECASE)
_LETTER_SAID = re.compile(r"\b(?:option|choice|answer is|answer:)\W{0,3}\(?([A-H])\b(?!')", re.IGNORECASE)
_OPTIONS = re.compile(r"(?:^|[\s(])\(?([A-H])[).:]\s*\S")
_POLARITY = re.compile(
    r"^\W*(yes|no|yeah|yep|nope|true|false)\b(?!\s+(?:one|matter|longer|doubt|single|such)\b)", re.IGNORECASE
)
_AUXILIARY = re.compile(
    r"\s*(?:is|are|was|were|am|do|does|did|can|could|will|would|shall|should|may|might|must|has|have|had|isn't|aren't"
    r"|wasn't|don't|doesn't|didn't)\b",
    re.IGNORECASE,
)
_EITHER = re.compile(r"\b(?:true or false|yes or no)\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])-?\$?\d[\d,]*(?:\.\d+)?(?:\s*/\s*\d+)?")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{(-?\d+)\}\s*\{(\d+)\}")
_TEX = re.compile(r"\\(?:text|mathrm|[,!;()\s])|[{}$]")
_ARITHMETIC = re.compile(
    r"\bhow (?:many|much|far|long|old|tall|fast|heavy|often)\b|\d\s*[-+*/^\u00d7\u00f7=]\s*\(?\d|%"
    r"|\b(?:calculate|compute|evaluate|solve|simplify|total|sum|difference|product|average|percent|remainder|left"
    r"|altogether|each|times|plus|minus|multipl(?:y|ied)|divided?|area|perimeter|volume|costs?)\b",
    re.IGNORECASE,
)
_ONE_OPERAND = re.compile(
    r"\b(?:squared|cubed|(?:square|cube) root|factorial|prime (?:number|factors?)|in (?:binary|decimal|hexadecimal)"
    r"|(?:binary|decimal) value)\b",
    re.IGNORECASE,
)
_ASKS_FOR_CODE = re.compile(
    r"\b(?:code|function|program|script|method|class|implement\w*|snippet|regex|query|python|java\w*|sql|bash|html|css"
    r"|rust|golang|c\+\+)(?!\w)",
    re.IGNORECASE,
)
_THEN_SOMETHING_ELSE = re.compile(r"\.(?:\s|$)|\bbecause\b|\bsince\b")


def extract(text: str, question: str = "", *, finished: bool = True) -> Answer | None:
    """The final answer that `text` gives in a recognised form, or None.

    Tried in order: JSON, tool calls, code (unless the prose around it marks an answer), `\\boxed{}`, `####`, "the
    answer is", option letter, leading yes or no, and the last number where the question is arithmetic. What only the
    end of a text can tell (JSON, calls, code, a last number) needs `finished`.
    """
    return (
        (_structured(text, question) if finished else None)
        or _marked(text, finished=finished)
        or _letter(text, question)
        or _polarity(text, question)
        or (_last_number(text) if finished and is_arithmetic(question) else None)
    )


def _structured(text: str, question: str) -> Answer | None:
    found = structured(text)
    if found is None:
        return None
    if isinstance(found, Code):
        prose = fenced(text).prose
        worked_out = is_arithmetic(question) and not _ASKS_FOR_CODE.search(question)  # the code is only its working
        if worked_out or (prose != text and _marked(prose, finished=True)):
            return None
    return Answer(Form(found.kind), found.key, found.body, found)


def _marked(text: str, *, finished: bool) -> Answer | None:
    boxed = list(_BOXED.finditer(text))
    if boxed:
        inside = _balanced(text, boxed[-1].end())
        if inside is not None:
            return _typed(inside)
    hashes = list(_HASHES.finditer(text))
    finals = list(_FINAL.finditer(text))
    for found in (hashes[-1][1] if hashes else None, finals[-1]["value"] if finals else None):
        if found is None:
            continue
        first, *more = _THEN_SOMETHING_ELSE.split(found.strip(), maxsplit=1)
        # A growing text may still be in the middle of its answer.
        ended = finished or not text.endswith(found) or any(more) or re.search(r"[^\d\s][.!]\**$", found)
        cut = first.strip(" *_`\"'$.:")
        if ended and cut:
            return _typed(cut)
    return None


def _balanced(text: str, start: int) -> str | None:
    depth = 1
    for position in range(start, len(text)):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return text[start:position]
    return None


def _typed(found: str) -> Answer:
    letter = re.fullmatch(r"\(?([A-H])\)?(?:[).:]\s*.*)?", found)
    if letter:
        return Answer(Form.LETTER, letter[1].upper(), found)
    polarity = re.fullmatch(r"(yes|no|true|false)", found, re.IGNORECASE)
    if polarity:
        return Answer(Form.POLARITY, _yes(polarity[1]), found)
    written = tokens(_TEX.sub(" ", _FRACTION.sub(r"\1/\2", found)))
    value = number_of(found)
    value = spelt_fraction(found) if value is None else value
    if value is None and len(written) <= 2:
        value = number_of(written[0]) if written else None
    if value is not None and len(written) <= 4:
        return Answer(Form.NUMBER, str(value), found)
    return Answer(Form.TEXT, " ".join(written), found)


def _letter(text: str, question: str) -> Answer | None:
    options = {letter.upper() for letter in _OPTIONS.findall(question)}
    if len(options) < 2:
        return None
    found = _LETTER.search(text) or _LETTER_SAID.search(text)
    if found and found[1].upper() in options:
        return Answer(Form.LETTER, found[1].upper(), found[0].strip())
    return None


def is_polar(question: str) -> bool:
    """Whether yes or no answers the question."""
    last = re.split(r"[.?!\n]", question.strip().rstrip("?"))[-1]
    return any(_AUXILIARY.match(clause) for clause in last.split(":")) or bool(_EITHER.search(question))


def _polarity(text: str, question: str) -> Answer | None:
    found = _POLARITY.match(text)
    if found and is_polar(question):
        return Answer(Form.POLARITY, _yes(found[1]), found[1])
    return None


def _yes(word: str) -> str:
    return "yes" if word.casefold() in ("yes", "yeah", "yep", "true") else "no"


def is_arithmetic(question: str) -> bool:
    """Whether the answer is a number to be worked out: two numbers or more are given and something is asked of them, or
    one is and an operation on it is named."""
    given = len(numbers(question))
    return bool((given >= 2 and _ARITHMETIC.search(question)) or (given and _ONE_OPERAND.search(question)))


def _last_number(text: str) -> Answer | None:
    found = list(_NUMBER.finditer(text))
    if not found:
        spelled = numbers(text)  # "There are eighteen girls."
        return Answer(Form.NUMBER, str(spelled[-1]), text.strip()) if spelled else None
    value = number_of(found[-1][0])
    return Answer(Form.NUMBER, str(value), found[-1][0]) if value is not None else None


def number_of(text: str) -> Fraction | None:
    """The exact value of a written number ("1,234", "$5", "2/3", "50%", "-.5"), or None."""
    body = _FRACTION.sub(r"\1/\2", text.strip().rstrip("."))
    body = re.sub(r"[,$\s]|\\%|%$|\\", "", body)
    if not re.fullmatch(r"-?(?:\d+(?:\.\d+)?|\.\d+)(?:/\d+)?", body) or len(body) > MAX_DIGITS:
        return None
    top, _, bottom = body.partition("/")
    if bottom and int(bottom) == 0:
        return None
    return Fraction(top) / Fraction(bottom or 1)


def numbers(text: str) -> tuple[Fraction, ...]:
    """All numbers in the canonical spelling of `text`, in order; a date counts by its parts, "3/4" also by them."""
    found: list[Fraction] = []
    for token in tokens(text):
        date = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", token)
        for part in date.groups() if date else (re.sub(r"(?<=\d)(?:st|nd|rd|th)$", "", token),):
            value = number_of(part)
            if value is not None:
                found.append(value)
        if "/" in token:  # three quarters, or the third of April: all that it may be
            found += [Fraction(part) for part in token.lstrip("-").split("/") if len(part) <= MAX_DIGITS]
    return tuple(found)

"""Numbers written as words: "two hundred and five" is "205", "2.5 million" is "2500000"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

__all__ = ("digits", "spelt_fraction")

_BELOW_TWENTY = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_SMALL = {word: value for value, word in enumerate(_BELOW_TWENTY)}
_TENS_WORDS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_TENS = dict(zip(_TENS_WORDS, range(20, 100, 10), strict=True))
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINAL_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ORDINALS = dict(
    zip(_ORDINAL_WORDS, ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th", "10th"), strict=True)
)
# "one" is more often a pronoun than a number when it stands beside these.
_PRONOUN_BEFORE = frozenset(("no", "any", "every", "some", "this", "that", "which", "the", "each", "another"))
_PRONOUN_AFTER = frozenset(
    ("of", "another", "can", "could", "should", "would", "might", "may", "must", "who", "that", "has", "is")
)
_PARTS = {
    "half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10,
}  # fmt: skip
_COUNTED = frozenset(("hundred", "dozen", *_SCALES))
_WRITTEN = re.compile(r"\d{1,15}(?:\.\d{1,9})?")


def digits(words: Sequence[str]) -> list[str]:
    """`words` (case-folded) with each number word, and each run that makes one number, in digits."""
    out: list[str] = []
    at = 0
    while at < len(words):
        value, end = _number(words, at)
        if value is None:
            out.append(_ORDINALS.get(words[at], words[at]))
            at += 1
        else:
            out.append(value)
            at = end
    return out


def spelt_fraction(text: str) -> Fraction | None:
    """The value of a text that is a fraction in words and nothing else ("half", "a third", "three quarters"), or None.

    Only for what is known to be an answer: elsewhere "half" is a half-time and "a third" is a third one.
    """
    words = re.findall(r"[a-z]+", text.casefold())
    words = words[1:] if words[:1] == ["the"] else words
    if words == ["half"]:
        return Fraction(1, 2)
    if len(words) != 2 or not re.fullmatch(r"[a-z\s.-]+", text.casefold()):
        return None
    top = 1 if words[0] in ("a", "an") else _SMALL.get(words[0])
    bottom = _PARTS.get(words[1].removesuffix("s"))
    return Fraction(top, bottom) if top and bottom else None


def _number(words: Sequence[str], start: int) -> tuple[str | None, int]:
    """The number that starts at `start` and the position after it; (None, start) where none does."""
    if words[start] == "one" and _is_pronoun(words, start):
        return None, start
    if words[start : start + 3] == ["half", "a", "dozen"]:
        return "6", start + 3
    total = Fraction(0)
    smallest = max(_SCALES.values()) * 10
    at = start
    while True:
        begin = at + 1 if at > start and words[at : at + 1] == ["and"] else at
        group, end = _below_thousand(words, begin)
        scale = _SCALES.get(words[end], 1) if end < len(words) else 1
        # Groups come largest first: "two thousand five" is one number, "two five" and "five two thousand" are two.
        if group is None or scale >= smallest:
            break
        total, smallest, at = total + group * scale, scale, end + (scale > 1)
        if scale == 1:
            break
    if at == start or (at == start + 1 and _WRITTEN.fullmatch(words[start])):
        return None, start  # nothing, or digits already
    return (str(total) if total.denominator == 1 else f"{float(total):.12g}"), at


def _below_thousand(words: Sequence[str], at: int) -> tuple[Fraction | None, int]:
    """A group, [small hundred [and]] small, with its half or dozen. Digits that stand alone are none."""
    if at < len(words) and _WRITTEN.fullmatch(words[at]):
        value, end = _extended(words, Fraction(words[at]), at + 1)
        alone = end == at + 1 and (end == len(words) or words[end] not in _SCALES)
        return (None, at) if alone else (value, end)
    small, end = _hundreds(words, at)
    return (None, at) if small is None else _extended(words, Fraction(small), end)


def _extended(words: Sequence[str], value: Fraction, end: int) -> tuple[Fraction, int]:
    if words[end : end + 3] == ["and", "a", "half"]:
        return value + Fraction(1, 2), end + 3
    return (value * 12, end + 1) if words[end : end + 1] == ["dozen"] else (value, end)


def _hundreds(words: Sequence[str], at: int) -> tuple[int | None, int]:
    value, end = _below_hundred(words, at)
    if value is None or words[end : end + 1] != ["hundred"]:
        return value, end
    after = end + 1
    rest, last = _below_hundred(words, after + (words[after : after + 1] == ["and"]))
    return (value * 100, after) if rest is None else (value * 100 + rest, last)


def _below_hundred(words: Sequence[str], at: int) -> tuple[int | None, int]:
    if at >= len(words):
        return None, at
    if words[at] == "a" and at + 1 < len(words) and words[at + 1] in _COUNTED:
        return 1, at + 1
    if words[at] in _TENS:
        unit = _SMALL.get(words[at + 1], 0) if at + 1 < len(words) else 0
        return (_TENS[words[at]] + unit, at + 2) if 0 < unit < 10 else (_TENS[words[at]], at + 1)
    value = _SMALL.get(words[at])
    return (None, at) if value is None else (value, at + 1)


def _is_pronoun(words: Sequence[str], at: int) -> bool:
    before, after = words[at - 1 : at] if at else [], words[at + 1 : at + 2]
    return bool(_PRONOUN_BEFORE.intersection(before) or _PRONOUN_AFTER.intersection(after))

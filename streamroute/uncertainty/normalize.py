"""When are two strings the same up to writing: case, markup, articles, number words, separators, units, dates.

METHOD 3.4, step 1. Nothing here understands meaning; it only makes the model's work unnecessary where spelling decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from streamroute.uncertainty.numerals import digits

__all__ = ("normalize", "split_sentences", "token_f1", "tokens")

_ARTICLES = frozenset(("a", "an", "the"))
_WRITTEN_UNITS = {
    "km": "kilometer", "kms": "kilometer", "kilometre": "kilometer", "m": "meter", "metre": "meter", "cm": "centimeter",
    "mm": "millimeter", "mi": "mile", "ft": "foot", "feet": "foot", "kg": "kilogram", "g": "gram", "lb": "pound",
    "lbs": "pound", "hr": "hour", "hrs": "hour", "min": "minute", "mins": "minute", "sec": "second", "secs": "second",
    "kph": "kilometer per hour", "mph": "mile per hour", "pct": "percent", "usd": "dollar", "eur": "euro",
}  # fmt: skip
_PLURAL_UNITS = frozenset(
    (
        "kilometer", "kilometre", "meter", "metre", "centimeter", "millimeter", "mile", "inch", "kilogram", "gram",
        "pound", "liter", "litre", "hour", "minute", "second", "day", "week", "month", "year", "dollar", "euro", "cent",
        "degree",
    )
)  # fmt: skip
_MONTH_NAMES = (
    ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",), ("june", "jun"),
    ("july", "jul"), ("august", "aug"), ("september", "sep", "sept"), ("october", "oct"), ("november", "nov"),
    ("december", "dec"),
)  # fmt: skip
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, start=1) for name in names}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\.?,? (\d{{4}})\b")
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})\b")
_WORD = re.compile(r"\d{4}-\d{2}-\d{2}|(?:(?<!\w)-)?\d+(?:\.\d+)?(?:st|nd|rd|th)?|[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[^\W_]+")
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2212": "-", "\u2011": "-"})


def normalize(text: str) -> str:
    """The canonical spelling of `text`: two texts with equal canonical spelling say the same."""
    return " ".join(tokens(text))


def tokens(text: str) -> list[str]:
    """The words of the canonical spelling, in order."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES).casefold()
    text = re.sub(r"```\w*\n?|\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\bcannot\b|\bcan't\b", "can not", text)
    text = re.sub(r"\bwon't\b", "will not", text)
    text = re.sub(r"n't\b", " not", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<=\d)\s*%", " percent", text)
    text = re.sub(r"\$\s*(\d+(?:\.\d+)?)", r"\1 dollar", text)
    text = re.sub(r"(?<=\w)-(?=[^\W\d])", " ", text)
    text = _DAY_FIRST.sub(lambda m: _iso(m[3], m[2], m[1]), text)
    text = _MONTH_FIRST.sub(lambda m: _iso(m[3], m[1], m[2]), text)
    words = [word.removesuffix("'s") for word in _WORD.findall(text)]
    words = _spell_units(digits(words))
    return [word for word in words if word not in _ARTICLES] or words


def _iso(year: str, month: str, day: str) -> str:
    return f"{year}-{_MONTHS[month]:02d}-{int(day):02d}"


def _spell_units(words: Sequence[str]) -> list[str]:
    """Units after a number in one spelling; "m" and "g" stay what they are elsewhere."""
    out: list[str] = []
    for word in words:
        if out and re.fullmatch(r"-?\d+(?:\.\d+)?", out[-1]):
            singular = word.removesuffix("es") if word == "inches" else word.removesuffix("s")
            word = _WRITTEN_UNITS.get(word, singular if singular in _PLURAL_UNITS else word)  # noqa: PLW2901
            word = _WRITTEN_UNITS.get(word, word)  # noqa: PLW2901
            out += word.split()
        else:
            out.append(word)
    return out


def token_f1(a: Sequence[str], b: Sequence[str]) -> float:
    """Harmonic mean of precision and recall of the shared words, in [0, 1]; 1 for two empty texts."""
    if not a or not b:
        return float(not a and not b)
    shared = sum((Counter(a) & Counter(b)).values())
    return 2 * shared / (len(a) + len(b))


_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|etc|e\.g|i\.e|no|vol|approx|gen|lt|col|capt|rev|fig|inc|ltd|co)|\b[a-z]"
    r"|^\s*\d{1,3})\.$",
    re.IGNORECASE,
)
_END = re.compile(r"(?:[.!?\u2026\u3002\uff01\uff1f]+[\"'\u201d\u2019)*_\]]*)(?=\s|$)|\n+")


def split_sentences(text: str) -> tuple[list[str], str]:
    """(finished sentences, the unfinished rest), both stripped. A line's end finishes a sentence; an abbreviation, an
    initial, a list number or a decimal point does not."""
    finished: list[str] = []
    start = 0
    for end in _END.finditer(text):
        piece = text[start : end.end()].strip()
        if not piece or (not end[0].startswith("\n") and _ABBREVIATION.search(piece)):
            continue
        # A number at the very end of a growing text may go on behind its point.
        if end.end() == len(text) and re.search(r"\d\.$", piece):
            continue
        finished.append(piece)
        start = end.end()
    return finished, text[start:].strip()

"""When are two strings the same up to writing: case, markup, articles, number words, separators, units, dates.

METHOD 3.4, step 1. Nothing here understands meaning; it only makes the model's work unnecessary where spelling decides.
"""

from __future__ import annotations

import functools
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
    "litre": "liter", "centimetre": "centimeter", "millimetre": "millimeter",
}  # fmt: skip
_PLURAL_UNITS = frozenset(
    (
        "kilometer", "kilometre", "meter", "metre", "centimeter", "centimetre",
        "millimeter", "millimetre", "mile", "inch", "kilogram", "gram",
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
_YEAR_FIRST = re.compile(r"(?<![\d/])(\d{4})/(\d{2})/(\d{2})(?![\d/])")
_SLASHED_DATE = re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4})(?![\d/])")
_VULGAR = re.compile(r"(?<=\d)(?=[\u00bc-\u00be\u2150-\u215e])")
_MIXED = re.compile(r"(?<![\d/.,-])(\d{1,3})[ -](\d{1,2})/(\d{1,3})(?![\d/])")
_MONEY = re.compile(
    r"(?:\bus)?([$\u00a3\u20ac])\s*(\d+(?:\.\d+)?)(\s*(?:k|m|bn?|thousand|million|billion|trillion)\b)?"
)
_CURRENCIES = {"$": "dollar", "\u00a3": "pound sterling", "\u20ac": "euro"}
_DEGREES = {"c": "celsius", "f": "fahrenheit"}
_SHORT_SCALES = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion"}
_WORD = re.compile(
    r"\d{4}-\d{2}-\d{2}|(?:(?<!\w)-)?(?<![\d/.])\d+/\d+(?![\d/])|\d+s\b|(?:(?<!\w)-)?\d+(?:\.\d+)?(?:st|nd|rd|th)?"
    r"|[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[^\W_]+"
)
_QUOTES = str.maketrans("\u2019\u2018\u201c\u201d\u2212\u2011\u2044", "''\"\"--/")


def normalize(text: str) -> str:
    """The canonical spelling of `text`: two texts with equal canonical spelling say the same."""
    return " ".join(tokens(text))


def tokens(text: str) -> list[str]:
    """The words of the canonical spelling, in order."""
    return list(_remembered(text) if len(text) <= REMEMBERED_CHARS else _tokens(text))


def _tokens(text: str) -> list[str]:
    text = _VULGAR.sub(" ", text)  # "2½" is two and a half, not 21/2
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES).casefold()
    text = re.sub(r"```\w*\n?|\[([^\[\]]*)\]\([^()]*\)", r"\1", text)
    text = re.sub(r"\bcannot\b|\bcan't\b", "can not", text)
    text = re.sub(r"\bwon't\b", "will not", text)
    text = re.sub(r"n't\b", " not", text)
    text = _figures(text)
    text = re.sub(r"(?<=\w)-(?=[^\W\d])", " ", text)
    text = _dates(text)
    words = [word.removesuffix("'s") for word in _WORD.findall(text)]
    words = _spell_units(digits(words))
    return [word for word in words if word not in _ARTICLES] or words


# A verdict asks for the words of each of its texts a dozen times, on the event loop.
REMEMBERED_CHARS = 2_000


@functools.lru_cache(maxsize=1024)
def _remembered(text: str) -> tuple[str, ...]:
    return tuple(_tokens(text))


def _figures(text: str) -> str:
    """Separators, percent, money, scales that are written with a letter, mixed fractions."""
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<=\d)\s*%", " percent", text)
    text = _MONEY.sub(_money, text)
    # "5k" and "5bn" say one thing only; "5m" is metres as often as millions, but never of money.
    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)(k|bn)\b", lambda m: f"{m[1]} {_SHORT_SCALES[m[2]]}", text)
    text = re.sub(r"(?<=\d)\s*\u00b0\s*([cf])\b", lambda m: " degree " + _DEGREES[m[1]], text)
    text = re.sub(r"(?<=\d)(\s*)km/h\b", r"\1kph", text)
    return _MIXED.sub(_mixed, text)


def _money(found: re.Match[str]) -> str:
    scale = (found[3] or "").strip()
    return f"{found[2].removesuffix('.00')} {_SHORT_SCALES.get(scale, scale)} {_CURRENCIES[found[1]]} "


def _mixed(found: re.Match[str]) -> str:
    whole, top, bottom = (int(part) for part in found.groups())
    exact = 0 < top < bottom and 1000 % bottom == 0
    return f"{whole + top / bottom:.12g}" if exact else found[0]


def _dates(text: str) -> str:
    """Dates in one spelling where they are certain: "6/5/1999" is two different days on two continents."""
    text = _DAY_FIRST.sub(lambda m: _iso(m[3], m[2], m[1]), text)
    text = _MONTH_FIRST.sub(lambda m: _iso(m[3], m[1], m[2]), text)
    text = _YEAR_FIRST.sub(r"\1-\2-\3", text)
    return _SLASHED_DATE.sub(_slashed, text)


def _slashed(found: re.Match[str]) -> str:
    low, high = sorted((int(found[1]), int(found[2])))
    certain = 0 < low <= 12 < high <= 31 or 0 < low == high <= 12
    return f"{found[3]}-{low:02d}-{high:02d}" if certain else found[0]


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
    r"\b(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|etc|e\.g|i\.e|no|vol|approx|gen|lt|col|capt|rev|fig|inc|ltd|co|[a-z])\.$",
    re.IGNORECASE,
)
_LONGEST_ABBREVIATION = 8
_LIST_NUMBER = re.compile(r"\s*\d{1,3}\.")
# Runs are taken whole and from their start only: "....", however long, is looked at once.
_END = re.compile(
    r"(?<![.!?\u2026\u3002\uff01\uff1f])[.!?\u2026\u3002\uff01\uff1f]++[\"'\u201d\u2019)*_\]]*+(?=\s|$)|\n+"
)


def split_sentences(text: str) -> tuple[list[str], str]:
    """(finished sentences, the unfinished rest), both stripped. A line's end finishes a sentence; an abbreviation, an
    initial, a list number or a decimal point does not."""
    finished: list[str] = []
    start = 0
    for end in _END.finditer(text):
        if not end[0].startswith("\n") and _goes_on(text, start, end.end()):
            continue
        piece = text[start : end.end()].strip()
        if piece:
            finished.append(piece)
            start = end.end()
    return finished, text[start:].strip()


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether the sentence from `start` does not end with the point at `end`."""
    # A number at the very end of a growing text may go on behind its point.
    if end == len(text) and re.search(r"\d\.$", text[end - 2 : end]):
        return True
    last = text[max(start, end - _LONGEST_ABBREVIATION) : end]
    return bool(_ABBREVIATION.search(last) or _LIST_NUMBER.fullmatch(text, start, end))

"""Is an answer right? Deliberately independent of the judge's own normalisation: a router must not grade itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

__all__ = ("Kind", "is_right", "last_number", "normalise")

Kind = Literal["free", "number", "yesno", "choice"]

_NUMBER = re.compile(r"(?<![\w.])[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\w)|(?<![\w.])[-−]?\.\d+(?!\w)")
_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: Decimal(value) for value, word in enumerate(_UNITS)} | {
    word: Decimal(10 * value) for value, word in enumerate(_TENS, start=2)
}
_WORD_NUMBER = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})(?:[- ](?P<unit>{'|'.join(_UNITS[1:10])}))?|(?P<small>{'|'.join(_UNITS)}))\b"
)
_CHOICE = re.compile(r"(?<!\w)\(?([A-E])(?:\)|\.(?!\w)|:|$)|(?:answer|option|choice|letter)\W+(?:is\W+)?([A-E])\b")


def is_right(answer: str, gold: Sequence[str], kind: Kind, *, question: str = "") -> bool:
    """True when `answer` states one of the aliases in `gold`.

    `free`: an alias stands in the answer as whole words, ignoring case, accents and punctuation. `number`: the number
    that the answer ends on has the alias's value. `yesno`: the first "yes" or "no". `choice`: the first option letter.
    """
    match kind:
        case "free":
            text = f" {normalise(answer)} "
            return any(f" {alias} " in text for alias in map(normalise, gold) if alias)
        case "number":
            value = last_number(answer, ignoring=question)
            return value is not None and any(value == last_number(alias) for alias in gold)
        case "yesno":
            said = re.search(r"\b(yes|no)\b", answer.casefold())
            return said is not None and said.group(1) in {alias.casefold() for alias in gold}
        case "choice":
            letter = _CHOICE.search(answer.strip())
            return letter is not None and (letter.group(1) or letter.group(2)) in {alias.upper() for alias in gold}


def normalise(text: str) -> str:
    """Case-folded words without accents and punctuation, single spaces between them."""
    # Unicode's compatibility caseless matching (UAX 15 and the standard, D146): folding can give what still decomposes.
    decomposed = unicodedata.normalize("NFD", text)
    for _ in range(2):
        decomposed = unicodedata.normalize("NFKD", decomposed.casefold())
    letters = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(re.findall(r"[^\W_]+", letters.replace("ł", "l")))


def last_number(text: str, *, ignoring: str = "") -> Decimal | None:
    """The value of the last number in `text`, None when there is none.

    Numbers that the text `ignoring` (the question) contains count only when there is no other: "14 is the square root
    of 196" says 14. Spelled-out numbers up to ninety-nine count only when there are no digits.
    """
    numbers = _numbers(text)
    given = set(_numbers(ignoring))
    fresh = [number for number in numbers if number not in given]
    counted = fresh or numbers
    return counted[-1] if counted else None


def _numbers(text: str) -> list[Decimal]:
    found = [Decimal(match.group().replace(",", "").replace("−", "-")) for match in _NUMBER.finditer(text)]
    return found or [_spelled(match) for match in _WORD_NUMBER.finditer(text.casefold())]


def _spelled(match: re.Match[str]) -> Decimal:
    if match["small"]:
        return _WORDS[match["small"]]
    return _WORDS[match["tens"]] + (_WORDS[match["unit"]] if match["unit"] else 0)

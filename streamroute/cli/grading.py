"""Is an answer right? Deliberately independent of the judge's own normalisation: a router must not grade itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
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
_OPERATOR = re.compile(r"\s*(?:[^\W\d]+\s+){0,2}(?:[-+*/×÷−]|x(?=\s))\s*[$€£]?", re.IGNORECASE)
_CONCLUSION = re.compile(r"####|\banswer\s+is\b", re.IGNORECASE)
_NAMED = re.compile(r"\b(?:is|was|are|were|be|called|named|\w+(?:ed|en|wn) by)(?: an?| the)? $")
_ASKED_FOR = re.compile(r"\b(?:what|which) (?:(?:type|kind|sort)s? of )?(\w+)")
_ARTICLES_AND_VERBS = frozenset(
    ("a", "an", "and", "are", "in", "is", "it", "of", "s", "that", "the", "to", "was", "were")
)
_CHOICE = re.compile(r"(?<!\w)\(?([A-E])(?:\)|\.(?!\w)|:|$)|(?:answer|option|choice|letter)\W+(?:is\W+)?([A-E])\b")


def is_right(answer: str, gold: Sequence[str], kind: Kind, *, question: str = "") -> bool:
    """True when `answer` states one of the aliases in `gold`.

    `free`: an alias stands in the answer as whole words, whatever the case, accents, punctuation and spelling of small
    numbers; the noun that the question asks for may be left out ("what language": "English" for "English Language"),
    and an alias out of the question must be said of something, not only repeated. `number`: the number that the answer
    ends on has the alias's value. `yesno`: the first "yes" or "no". `choice`: the first option letter.
    """
    match kind:
        case "free":
            text, asked = _comparable(answer), _comparable(question)
            return any(_states(text, alias, asked) for name in gold for alias in _forms(_comparable(name), asked))
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


def _forms(alias: str, question: str) -> list[str]:
    """The alias, and the alias without the noun that the question asks for. All three are normalised."""
    words = alias.split()
    nouns = {noun.removesuffix("s") for noun in _ASKED_FOR.findall(question)}
    short = " ".join(words[:-1])
    if short not in ("", "the") and words[-1].removesuffix("s") in nouns:
        return [alias, short]
    return [alias] if words else []


def _comparable(text: str) -> str:
    """Normalised, with numbers from 2 to 99 in digits. "One" stays: it is said of anything."""
    return _WORD_NUMBER.sub(_in_digits, normalise(text))


def _in_digits(match: re.Match[str]) -> str:
    value = _spelled(match)
    return str(value) if value > 1 else match.group()


def _states(answer: str, alias: str, question: str) -> bool:
    """Whether the answer gives this alias. One that the question has too ("what was Van Halen's first album?") counts
    where it follows an "is" or the like, where the answer has no word of its own, and where the question offers it."""
    if not _within(alias, answer):
        return False
    if not _within(alias, question) or _within("or", question):
        return True
    own = set(answer.split()) - set(question.split()) - _ARTICLES_AND_VERBS
    before = [answer[: match.start()] for match in re.finditer(rf"\b{re.escape(alias)}\b", answer)]
    return not own or any(_NAMED.search(text) for text in before)


def _within(words: str, text: str) -> bool:
    return f" {words} " in f" {text} "


def last_number(text: str, *, ignoring: str = "") -> Decimal | None:
    """The value of the last number in `text`, None when there is none.

    Numbers that the text `ignoring` (the question) contains count only when there is no other: "14 is the square root
    of 196" says 14. What is only put into a sum is not its outcome: "6 - 1 = 5" says 5, and a text that breaks off in a
    sum of given numbers says none. What follows the last "answer is" or "####" counts alone. Spelled-out numbers up to
    ninety-nine count only when there are no digits.
    """
    for conclusion in [text[match.end() :] for match in _CONCLUSION.finditer(text)][::-1]:
        if _numbers(conclusion):
            text = conclusion
            break
    given = {number for number, _ in _numbers(ignoring)}
    numbers = _numbers(text)
    outcomes = [number for number, operand in numbers if not operand]
    fresh = [number for number in outcomes if number not in given] or (
        [] if outcomes else [number for number, _ in numbers if number not in given]
    )
    if fresh:
        return fresh[-1]
    if not numbers or numbers[-1][1]:
        return None
    return outcomes[-1]


def _numbers(text: str) -> list[tuple[Decimal, bool]]:
    """Each number, and whether it is an operand: next to an operator that has a number on its other side."""
    found = list(_NUMBER.finditer(text))
    if not found:
        return [(_spelled(match), False) for match in _WORD_NUMBER.finditer(text.casefold())]
    joined = [_OPERATOR.fullmatch(text, one.end(), other.start()) is not None for one, other in pairwise(found)]
    return [
        (Decimal(match.group().replace(",", "").replace("−", "-")), before or after)
        for match, before, after in zip(found, [False, *joined], [*joined, False], strict=True)
    ]


def _spelled(match: re.Match[str]) -> Decimal:
    if match["small"]:
        return _WORDS[match["small"]]
    return _WORDS[match["tens"]] + (_WORDS[match["unit"]] if match["unit"] else 0)

"""What settles whether two texts mean the same without asking a model (METHOD 3.4, steps 1 to 4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction

from streamroute.uncertainty.extract import Answer, Form
from streamroute.uncertainty.gist import NEGATIONS, Gist
from streamroute.uncertainty.sequential import Stance
from streamroute.uncertainty.structure import compare

__all__ = ("same",)

SHORT_TOKENS = 6
LONG_TOKENS = 40
MAX_NUMBERS = 3
_QUANTITIES = frozenset(
    ("many", "much", "when", "year", "date", "number", "old", "age", "long", "far", "tall", "percent", "cost", "often")
)
RELATIVE_TOLERANCE = Fraction(1, 10**6)


def same(
    a: Gist, b: Gist, *, asked: Collection[str] = frozenset(), given: Collection[Fraction] = frozenset()
) -> bool | None:
    """True or False where the answer is certain, None where a model must be asked. Symmetric.

    `asked` are the words of the question, `given` its numbers: repeating them says nothing.
    """
    if a.stance is not b.stance:
        return False
    if a.stance is not Stance.CLAIM or a.key == b.key:
        return True
    if not a.words or not b.words:
        return False
    if a.unsettled or b.unsettled:
        return False  # sentences of working are alike whatever they lead to
    if a.answer and b.answer:
        if a.answer.parts is not None and b.answer.parts is not None:
            return compare(a.answer.parts, b.answer.parts).equivalent
        if a.answer.form is b.answer.form is not Form.TEXT:
            return _by_answer(a.answer, b.answer)
    kinds = {g.answer.form for g in (a, b) if g.answer and g.answer.parts is not None}
    if Form.CALLS in kinds:
        return False  # words call nothing
    # Words may say what data says, but standing somewhere in it is not saying it.
    found = _by_words(a, b, asked, given)
    return None if found and kinds else found


def _by_answer(a: Answer, b: Answer) -> bool | None:
    if a.form is not Form.NUMBER:
        return False  # letters and polarities that are equal have equal keys
    x, y = Fraction(a.value), Fraction(b.value)
    if _close(x, y):
        return True
    # "50%" is one half, unless it was percent that were asked for.
    percent = [number.text.rstrip(" .").endswith("%") for number in (a, b)]
    of_one_hundred = percent[0] != percent[1] and (_close(x, 100 * y) or _close(100 * x, y))
    return None if of_one_hundred else False


def _by_words(a: Gist, b: Gist, asked: Collection[str], given: Collection[Fraction]) -> bool | None:
    polarities = {g.answer.value for g in (a, b) if g.answer and g.answer.form is Form.POLARITY}
    if len(polarities) == 2:
        return False
    left, right = (_new(g.numbers, given) for g in (a, b))
    few = 0 < len(left) <= MAX_NUMBERS and 0 < len(right) <= MAX_NUMBERS
    if few and _number_decides(a, b, asked) and not any(_close(x, y) for x in left for y in right):
        return False
    short, long = sorted((a, b), key=lambda g: len(g.words))
    says_something = any(word not in asked for word in short.words)
    fits = len(short.words) <= SHORT_TOKENS and len(long.words) <= LONG_TOKENS and _inside(short.words, long.words)
    if fits and says_something and set(left) == set(right) and _negations(a) == _negations(b) and not _hedges(long):
        return True
    return None


def _number_decides(a: Gist, b: Gist, asked: Collection[str]) -> bool:
    """Whether a number is the answer, not a year in passing: the question asks for one, or a text is hardly more."""
    return not asked or not _QUANTITIES.isdisjoint(asked) or min(len(a.words), len(b.words)) <= SHORT_TOKENS


def _new(numbers: Sequence[Fraction], given: Collection[Fraction]) -> list[Fraction]:
    return [number for number in numbers if number not in given]


def _close(x: Fraction, y: Fraction) -> bool:
    return abs(x - y) <= RELATIVE_TOLERANCE * max(abs(x), abs(y))


def _inside(short: Sequence[str], long: Sequence[str]) -> bool:
    width = len(short)
    return any(tuple(long[i : i + width]) == tuple(short) for i in range(len(long) - width + 1))


def _negations(text: Gist) -> int:
    return len(NEGATIONS.intersection(text.words))


def _hedges(text: Gist) -> bool:
    """Naming an alternative beside the answer is not giving it."""
    return not {"or", "either", "rather", "instead", "unlike", "but", "contrary"}.isdisjoint(text.words)

"""What the prompt alone decides before any model is asked: by named rules, each a small pure function of the question.

Rules only: on the 250 questions of NQ that the judge is measured on, no classifier of the question's words (hashed word
and character n-grams, length, question word) tells where the cheap model fails: five-fold AUROC .51.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from streamroute.errors import ConfigError
from streamroute.routing.tiers import text_of
from streamroute.upstreams.base import Message

__all__ = ("DEFAULT_STEPS", "RULES", "PreRouter", "Prior", "Step")


class Step(enum.StrEnum):
    """`JUDGE`: as without a pre-router. `SKIP_CHEAP`: start at the second tier. `SKIP_PROBES`: the cheap answer is
    taken unjudged."""

    JUDGE = "judge"
    SKIP_CHEAP = "skip_cheap"
    SKIP_PROBES = "skip_probes"


@dataclass(frozen=True, slots=True)
class Prior:
    """`hard` is a stated, not a measured, probability that the cheap answer is wrong; `reason` the rule that applied,
    "" for none."""

    decision: Step
    hard: float
    reason: str = ""


_CODE: Final = re.compile(
    r"```|\b(?:write|implement|debug|refactor|fix|code)\b[^.?!\n]{0,60}\b(?:functions?|scripts?|programs?|class(?:es)?|code"
    r"|regex|quer(?:y|ies)|sql|python|javascript|typescript|java|rust|c\+\+|golang|bash|html|css)(?!\w)"
    r"|\bTraceback \(most recent call last\)|^\s*(?:def|class|import|#include|public static)\s",
    re.IGNORECASE | re.MULTILINE,
)
_SUM: Final = re.compile(
    r"(?<![\d-])(?![12]\d{3} - [12]\d{3})\d[\d.,]*(?:\s*[+*^=×÷]|\s[-/]\s)\s*\d"  # 9/11 and 2004 - 2007 are no sums
)
_MATHS: Final = re.compile(
    r"\b(?:solve|integrate|differentiate|derivative|integral|equation|probability that|prove|factori[sz]e|simplify"
    r"|how (?:many|much|long|far|old) .{0,200}\b(?:if|each|per|altogether|in total|left|remain))\b",
    re.IGNORECASE | re.DOTALL,
)
_TRIVIAL: Final = re.compile(
    r"(?:hi|hello|hey|hiya|good (?:morning|afternoon|evening|night)|thanks?(?: you)?(?: (?:so|very) much)?|bye|goodbye"
    r"|ok(?:ay)?|how are you(?: today| doing)?|great|cool|yes|no)(?: there)?[\s!.?,]*",
    re.IGNORECASE,
)
_OPEN: Final = re.compile(
    r"\b(?:write|compose|draft|tell|invent|create|make up)\b[^.?!\n]{0,40}\b(?:poem|story|stories|song|lyrics|essay"
    r"|joke|haiku|limerick|slogan|speech|letter|e-?mail|tweet|blog post)s?\b|\b(?:brainstorm|role-?play)\b"
    r"|\b(?:suggest|give me|come up with)\b[^.?!\n]{0,30}\b(?:ideas|names|titles|suggestions)\b",
    re.IGNORECASE,
)
_WORDS: Final = (
    "the a an of to in is are was were and or for on with that this it what who when where why how which do does did"
    " can you i my me from by be as at not have has about between if will would should many much name your"
)
_FOREIGN: Final = (
    "le la les des est que qui une dans pour quel quelle pourquoi comment el los las es en qué cuál cómo dónde por para"
    " der die das und ist nicht wie wer wann warum ein eine il di che perché quando come o os uma não qual como het een"
    " van wat wie hoe waarom du de är och vad hvad hvem jest co kto gdzie"
)
_ENGLISH: Final = frozenset(_WORDS.split())
_OTHER: Final = frozenset(_FOREIGN.split()) - _ENGLISH
_WORD: Final = re.compile(r"[^\W\d_]+")


def trivial(question: str) -> bool:
    """A greeting, thanks, a yes or no: nothing to be wrong about."""
    return _TRIVIAL.fullmatch(question.strip()) is not None


def code(question: str) -> bool:
    """A code block, or a request for code."""
    return _CODE.search(question) is not None


def maths(question: str) -> bool:
    """Arithmetic, or a problem of several steps: at least two numbers where only words say so."""
    if _SUM.search(question):
        return True
    return _MATHS.search(question) is not None and len(re.findall(r"\d", question)) >= 2


def language(question: str) -> bool:
    """Not English, which is all that the bundled judge reads: mostly another script, or more stop words of others."""
    letters = [letter for letter in question if letter.isalpha()]
    if sum(ord(letter) > 0x24F for letter in letters) * 2 > len(letters):
        return True
    words = [word.lower() for word in _WORD.findall(question)]
    return sum(word in _OTHER for word in words) >= max(2, 1 + sum(word in _ENGLISH for word in words))


def open_ended(question: str) -> bool:
    """Creative: answers differ without one of them being wrong."""
    return _OPEN.search(question) is not None


def long(question: str, characters: int = 4000) -> bool:
    """At least this many characters."""
    return len(question) >= characters


RULES: Final[Mapping[str, tuple[Callable[[str], bool], float]]] = {
    "trivial": (trivial, 0.02),
    "code": (code, 0.6),
    "maths": (maths, 0.6),
    "language": (language, 0.6),
    "open_ended": (open_ended, 0.2),
    "long": (long, 0.5),
}
"""In the order in which they are tried, each with the probability that the cheap answer is wrong (stated)."""

DEFAULT_STEPS: Final[Mapping[str, Step]] = {
    "trivial": Step.SKIP_PROBES,
    "code": Step.SKIP_CHEAP,
    "maths": Step.SKIP_CHEAP,
    "language": Step.SKIP_CHEAP,
    "open_ended": Step.SKIP_PROBES,
}
BASE_RATE: Final = 0.25


class PreRouter:
    """`steps` says what each rule decides; a rule that is not in it is never tried. The first that applies decides.

    Raises `ConfigError` for a rule that there is not.
    """

    def __init__(self, steps: Mapping[str, Step] = DEFAULT_STEPS, *, long_characters: int = 4000) -> None:
        unknown = sorted(steps.keys() - RULES.keys())
        if unknown:
            raise ConfigError(f"prerouter: there is no rule {unknown[0]!r}; there is {', '.join(RULES)}")
        self._steps = dict(steps)
        self._long = long_characters

    def route(self, messages: Sequence[Message], params: Mapping[str, Any] | None = None) -> Prior:
        """By the last user turn; `long` by the whole conversation. `params` are the request's further fields, which no
        rule looks at yet."""
        asked = [text_of(message) for message in messages if message.get("role") == "user"]
        question = asked[-1] if asked else ""
        for name, (rule, hard) in RULES.items():
            if name not in self._steps:
                continue
            if name == "long":
                applies = long("".join(text_of(message) for message in messages), self._long)
            else:
                applies = rule(question)
            if applies:
                return Prior(self._steps[name], hard, name)
        return Prior(Step.JUDGE, BASE_RATE)

"""What of a text is compared: its stance, its claim, its final answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from streamroute.uncertainty.extract import Answer, Form, extract, is_arithmetic, numbers
from streamroute.uncertainty.normalize import split_sentences, token_f1, tokens
from streamroute.uncertainty.refusals import is_refusing, stance
from streamroute.uncertainty.sequential import Stance

__all__ = ("MAX_CHARS", "NEGATIONS", "Gist", "asserts", "gist", "gist_of_growing")

MAX_CHARS = 50_000
"""How much of a text is read. A longer one counts as cut off there, which bounds the work on any text."""
MAX_QUESTION_CHARS = 4_000
"""How much of the end of a question is read: there stands what is asked."""

SUPPORT_SENTENCES = 3
MAX_CLAIM_WORDS = 60
MAX_CLAIM_CHARS = 1_000
NEGATIONS = frozenset(
    ("no", "not", "never", "none", "neither", "nor", "without", "nobody", "nothing", "nowhere", "hardly")
)
_FILLER = re.compile(
    r"^\W*(?:sure|certainly|of course|absolutely|great|good|excellent|interesting|okay|ok|alright|hello|hi|hey|thanks?"
    r"|thank you|happy to help|(?:i'd|i would|i am|i'm) (?:be )?(?:happy|glad)|let me|let's|here(?:'s| is| are| you go)"
    r"|to (?:answer|find|solve|determine|calculate)|i(?:'m| am) (?:sorry|an ai)|as an ai)\b"
    r"(?:\W*$|[^.!?\n]{0,60}(?:question|help|answer|assist\w*|information|explanation|step by step|model)\W*$"
    r"|[^.!?\n]{0,60}:$)",
    re.IGNORECASE,
)
_RESTATES = 0.9


@dataclass(frozen=True, slots=True)
class Gist:
    """A text made ready for comparison.

    `claim` is its first sentence that asserts something (or what its marked final answer says), `key` the canonical
    spelling of that (equal keys need no model), `support` the claim with up to two sentences after it, equal to `claim`
    where there are none. `unsettled`: the question asks for a number to be worked out, and the text has not got there.
    """

    stance: Stance
    claim: str
    key: str
    words: tuple[str, ...]
    numbers: tuple[Fraction, ...]
    answer: Answer | None
    support: str
    unsettled: bool = False


def gist(text: str, question: str = "", *, truncated: bool = False) -> Gist:
    """The gist of a text that has ended. Where it was cut off (`truncated`, or longer than `MAX_CHARS`), an unfinished
    last sentence is dropped if another stands before it, and its end is not taken for its answer."""
    question = question[-MAX_QUESTION_CHARS:]
    text, truncated = text[:MAX_CHARS], truncated or len(text) > MAX_CHARS
    finished, rest = split_sentences(text)
    if truncated and finished:
        rest = ""
        text = text[: text.rfind(finished[-1]) + len(finished[-1])]
    sentences = [*finished, rest] if rest else finished
    return _gist(text, sentences, question, extract(text, question, finished=not truncated))


def gist_of_growing(text: str, question: str = "") -> Gist | None:
    """The gist of an answer that is still being written, or None while it cannot be judged.

    It can once it marked its final answer, or finished a sentence that claims something. Not while it only refuses or
    disclaims (an answer may follow), nor where the question is arithmetic (the first sentence is working, not result),
    nor by what stands in data or code, which only their end completes.
    """
    question = question[-MAX_QUESTION_CHARS:]
    text = text[:MAX_CHARS].partition("```")[0]
    if text.lstrip().startswith(("{", "[")):
        return None
    finished, _ = split_sentences(text)
    answer = extract(text, question, finished=False)
    if answer is None and (is_arithmetic(question) or _claim_at(finished, question) is None):
        return None
    if answer is not None and answer.form is Form.POLARITY and not finished:
        return None  # "No" may become "No one ..."
    made = _gist(text, finished or [text.strip()], question, answer)
    return made if made.stance is Stance.CLAIM else None


def asserts(sentence: str, asked: Sequence[str] = ()) -> bool:
    """Whether a sentence says something: it is no filler, question or refusal, and not the question again, of which
    `asked` are the words."""
    said = tokens(sentence)
    idle = not said or _FILLER.match(sentence) or sentence.endswith("?") or is_refusing(sentence)
    return not idle and not (asked and token_f1(said, asked) >= _RESTATES)


def _claim_at(sentences: list[str], question: str) -> int | None:
    asked = tokens(question)
    return next((i for i, sentence in enumerate(sentences) if asserts(sentence, asked)), None)


def _gist(text: str, sentences: list[str], question: str, answer: Answer | None) -> Gist:
    # A program that mentions a refusal does not refuse.
    kind = Stance.CLAIM if answer is not None and answer.form in (Form.CODE, Form.CALLS) else stance(text)
    at = _claim_at(sentences, question)
    if answer is not None and answer.form not in (Form.LETTER, Form.POLARITY):
        claim = support = answer.text
    else:
        claim = sentences[at] if at is not None else text.strip()
        support = " ".join(sentences[at : at + SUPPORT_SENTENCES]) if at is not None else claim
    claim, support = (" ".join(part.split()[:MAX_CLAIM_WORDS])[:MAX_CLAIM_CHARS] for part in (claim, support))
    words = tuple(tokens(claim))
    key = f"{answer.form}:{answer.value}" if answer is not None and answer.form is not Form.TEXT else " ".join(words)
    unsettled = answer is None and is_arithmetic(question)
    if unsettled:
        key = " ".join(tokens(text))  # how the working begins says nothing about where it leads
    return Gist(kind, claim, key, words, numbers(claim), answer, support, unsettled)

"""Two kinds of not answering: "I may not" (a policy) and "I do not know" (ignorance)."""

from __future__ import annotations

import re

from streamroute.uncertainty.normalize import split_sentences
from streamroute.uncertainty.sequential import Stance

__all__ = ("is_refusing", "stance")

_CANNOT = (
    r"(?:can\s?not|can't|could not|couldn't|won't|will not|(?:am|'m|are|is) (?:unable|not able)"
    r"|not (?:allowed|permitted)|unable|do not|don't|does not|doesn't|must|have to|had to|prefer not)"
)
_BAD = "illegal|unethical|harmful|dangerous|inappropriate|immoral|not appropriate|offensive|explicit"
_RULES = "polic|guideline|programming|principle|rules|terms"
_FORBIDDEN = re.compile(
    rf"\b(?:against|violat\w+) (?:my|our|the)?\s*(?:\w+ )?(?:{_RULES})"
    rf"|\b(?:{_CANNOT}|would be|it is|it's|is|are|that's)\b[^.]{{0,60}}\b(?:{_BAD})\b"
    rf"|\b{_CANNOT} (?:\w+ )?(?:comply|condone|encourage|promote|facilitate|participate|engage)\b"
    rf"|\b(?:must|have to|i) (?:respectfully )?(?:decline|refuse)\b",
    re.IGNORECASE,
)
_KNOWN = "access|information|data|knowledge|context|details|ability|capability|record|memory|answer|evidence|personal"
_NEEDED = "context|information|details|knowledge|data|records?|clarification|way of knowing"
_ANSWERS = (
    "answer|determine|predict|verify|confirm|browse|find|locate|identify|guess|say|tell|provide|give|access|be answered"
    "|be determined"
)
_IGNORANT = re.compile(
    r"\b(?:do not|don't|doesn't|does not|did not|didn't) (?:\w+ )?(?:know|recall|remember|recognize|understand)\b"
    rf"|\b(?:do not|don't|doesn't|does not) (?:currently )?(?:have|possess)\b[^.]{{0,60}}\b(?:{_KNOWN})\b"
    rf"|\b(?:no|not enough|insufficient|without|lack\w*|need|require|provide|missing|unclear)\b[^.]{{0,40}}"
    rf"\b(?:{_NEEDED})\b"
    r"|\b(?:real-?time|up-?to-?date|current) (?:information|data|updates|events)\b[^.]{0,40}$"
    r"|\b(?:not|n't|un)\s?(?:sure|certain|clear|aware|familiar|known|specified)\b"
    r"|\b(?:is|are|was|'m|am) (?:unknown|unclear|unsure|uncertain|unaware|unfamiliar)\b"
    r"|\bno (?:idea|answer|known|knowledge|record|such)\b"
    rf"|\b{_CANNOT} (?:\w+ )?(?:{_ANSWERS})\b"
    r"|\bsorry\b[^.]{0,60}\b(?:understand|clarify|rephrase|incomplete|statement|not a question)\b"
    r"|\b(?:could|can) you (?:please )?(?:clarify|provide|specify|rephrase|give)\b"
    r"|\b(?:question|query|statement|prompt) (?:is|seems|appears)(?: to be)? (?:incomplete|unclear|ambiguous|vague)\b",
    re.IGNORECASE,
)
_DECLINES = re.compile(
    rf"\b{_CANNOT} (?:\w+ )?(?:help|assist|do that|do this|fulfil+|support|discuss|create|write|generate|share|continue"
    r"|provide|give|offer|respond|answer that)\b",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(
    r"\b(?:i|i'm|we|my|me|as an ai)\b|\bsorry\b|\bapologi[sz]e"
    r"|\b(?:this|the|your|that) (?:question|request|query|information|answer|statement|exact)\b",
    re.IGNORECASE,
)
_FURTHER = re.compile(
    r"\b(?:but|however|though|although|that said|nevertheless|nonetheless|as of|based on|according to|so far)\b[,:]?\s*"
    r"(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_OFFER = re.compile(
    r"\b(?:please|feel free|let me know|happy to|glad to|you (?:can|could|may|might|should|would)|i'd|i'll"
    r"|i'm here|if you"
    r"|i (?:can|could|would|recommend|suggest|hope|apologi[sz]e)|could you|can you|would you|sorry|instead|is there"
    r"|it(?:'s| is) (?:best|important|recommended|possible|always|not possible|likely)|for (?:more|the most|accurate)"
    r"|consult|check|contact|reach out|provide)\b",
    re.IGNORECASE,
)


def is_refusing(sentence: str) -> bool:
    """Whether this one sentence says that there will be no answer."""
    cues = (_FORBIDDEN, _IGNORANT, _DECLINES)
    return bool(_FIRST_PERSON.search(sentence)) and any(cue.search(sentence) for cue in cues)


def stance(text: str) -> Stance:
    """Whether `text` answers, refuses by policy, or says that it does not know.

    A disclaimer before an answer ("I have no live data. As of 2021 it was Paris.") is an answer.
    """
    finished, rest = split_sentences(_straight(text))
    sentences = [*finished, rest] if rest else finished
    opening = next((i for i, sentence in enumerate(sentences[:3]) if is_refusing(sentence)), None)
    if opening is None or _answers_after(sentences, opening):
        return Stance.CLAIM
    refusing = " ".join(sentence for sentence in sentences[opening:] if is_refusing(sentence))
    if _FORBIDDEN.search(refusing):
        return Stance.POLICY
    return Stance.IGNORANCE if _IGNORANT.search(refusing) else Stance.POLICY


def _straight(text: str) -> str:
    return text.replace("\u2019", "'").replace("**", "")


def _answers_after(sentences: list[str], opening: int) -> bool:
    """Whether a claim was made before the refusing sentence, or follows it."""
    first = sentences[opening]
    matches = [m for m in (_FORBIDDEN.search(first), _IGNORANT.search(first), _DECLINES.search(first)) if m]
    tail = first[max(m.end() for m in matches) :]
    further = _FURTHER.search(tail)
    if further and _is_claim(further["rest"]):
        return True
    later = sentences[opening + 1 :]
    if any(_FURTHER.match(sentence) and _is_claim(sentence) for sentence in later):
        return True
    return opening == 0 and any(_is_claim(sentence) and _states_a_fact(sentence) for sentence in later[:2])


def _is_claim(sentence: str) -> bool:
    offers = _OFFER.search(sentence) or sentence.rstrip().endswith("?")
    return len(sentence.split()) >= 2 and not is_refusing(sentence) and not offers


def _states_a_fact(sentence: str) -> bool:
    """Names or numbers something, not of itself."""
    named = re.search(r"(?<=\s)[A-Z][a-z]+|\d", sentence)
    return bool(named) and len(sentence.split()) > 3 and not _FIRST_PERSON.search(sentence)

"""What a model says of its own answer when it is shown it again: P(True) and self-verification."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from streamroute.core.types import TokenLogprob
from streamroute.evaluation.rows import LEAST_LOGPROB
from streamroute.routing.tiers import Tier
from streamroute.upstreams.base import ChatRequest

__all__ = ("Verification", "verification_of", "verification_request")

_PROMPT = """Question: {question}
Proposed answer: {answer}
Is the proposed answer:
(A) True
(B) False
Reply with one letter, A or B."""
_SYSTEM = "You judge whether a proposed answer is true."
_TOP = 20
_OPEN = 0.5


@dataclass(frozen=True, slots=True)
class Verification:
    """`p_true`: the natural log of the probability of "(A) True" against "(B) False" as the first token (Kadavath et
    al. 2022, arXiv:2207.05221, section 3.2), None where no log-probabilities were given. `share`: of the sampled
    verdicts that were one, how many were true (AutoMix, arXiv:2310.12963, section 3.1), None where it was not asked.
    Who says neither leaves it open: one half."""

    p_true: float | None
    share: float | None


def verification_request(tier: Tier, question: str, answer: str, *, votes: int, seed: int) -> ChatRequest:
    """`votes` sampled verdicts of one token of the tier's model on its own answer."""
    content = _PROMPT.format(question=question, answer=answer)
    params = {"max_tokens": 1, "temperature": 1.0, "logprobs": True, "top_logprobs": _TOP, "seed": seed}
    messages = ({"role": "system", "content": _SYSTEM}, {"role": "user", "content": content})
    return replace(tier.answer_request(messages, params), n=votes, probe=True)


def verification_of(texts: Iterable[str], first: TokenLogprob | None) -> Verification:
    """From the sampled texts and the first token of one of them with its alternatives."""
    verdicts = [verdict for text in texts if (verdict := _verdict(text)) is not None]
    share = sum(verdicts) / len(verdicts) if verdicts else _OPEN
    return Verification(p_true=_p_true(first), share=share)


def _p_true(first: TokenLogprob | None) -> float | None:
    mass = {True: 0.0, False: 0.0}
    for token, logprob in first.top if first is not None else ():
        if (verdict := _verdict(token)) is not None:
            mass[verdict] += math.exp(logprob)
    both = mass[True] + mass[False]
    if first is None or not first.top:
        return None
    if not both:
        return math.log(_OPEN)
    return max(math.log(mass[True] / both), LEAST_LOGPROB) if mass[True] else LEAST_LOGPROB


def _verdict(text: str) -> bool | None:
    """What one token says: the letter or the word, whatever the case and the brackets."""
    return {"a": True, "true": True, "b": False, "false": False}.get(text.strip(" ([\n\t.)]").casefold())

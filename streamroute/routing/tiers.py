"""A tier: a model, what it is asked with, how it is probed, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from streamroute.core.plan import ProbeSchedule
from streamroute.core.types import CHARACTERS_PER_TOKEN
from streamroute.routing.billing import CancelBilling
from streamroute.uncertainty.gist import gist_of_growing
from streamroute.upstreams.base import ChatRequest, Message, Upstream

_MAY_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\n]")
"""A sentence; the point of one that ends with a number is told from a decimal point by what follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlan:
    """How a tier is sampled to be judged. `params` are further request fields of a probe. With `skip_confident` the
    answer is asked for with log-probabilities, and not probed where its first token was at least that probable.
    `suffix` is added to the last user message of a probe, which may so ask for less than the answer does ("Answer only,
    in at most 20 words."): cheaper and sooner, but another distribution, to be calibrated by itself. `until="claim"`
    ends a probe with the first sentence that claims something, or its marked final answer, which is what answers of a
    sentence or two are compared by; the rest is not waited for.

    Temperature 1 and 96 tokens are METHOD 4.1: samples must be free to differ and short enough to be judged in time.
    """

    count: int = 5
    wave: int | None = None
    after: Literal["start", "first_token"] = "start"
    skip_confident: float | None = None
    max_tokens: int = 96
    temperature: float = 1.0
    params: Mapping[str, Any] = field(default_factory=dict)
    suffix: str = ""
    until: Literal["end", "claim"] = "end"

    def has_said_enough(self, text: str, question: str, *, new: int) -> bool:
        """Whether a probe that has said `text` so far, the last `new` characters just now, need say no more."""
        if self.until == "end" or not _MAY_END.search(text, max(0, len(text) - new - 1)):
            return False
        return gist_of_growing(text, question) is not None

    def schedule(self) -> ProbeSchedule:
        return ProbeSchedule(count=self.count, wave=self.wave, after=self.after, skip_confident=self.skip_confident)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Money per million tokens, in any one currency."""

    prompt: float = 0.0
    completion: float = 0.0

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """`params` are defaults that a request's own fields override; `system` stands in where a request has no system
    message. `prefill` says that the upstream goes on from a last message that is the assistant's own. `cancelled` says
    what a request costs that is cut off."""

    upstream: Upstream
    name: str = ""
    probes: ProbePlan | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    price: Price = Price()
    prefill: bool = False
    cancelled: CancelBilling = field(default_factory=CancelBilling)

    @property
    def label(self) -> str:
        return self.name or self.upstream.name

    def estimated_cost(self, messages: Sequence[Message], completion_tokens: int) -> float:
        """What a request with so long an answer would cost, by the length of its prompt."""
        return self.price.of(self.estimated_prompt(characters_of(messages)), completion_tokens)

    def estimated_prompt(self, characters: int) -> int:
        """How many tokens messages of so many characters are here, for upstreams that do not count."""
        return (characters + len(self.system or "")) // CHARACTERS_PER_TOKEN + 1

    def asks_logprobs(self, params: Mapping[str, Any]) -> bool:
        """Whether a request with these params asks for log-probabilities by itself."""
        return bool({**self.params, **params}.get("logprobs"))

    def answer_request(
        self, messages: Sequence[Message], params: Mapping[str, Any], *, prefix: str = "", logprobs: bool = False
    ) -> ChatRequest:
        """One request for the answer: going on from `prefix`, and with log-probabilities where they are wanted."""
        merged = {**self.params, **params}
        if logprobs and not merged.get("logprobs"):
            merged |= {"logprobs": True, "top_logprobs": 5}
        said = [{"role": "assistant", "content": prefix}] if prefix else []
        n = merged.pop("n", None) or 1
        return ChatRequest(messages=(*self._messages(messages), *said), n=n, params=merged)

    def probe_request(
        self, messages: Sequence[Message], params: Mapping[str, Any], probes: Sequence[int]
    ) -> ChatRequest:
        """One request for these probes, numbered from 0. Where the caller gave a seed, theirs differ from it."""
        assert self.probes is not None
        merged = {**self.params, **params}
        limits = [merged[key] for key in ("max_tokens", "max_completion_tokens") if isinstance(merged.get(key), int)]
        for key in ("max_completion_tokens", "logprobs", "top_logprobs"):
            merged.pop(key, None)
        merged["max_tokens"] = min([self.probes.max_tokens, *limits])
        merged["temperature"] = self.probes.temperature
        if isinstance(merged.get("seed"), int):
            merged["seed"] += 1 + probes[0]
        merged.update(self.probes.params)
        asked = _with_suffix(messages, self.probes.suffix) if self.probes.suffix else messages
        return ChatRequest(messages=self._messages(asked), params=merged, n=len(probes), probe=True)

    def _messages(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        if self.system is None or any(message.get("role") in ("system", "developer") for message in messages):
            return tuple(messages)
        return ({"role": "system", "content": self.system}, *messages)


def _with_suffix(messages: Sequence[Message], suffix: str) -> tuple[Message, ...]:
    """The messages with `suffix` in a paragraph of its own at the end of the last user message."""
    last = max((i for i, message in enumerate(messages) if message.get("role") == "user"), default=None)
    if last is None:
        return tuple(messages)
    content = messages[last].get("content")
    parts = content if isinstance(content, list) else []
    longer = f"{content}\n\n{suffix}" if isinstance(content, str) else [*parts, {"type": "text", "text": suffix}]
    return (*messages[:last], {**messages[last], "content": longer}, *messages[last + 1 :])


def question_of(messages: Sequence[Message], *, limit: int = 600) -> str:
    """The question that the answers answer, for the judge: the last user turn, with the previous one before it where
    the last is too short to stand alone (METHOD 4.5). At most `limit` characters, the end of a longer text."""
    turns = [text for message in messages if message.get("role") == "user" and (text := text_of(message)).strip()]
    if not turns:
        return ""
    question = turns[-1].strip()
    words = question.split()
    elliptical = len(words) < 4 or words[0].lower() in _PRONOUNS
    if elliptical and len(turns) > 1:
        question = f"{turns[-2].strip()} {question}"
    return question[-limit:]


_PRONOUNS = frozenset({"it", "he", "she", "they", "that", "this", "these", "those", "and", "but", "his", "her", "its"})


def characters_of(messages: Sequence[Message]) -> int:
    """How long their texts are."""
    return sum(len(text_of(message)) for message in messages)


def text_of(message: Message) -> str:
    """The text of a message whose content is a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""

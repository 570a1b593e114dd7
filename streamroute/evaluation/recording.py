"""What the models of a route say to one question, each leg with its times and log-probabilities, as a `RoutingRow`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from streamroute.core.types import Delta, TokenLogprob, Usage
from streamroute.errors import UpstreamError
from streamroute.evaluation.rows import LEAST_LOGPROB, CheapLeg, LargeLeg, RoutingRow, Timing
from streamroute.evaluation.verifying import Verification, verification_of, verification_request
from streamroute.routing.tiers import Tier, question_of
from streamroute.upstreams.base import ChatRequest, Upstream

__all__ = ("Asked", "Said", "ask", "record_row")

_TOP = 5
"""Of the alternatives to a first token: as many as most providers give at least."""

Enough = Callable[[str, int], bool]
"""Whether a text so far, of which so many characters are new, need not go on."""

_DIGITS = 4
"""Of seconds and of log-probabilities: finer than any clock of a network, a third of the bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to record of a route. `params` are those of every answer; probes take theirs from the cheap tier's plan,
    which must be there, but for their number, `samples`. `logprobs`: whether to ask for them. `votes`: how often the
    cheap model is asked whether its own answer is true; needs `logprobs`."""

    cheap: Tier
    large: Tier
    samples: int
    params: Mapping[str, Any] = field(default_factory=dict)
    logprobs: bool = True
    votes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One text of one leg. `logprobs`: of each token, None unless the upstream gave them; `first`: the first token."""

    text: str
    timing: Timing
    logprobs: list[float] | None
    first: TokenLogprob | None
    prompt_tokens: int | None

    @property
    def mean_logprob(self) -> float | None:
        return round(sum(self.logprobs) / len(self.logprobs), _DIGITS) if self.logprobs else None

    @property
    def first_top(self) -> list[float] | None:
        """The log-probabilities of the most likely first tokens, the likeliest first."""
        top = [] if self.first is None else sorted((_writable(logprob) for _, logprob in self.first.top), reverse=True)
        return top or None


async def record_row(
    asked: Asked,
    question: str,
    *,
    id: str,
    right: Callable[[str], bool] | None,
    gold: Sequence[str] = (),
    kind: str | None = None,
) -> RoutingRow:
    """The cheap tier's answer, then its samples, all at once, then what it says of its answer, then the large tier's
    answer: each has its model for itself. `right` grades an answer; None leaves rows without a label. Raises
    `UpstreamError` as soon as one leg fails, with nothing running."""
    messages = [{"role": "user", "content": question}]
    logprobs = {"logprobs": True, "top_logprobs": _TOP} if asked.logprobs else {}
    (answer,) = await ask(asked.cheap.upstream, asked.cheap.answer_request(messages, {**asked.params, **logprobs}))
    samples = await _samples(asked, messages, logprobs)
    verified = await _verified(asked, question, answer.text)
    (better,) = await ask(asked.large.upstream, asked.large.answer_request(messages, asked.params))
    means = [mean for sample in samples if (mean := sample.mean_logprob) is not None]
    return RoutingRow(
        id=id,
        question=question,
        gold=list(gold) or None,
        kind=kind,
        cheap=CheapLeg(
            model=asked.cheap.upstream.model,
            answer=answer.text,
            correct=None if right is None else right(answer.text),
            samples=[sample.text for sample in samples],
            logprobs=answer.logprobs,
            first_top_logprobs=answer.first_top,
            p_true=verified.p_true,
            self_verified=verified.share,
            timing=answer.timing,
            sample_timings=[sample.timing for sample in samples],
            sample_logprobs=means if len(means) == len(samples) else None,
            prompt_tokens=answer.prompt_tokens,
        ),
        large=LargeLeg(
            model=asked.large.upstream.model,
            answer=better.text,
            correct=None if right is None else right(better.text),
            timing=better.timing,
            prompt_tokens=better.prompt_tokens,
        ),
    )


async def ask(upstream: Upstream, request: ChatRequest, *, enough: Enough = lambda text, new: False) -> list[Said]:
    """The texts of one request, one for each of its `n` choices. A text is over, too, where it is `enough`. Raises
    `UpstreamError`."""
    began = anyio.current_time()
    choices = [_Choice() for _ in range(request.n)]
    usage: Usage | None = None
    async with upstream.stream(request) as deltas:
        async for delta in deltas:
            choice = choices[delta.index]
            if not choice.cut:
                choice.hear(anyio.current_time() - began, delta)
                choice.cut = enough("".join(choice.texts), len(delta.text))
            usage = delta.usage or usage
            if all(each.cut for each in choices):
                break
    return [choice.said(usage, alone=request.n == 1) for choice in choices]


async def _samples(asked: Asked, messages: Sequence[Mapping[str, Any]], logprobs: Mapping[str, Any]) -> list[Said]:
    """As the router asks for them: in one request where the upstream can, else in one each, side by side."""

    def request(probes: Sequence[int]) -> ChatRequest:
        made = asked.cheap.probe_request(messages, asked.params, probes)
        return replace(made, params={**made.params, **logprobs})  # which a route does not ask of its probes

    plan = asked.cheap.probes
    assert plan is not None
    question = question_of(messages)

    def enough(text: str, new: int) -> bool:
        return plan.has_said_enough(text, question, new=new)

    return await _several(asked.cheap.upstream, request, asked.samples, enough=enough)


async def _verified(asked: Asked, question: str, answer: str) -> Verification:
    if not asked.votes:
        return Verification(p_true=None, share=None)
    seed = int(asked.params.get("seed") or 0)

    def request(votes: Sequence[int]) -> ChatRequest:
        return verification_request(asked.cheap, question, answer, votes=len(votes), seed=seed + votes[0])

    said = await _several(asked.cheap.upstream, request, asked.votes)
    return verification_of([vote.text for vote in said], said[0].first)


async def _several(
    upstream: Upstream,
    request: Callable[[Sequence[int]], ChatRequest],
    count: int,
    *,
    enough: Enough = lambda text, new: False,
) -> list[Said]:
    """What `request` of these numbers gets, from 0 to `count`. Raises the first failure, with nothing running."""
    if upstream.supports_n:
        return await ask(upstream, request(range(count)), enough=enough)
    said: dict[int, Said] = {}
    failed: list[UpstreamError] = []

    async def one(number: int) -> None:
        try:
            (said[number],) = await ask(upstream, request([number]), enough=enough)
        except UpstreamError as error:
            failed.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(one, number)
    if failed:
        raise failed[0]
    return [said[number] for number in range(count)]


def _writable(logprob: float) -> float:
    """Rounding puts some above zero; some servers write minus infinity for "never"."""
    return round(min(max(logprob, LEAST_LOGPROB), 0.0), _DIGITS)


@dataclass(slots=True)
class _Choice:
    """One choice of a request, as far as it was heard."""

    texts: list[str] = field(default_factory=list)
    steps: list[tuple[float, int]] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    token: TokenLogprob | None = None
    characters: int = 0
    first: float | None = None
    end: float = 0.0
    cut: bool = False

    def hear(self, at: float, delta: Delta) -> None:
        self.end = at = round(at, _DIGITS)
        if delta.has_content and self.first is None:
            self.first = at
        if delta.text:
            self.texts.append(delta.text)
            self.characters += len(delta.text)
            self.steps.append((at, self.characters))
        if delta.logprobs and self.token is None:
            self.token = delta.logprobs[0]
        self.logprobs += (_writable(token.logprob) for token in delta.logprobs)

    def said(self, usage: Usage | None, *, alone: bool) -> Said:
        """`usage` counts the tokens of all choices together, so only the text of a request `alone` is told its own."""
        tokens = usage.completion_tokens if usage is not None and alone else len(self.logprobs) or None
        first = self.end if self.first is None else self.first
        return Said(
            text="".join(self.texts),
            timing=Timing(first=first, end=self.end, tokens=tokens, steps=self.steps),
            logprobs=self.logprobs or None,
            first=self.token,
            prompt_tokens=None if usage is None else usage.prompt_tokens,
        )

"""Recorded legs as what the core hears of them: a leg's events, each with its seconds since the leg was started."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from streamroute.calibration.thresholds import dice_of
from streamroute.core.cascade import SENTENCE_ENDS
from streamroute.core.events import AnswerFinished, DeltaReceived, Event, EvidenceReceived, LegFailed, ProbeFinished
from streamroute.core.types import Delta, Evidence, Leg, Sample, TokenLogprob
from streamroute.errors import DataFileError, StreamrouteError
from streamroute.evaluation.rows import RoutingRow, Timing
from streamroute.evaluation.simulation.timings import Timings, estimated_tokens

__all__ = ("Asked", "RecordedLeg", "RecordedRoute", "RecordedTier", "whole_drafts")

_SENTENCE_END = re.compile(f"[{re.escape(''.join(sorted(SENTENCE_ENDS)))}]+")


class Asked(NamedTuple):
    """What the judge was asked: an answer of `tier` so far, by its length in characters, and whether it was finished;
    the `probes` that had ended, in that order; and how many were `expected`. One record has one answer to it."""

    tier: int
    characters: int
    finished: bool
    probes: tuple[int | None, ...]
    expected: int


@dataclass(frozen=True, slots=True, eq=False)
class RecordedLeg:
    """One request as it goes if nobody cancels it. `events` are in order, their times in seconds since its start; the
    last is its end. `prompt_tokens` and `tokens` are what it costs to the end; `curve` are (seconds, tokens) from the
    first content to the end, between which tokens come evenly."""

    events: tuple[tuple[float, Event], ...]
    prompt_tokens: int = 0
    tokens: int = 0
    curve: tuple[tuple[float, float], ...] = ()

    @property
    def end(self) -> float:
        return self.events[-1][0]

    def tokens_by(self, seconds: float) -> int:
        """How many tokens are there `seconds` after the start. The first is there at the first content."""
        at = bisect_right(self.curve, (seconds, float("inf")))
        if at == 0:
            return 0
        if at == len(self.curve):
            return self.tokens
        (t0, n0), (t1, n1) = self.curve[at - 1], self.curve[at]
        return int(n0 + (n1 - n0) * (seconds - t0) / (t1 - t0) + 1e-6)


class NotRecordedError(StreamrouteError):
    """A leg was started of which there is no record."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedTier:
    """The answer of one tier and its probes. `correct` is None where nobody said whether the answer is right."""

    answer: RecordedLeg
    probes: tuple[RecordedLeg, ...] = ()
    correct: bool | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedRoute:
    """One question with every leg it may need. `dice` is its own number in [0, 1) for policies that randomise.
    `evidence` is what the judge said of it, filled as it is asked; `answers` the same as the core hears it, `rescore`d,
    to save the making."""

    id: str
    question: str
    tiers: tuple[RecordedTier, ...]
    dice: float = 0.5
    evidence: dict[Asked, Evidence] = field(default_factory=dict)
    answers: dict[tuple[object, ...], EvidenceReceived] = field(default_factory=dict)
    rescore: Callable[[Evidence], Evidence] | None = None

    @classmethod
    def of(cls, row: RoutingRow, timings: Timings) -> RecordedRoute:
        """A row with its own timings, and stated ones where it has none. Without a large answer there is one tier.
        Raises `DataFileError`, naming the row, for timings that cannot be."""
        try:
            tiers = (_cheap(row, timings), _large(row, timings))
        except ValueError as error:
            raise DataFileError(f"row {row.id}: {error}") from error
        dice = dice_of(f"{row.id}\n{row.question}".encode(errors="surrogatepass"))
        return cls(row.id, row.question, tuple(tier for tier in tiers if tier is not None), dice)

    def rescored(self, rescore: Callable[[Evidence], Evidence]) -> RecordedRoute:
        """The same route, of which the core hears other scores. What the judge says is kept as it was said."""
        return replace(self, rescore=rescore, answers={})

    def leg(self, leg: Leg) -> RecordedLeg:
        """One that fails at once where there is no record."""
        try:
            tier = self.tiers[leg.tier]
            return tier.answer if leg.probe is None else tier.probes[leg.probe]
        except IndexError:
            return RecordedLeg(((0.0, LegFailed(leg, NotRecordedError(f"{leg} is not recorded"))),))


def whole_drafts(route: RecordedRoute) -> RecordedRoute:
    """The same route, of whose judged answers nothing is heard before their end: what a cascade sees that generates
    first and judges afterwards."""

    def late(tier: RecordedTier) -> RecordedTier:
        end = tier.answer.end
        return replace(tier, answer=replace(tier.answer, events=tuple((end, event) for _, event in tier.answer.events)))

    *judged, last = route.tiers
    return replace(route, tiers=(*map(late, judged), last))


def _cheap(row: RoutingRow, timings: Timings) -> RecordedTier:
    cheap = row.cheap
    prompt = estimated_tokens(row.question) if cheap.prompt_tokens is None else cheap.prompt_tokens
    tokens = None if cheap.logprobs is None else len(cheap.logprobs)
    timing = cheap.timing or timings.cheap.timing(tokens or estimated_tokens(cheap.answer))
    answer = answer_leg(0, cheap.answer, timing, prompt_tokens=prompt, logprobs=cheap.logprobs, name="cheap.timing")
    recorded, means = cheap.sample_timings, cheap.sample_logprobs
    probes = []
    for i, text in enumerate(cheap.samples):
        cut = recorded is None and estimated_tokens(text) > timings.probe_tokens
        said = text[: len(text) * timings.probe_tokens // estimated_tokens(text)] if cut else text
        pace = timings.of_probes.timing(estimated_tokens(said)) if recorded is None else recorded[i]
        sample = Sample(said, "length" if cut else "stop", None if means is None else means[i])
        probes.append(probe_leg(i, sample, pace, prompt_tokens=prompt))
    return RecordedTier(answer, tuple(probes), cheap.correct, cheap.answer)


def _large(row: RoutingRow, timings: Timings) -> RecordedTier | None:
    large = row.large
    if large is None:
        return None
    prompt = estimated_tokens(row.question) if large.prompt_tokens is None else large.prompt_tokens
    timing = large.timing or timings.large.timing(estimated_tokens(large.answer))
    answer = answer_leg(1, large.answer, timing, prompt_tokens=prompt, name="large.timing")
    return RecordedTier(answer, (), large.correct, large.answer)


def answer_leg(
    tier: int,
    text: str,
    timing: Timing,
    *,
    prompt_tokens: int = 0,
    logprobs: Sequence[float] | None = None,
    name: str = "timing",
) -> RecordedLeg:
    """An answer of which the core hears at its first content, at its sentence ends and at its end: between them it has
    nothing to decide. Raises ValueError, naming `name`, for a timing that does not go with the text."""
    _check(timing, len(text), name)
    leg, tokens = Leg(tier), _tokens(timing, text)
    steps = _steps(text, timing, tokens)
    said, events = 0, list[tuple[float, Event]]()
    for at, characters in steps:
        delta = Delta(text[said:characters], logprobs=_logprobs(logprobs, text, said, characters))
        events.append((at, DeltaReceived(leg, delta)))
        said = characters
    events.append((timing.end, AnswerFinished(leg)))
    return RecordedLeg(tuple(events), prompt_tokens, tokens, _curve(timing, tokens, len(text)))


def probe_leg(probe: int, sample: Sample, timing: Timing, *, tier: int = 0, prompt_tokens: int = 0) -> RecordedLeg:
    """A probe, of which the core hears at its end. Raises ValueError as `answer_leg`."""
    _check(timing, len(sample.text), f"cheap.sample_timings[{probe}]")
    tokens = _tokens(timing, sample.text)
    events = ((timing.end, ProbeFinished(Leg(tier, probe), sample)),)
    return RecordedLeg(events, prompt_tokens, tokens, _curve(timing, tokens, len(sample.text)))


def _tokens(timing: Timing, text: str) -> int:
    """At least one where there is any text."""
    return estimated_tokens(text) if timing.tokens is None else max(timing.tokens, min(len(text), 1))


def _check(timing: Timing, characters: int, name: str) -> None:
    at, so_far = max(timing.steps or [(0.0, 0)])
    if at > timing.end or so_far > characters:
        raise ValueError(f"{name}: step ({at}, {so_far}) lies beyond the end ({timing.end}, {characters})")


def _steps(text: str, timing: Timing, tokens: int) -> list[tuple[float, int]]:
    """(seconds, characters so far) of the first token, of each run of characters that end a sentence, and of the end;
    nothing where there is no text."""
    if not text:
        return []
    steps = timing.steps or []
    first = steps[0][1] if steps and steps[0][0] == timing.first else -(-len(text) // tokens)
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    cuts = sorted({first, *(end for end in ends if end > first), len(text)})
    return [(timing.first if cut == first else _reached(timing, steps, cut, first, len(text)), cut) for cut in cuts]


def _reached(timing: Timing, steps: Sequence[tuple[float, int]], cut: int, first: int, length: int) -> float:
    """When `cut` characters are there: with the step that brings them, or, where none is recorded, on the way from the
    first token to the end, on which text comes evenly."""
    if steps:
        return next((max(at, timing.first) for at, so_far in steps if so_far >= cut), timing.end)
    even = timing.first + (timing.end - timing.first) * (cut - first) / max(length - first, 1)
    return min(even, timing.end)


def _curve(timing: Timing, tokens: int, characters: int) -> tuple[tuple[float, float], ...]:
    """Strictly increasing in time. Empty where there are no tokens."""
    if not tokens:
        return ()
    points = {timing.first: 1.0}
    for at, so_far in timing.steps or ():
        points[at] = max(1.0, tokens * so_far / max(characters, 1))
    points[timing.end] = float(tokens)
    return tuple(sorted(points.items()))


def _logprobs(values: Sequence[float] | None, text: str, start: int, stop: int) -> tuple[TokenLogprob, ...]:
    """Those of the tokens that end in text[start:stop]. Records do not spell them: all are taken for equally
    long."""
    if not values:
        return ()
    ends = [(i + 1) * len(text) // len(values) for i in range(len(values))]
    return tuple(
        TokenLogprob(text[0 if i == 0 else ends[i - 1] : end], values[i])
        for i, end in enumerate(ends)
        if start < end <= stop
    )

"""The judge: answers and samples in, evidence out."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from streamroute.core.types import Confidence, Evidence, Features, Sample
from streamroute.uncertainty.base import EntailmentModel, Pair, Relations
from streamroute.uncertainty.clustering import Clustering, Comparer, Rule, cluster
from streamroute.uncertainty.combine import (
    DEFAULT_MOST_PROBES,
    Observed,
    ScoreOf,
    certified_interval,
    doubt_of,
    features_of,
    final_score,
    no_label_score,
)
from streamroute.uncertainty.gist import MAX_CHARS, Gist, gist, gist_of_growing
from streamroute.uncertainty.longform import Mode, SentenceCheck, choose_mode
from streamroute.uncertainty.measures.entropies import discrete_entropy
from streamroute.uncertainty.measures.posterior import posterior_entropy
from streamroute.uncertainty.normalize import normalize, tokens
from streamroute.uncertainty.sequential import Group, Stance
from streamroute.uncertainty.wording import Wording

__all__ = ("SemanticEntropy",)


class SemanticEntropy:
    """Judges an answer by what other samples of the same model say: a `Scorer`.

    `model` compares texts. `rule` and `theta` say when two are equivalent. `score` turns features into the score: the
    default without labels, or a fit (`calibration.logistic`); no feature may lower it by rising. `logprobs`: it also
    weighs what the log-probabilities of the answer say, where they come. `sampled_answer`: the answer is drawn at the
    probes' temperature, so the entropy may count it as one of them; a greedy answer only marks a cluster. `most_probes`
    is the largest number of probes in use; it scales the entropy. Raises ValueError on a `theta` outside (0, 1) and on
    fewer than one probe.
    """

    def __init__(
        self,
        model: EntailmentModel,
        *,
        rule: Rule | str = Rule.PROBABILITY,
        theta: float = 0.5,
        score: ScoreOf = no_label_score,
        logprobs: bool = False,
        sampled_answer: bool = False,
        most_probes: int = DEFAULT_MOST_PROBES,
    ) -> None:
        if not 0 < theta < 1:
            raise ValueError(f"theta must be between 0 and 1, not {theta}")
        if most_probes < 1:
            raise ValueError(f"most_probes must be at least 1, not {most_probes}")
        self._model = model
        self._rule = Rule(rule)
        self._theta = theta
        self._score = score
        self._logprobs = logprobs
        self._sampled_answer = sampled_answer
        self._most_probes = most_probes

    def session(self, question: str, *, deadline: float | None = None) -> _Session:
        """The judge of one answer to `question`, which may be empty. The model is told the `deadline`."""
        model = self._model if deadline is None else _Until(self._model, deadline)
        comparer = Comparer(model, question, rule=self._rule, theta=self._theta)
        check = SentenceCheck(model, question)
        return _Session(
            comparer,
            check,
            question,
            score=self._score,
            logprobs=self._logprobs,
            sampled_answer=self._sampled_answer,
            most_probes=self._most_probes,
        )


class _Until:
    """A model that is asked on behalf of somebody who waits until `deadline`."""

    def __init__(self, model: EntailmentModel, deadline: float) -> None:
        self._model = model
        self._deadline = deadline

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        until = self._deadline if deadline is None else min(deadline, self._deadline)
        return await self._model.relations(pairs, deadline=until)


class _Session:
    def __init__(
        self,
        comparer: Comparer,
        check: SentenceCheck,
        question: str,
        *,
        score: ScoreOf,
        logprobs: bool,
        sampled_answer: bool,
        most_probes: int,
    ) -> None:
        self._comparer = comparer
        self._check = check
        self._question = question
        self._asked = frozenset(tokens(question))
        self._score = score
        self._logprobs = logprobs
        self._sampled_answer = sampled_answer
        self._most_probes = most_probes
        self._probes: list[Gist] = []
        self._wording = Wording()
        self._seconds = 0.0

    async def evaluate(
        self,
        *,
        answer: str,
        answer_finished: bool,
        samples: Sequence[Sample],
        expected: int,
        confidence: Confidence | None = None,
    ) -> Evidence:
        """The evidence after `samples`; `nli_pairs` and `seconds` are sums over the session. Raises `ScorerError`."""
        began = time.perf_counter()
        for sample in samples[len(self._probes) :]:
            self._probes.append(gist(sample.text, self._question, truncated=sample.finish_reason == "length"))
            self._wording.add(sample.text[:MAX_CHARS], self._asked)
            await asyncio.sleep(0)  # many verdicts may fall due at once, and streams run on this loop
        shown = gist(answer, self._question) if answer_finished else gist_of_growing(answer, self._question)
        found = await cluster(self._comparer, self._probes, shown)
        texts = self._probes if shown is None else [shown, *self._probes]
        written = [*([] if shown is None else [answer]), *(sample.text for sample in samples)]
        seen = Observed(
            groups=_groups(texts, found, answered=shown is not None),
            contradictions=await self._contradictions(answer, answer_finished, samples, shown, found),
            similarity=found.similarity,
            identical=len(set(map(_spelling, written, texts))) == 1,
            wording=self._wording,
            doubt=doubt_of(confidence, finished=answer_finished) if self._logprobs else None,
            sampled_answer=self._sampled_answer,
            most_probes=self._most_probes,
        )
        await asyncio.sleep(0)
        expected = max(expected, len(samples))
        features = features_of(seen)
        low, high = certified_interval(seen, expected - len(samples), self._score, features)
        self._seconds += time.perf_counter() - began
        return self._evidence(found, seen, texts, features, expected=expected, low=low, high=high)

    async def _contradictions(
        self, answer: str, finished: bool, samples: Sequence[Sample], shown: Gist | None, found: Clustering
    ) -> tuple[float, ...]:
        """How far each probe contradicts the answer. Where both are long, by the sentences of the answer rather than by
        its first claim. Each probe by itself: a further one changes nothing about those before it."""
        values = list(found.contradictions)
        if shown is None or not _is_long(answer, shown):
            return tuple(values)
        long = [j for j, probe in enumerate(self._probes) if _is_long(samples[j].text, probe)]
        checked = await self._check.check(answer, [samples[j].text for j in long], finished=finished)
        for j, value in zip(long, checked.per_sample if checked else (), strict=checked is not None):
            if value is not None:
                values[j] = value
        return tuple(values)

    def _evidence(
        self,
        found: Clustering,
        seen: Observed,
        texts: Sequence[Gist],
        features: Features,
        *,
        expected: int,
        low: float,
        high: float,
    ) -> Evidence:
        head = len(texts) - len(self._probes)
        counted = found.assignment if self._sampled_answer else found.assignment[head:]
        counts = list(Counter(counted).values())
        sizes = Counter(found.assignment)
        own = found.assignment[0] if seen.answered else None
        agreeing = found.assignment[head:].count(own) if own is not None else 0
        return Evidence(
            samples=len(self._probes),
            expected=expected,
            score=min(high, max(low, final_score(seen, self._score, features))),
            low=low,
            high=high,
            entropy=discrete_entropy(counts),
            entropy_mean=posterior_entropy(counts),
            sizes=tuple(sizes[c] for c in range(len(sizes))),
            assignment=tuple(found.assignment[head:]),
            answer_cluster=own,
            agreement=agreeing / len(self._probes) if own is not None and self._probes else None,
            refusals=sum(probe.stance is not Stance.CLAIM for probe in self._probes),
            nli_pairs=self._comparer.pairs + self._check.pairs,
            seconds=self._seconds,
            note=_note(texts, answered=seen.answered),
            features=features,
        )


def _is_long(text: str, made: Gist) -> bool:
    """Whether a text claims more than its first sentence tells."""
    mode = choose_mode([text], extracted=made.answer is not None)
    return made.stance is Stance.CLAIM and mode is Mode.PAIRWISE


def _spelling(text: str, made: Gist) -> str:
    """What is equal where two texts are spelled alike: of a long one, all of it."""
    return normalize(text[:MAX_CHARS]) if _is_long(text, made) else made.key


def _groups(texts: Sequence[Gist], found: Clustering, *, answered: bool) -> tuple[Group, ...]:
    """The clusters as the score sees them. The stance of a cluster is that of its texts, which never mix."""
    groups: dict[int, Group] = {}
    for i, (text, c) in enumerate(zip(texts, found.assignment, strict=True)):
        group = groups.setdefault(c, Group(0, stance=text.stance))
        if answered and i == 0:
            groups[c] = group._replace(answer=True)
        else:
            groups[c] = group._replace(probes=group.probes + 1)
    return tuple(sorted(groups.values(), reverse=True))


def _note(texts: Sequence[Gist], *, answered: bool) -> str:
    """Why the score is not the ordinary one, in one word."""
    if not texts:
        return ""
    shown = {texts[0].stance} if answered else {text.stance for text in texts}
    if shown == {Stance.IGNORANCE}:
        return "ignorance"
    claims = any(text.stance is Stance.CLAIM for text in texts)
    return "refusal" if Stance.POLICY in shown and not claims else ""

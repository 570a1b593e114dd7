"""Which texts mean the same: clustering by entailment, with as few model calls as can be (METHOD 1.1, 3.4)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from streamroute.uncertainty.base import EntailmentModel, Pair, Relation, Relations
from streamroute.uncertainty.extract import numbers
from streamroute.uncertainty.gist import Gist
from streamroute.uncertainty.guards import same
from streamroute.uncertainty.likeness import contained, likeness, mean_entailment
from streamroute.uncertainty.normalize import token_f1, tokens

__all__ = ("Clustering", "Comparer", "Comparison", "Rule", "cluster")

CONTEXT_WORDS = 24


class Rule(enum.StrEnum):
    """When two directed relations make two texts equivalent. e, d: probabilities of entailment and contradiction."""

    PROBABILITY = "probability"
    """max(d) < 1/2 and mean(e) >= theta: the default."""
    STRICT = "strict"
    """min(e) >= theta (Farquhar et al. 2024, strict entailment)."""
    NO_CONTRADICTION = "no-contradiction"
    """Neither direction is most likely a contradiction (Kuhn et al. 2023, as released)."""
    EITHER = "either"
    """Entailment one way is enough, no veto (uqlm)."""

    def holds(self, forward: Relation, backward: Relation, theta: float) -> bool:
        match self:
            case Rule.PROBABILITY:
                entailed = mean_entailment(Relations(forward, backward)) >= theta
                return entailed and max(forward.contradiction, backward.contradiction) < 0.5
            case Rule.STRICT:
                return min(forward.entailment, backward.entailment) >= theta
            case Rule.NO_CONTRADICTION:
                return not (_contradicts(forward) or _contradicts(backward))
            case Rule.EITHER:
                return max(forward.entailment, backward.entailment) >= theta


def _contradicts(relation: Relation) -> bool:
    return relation.contradiction > max(relation.entailment, relation.neutral)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`similarity` and `contradiction` in [0, 1], of what was asked of the model or settled without it."""

    equivalent: bool
    similarity: float
    contradiction: float


_SAME = Comparison(True, 1.0, 0.0)
_DIFFERENT = Comparison(False, 0.0, 1.0)


class Comparer:
    """Compares texts that answer one question. Remembers every pair, in both orders; `pairs` counts those it asked for,
    each of which the model compared in both directions."""

    def __init__(
        self, model: EntailmentModel, question: str, *, rule: Rule = Rule.PROBABILITY, theta: float = 0.5
    ) -> None:
        self._model = model
        self._rule = rule
        self._theta = theta
        self._context = " ".join(question.split()[-CONTEXT_WORDS:])
        self._asked = frozenset(tokens(question))
        self._given = frozenset(numbers(question))
        self._relations: dict[Pair, Relations] = {}
        self.pairs = 0

    async def compare(self, a: Gist, b: Gist) -> Comparison:
        """Whether `a` and `b` are equivalent."""
        return (await self._compare_all([(a, b)]))[0]

    async def compare_with_answer(self, answer: Gist, probes: Sequence[Gist]) -> list[Comparison]:
        """The shown answer against each probe. Where they are neutral and the answer says more, the longer text
        decides: what entails a probe agrees with it, what contradicts it does not (METHOD 4.2)."""
        results = await self._compare_all([(answer, probe) for probe in probes])
        if answer.support != answer.claim:
            unclear = [i for i, r in enumerate(results) if not r.equivalent and r.contradiction < 0.5]
            longer = await self._ask([self._pair(answer.support, probes[i].claim) for i in unclear])
            for i, (relation, _) in zip(unclear, longer, strict=True):
                if relation.entailment >= self._theta and relation.contradiction < 0.5:
                    results[i] = Comparison(True, relation.entailment, relation.contradiction)
        return results

    def pair(self, a: Gist, b: Gist) -> Pair:
        """What the model is asked about two claims: the same whichever of them is `a`."""
        return self._pair(*_shorter_first(a.claim, b.claim))

    async def _compare_all(self, couples: Sequence[tuple[Gist, Gist]]) -> list[Comparison]:
        settled = [self._settled(a, b) for a, b in couples]
        left = [couple for couple, known in zip(couples, settled, strict=True) if known is None]
        asked = await self._ask([self.pair(a, b) for a, b in left])
        judged = iter([self._verdict(a, b, relations) for (a, b), relations in zip(left, asked, strict=True)])
        return [known if known is not None else next(judged) for known in settled]

    def _settled(self, a: Gist, b: Gist) -> Comparison | None:
        match same(a, b, asked=self._asked, given=self._given):
            case True:
                return _SAME
            case False:
                return _DIFFERENT
            case None:
                return None

    def _verdict(self, a: Gist, b: Gist, relations: Relations) -> Comparison:
        forward, backward = relations
        return Comparison(
            self._rule.holds(forward, backward, self._theta),
            likeness(relations, contained(a.words, b.words, self._asked)),
            min(1.0, max(0.0, forward.contradiction, backward.contradiction)),
        )

    def _pair(self, a: str, b: str) -> Pair:
        """Always with the question: fragments are propositions only together with it, and of two sentences it says
        which of their differences count."""
        return Pair(self._context, a, b)

    async def _ask(self, pairs: Sequence[Pair]) -> list[Relations]:
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._relations]
        if new:
            self.pairs += len(new)
            for pair, relations in zip(new, await self._model.relations(new), strict=True):
                self._relations[pair.swapped()] = relations.swapped()
                self._relations[pair] = relations
        return [self._relations[pair] for pair in pairs]


def _shorter_first(a: str, b: str) -> tuple[str, str]:
    """One order for both ways to ask: a network need not be symmetric, but a verdict must be."""
    return (a, b) if (len(a), a) <= (len(b), b) else (b, a)


@dataclass(slots=True)
class Clustering:
    """`assignment[i]` is the cluster of the i-th text, the answer first where there is one. `similarity` is (n, n), one
    on the diagonal; `contradictions[j]` the answer against the j-th probe, in [0, 1]."""

    assignment: list[int] = field(default_factory=list)
    similarity: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(0))
    contradictions: list[float] = field(default_factory=list)


async def cluster(comparer: Comparer, probes: Sequence[Gist], answer: Gist | None = None) -> Clustering:
    """First match wins, against one representative a cluster, the lexically nearest first.

    The answer, where given, is the first text and so the representative of its cluster: agreement is agreement with
    what is shown. The outcome depends on the texts and their order only; a further probe changes nothing about
    those before it.
    """
    texts = list(probes) if answer is None else [answer, *probes]
    n = len(texts)
    similarity = np.eye(n)
    for i in range(n):
        for j in range(i):
            similarity[i, j] = similarity[j, i] = token_f1(texts[i].words, texts[j].words)
    against = [] if answer is None else await comparer.compare_with_answer(answer, probes)

    first: list[int] = []  # the representative of each cluster
    assignment: list[int] = []
    for i, text in enumerate(texts):
        for c in sorted(range(len(first)), key=lambda c: -token_f1(texts[first[c]].words, text.words)):
            other = first[c]
            result = against[i - 1] if answer is not None and other == 0 else await comparer.compare(texts[other], text)
            similarity[i, other] = similarity[other, i] = result.similarity
            if result.equivalent:
                assignment.append(c)
                break
        else:
            first.append(i)
            assignment.append(len(first) - 1)
    for i, result in enumerate(against, start=1):
        similarity[i, 0] = similarity[0, i] = result.similarity
    return Clustering(assignment, similarity, [result.contradiction for result in against])

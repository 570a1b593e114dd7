"""How often a certified decision differs from the one after all probes: never, or METHOD 3.2 is not kept.

    python -m benchmarks.certified [--cases 100000] [--seed 1] [--json]

A case is a random clustering of up to eight probes and an answer, in random order, with random contradictions,
likenesses, refusals and spellings, and a limit that is random or as close to the last score as can be. The threshold
policy sees the evidence after each probe, before and after the answer is judged; wherever it decides early, its
decision is compared with that on the last evidence.
`early` are the cases in which it did.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

import numpy as np

from benchmarks.figures import command, show
from streamroute.core.policy import Snapshot, Threshold
from streamroute.core.types import Evidence
from streamroute.uncertainty.combine import Observed, certified_interval, final_score
from streamroute.uncertainty.sequential import Group, Stance

PROBES = (1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 8)  # what is reachable grows fast with them
MOST_PROBES = 8
STANCES = (Stance.CLAIM,) * 6 + (Stance.POLICY, Stance.IGNORANCE)


class Case:
    """One random answer with its probes, and a limit. Cluster 0 is the answer's."""

    def __init__(self, random: random.Random) -> None:
        self.probes = random.choice(PROBES)
        meanings = random.randint(1, self.probes + 1)
        bias = random.choice((0.0, 0.3, 0.7))  # towards the answer: agreement is the common case
        self.assignment = [0 if random.random() < bias else random.randrange(meanings) for _ in range(self.probes)]
        self.stances = [random.choice(STANCES) for _ in range(meanings)]
        alike = random.random() < 0.5
        self.spelled_alike = [own == 0 and alike for own in self.assignment]
        extreme = random.random() < 0.5

        def share() -> float:
            return float(random.random() < 0.5) if extreme else random.random()

        self.contradictions = [share() * (own != 0 or random.random() < 0.2) for own in self.assignment]
        likeness = np.array([[share() for _ in range(self.probes + 1)] for _ in range(self.probes + 1)])
        self.likeness = np.maximum((likeness + likeness.T) / 2, np.eye(self.probes + 1))
        self.sampled_answer = random.random() < 0.5
        last = self._evidence(self.probes, judged=True).score
        # At the last score itself, and just below, a bound that is off by anything shows.
        self.limit = random.choice((random.random(), last, float(np.nextafter(last, -1))))

    def evidences(self) -> Iterator[tuple[Evidence, bool]]:
        """The evidence after each probe with the answer not judged, then judged; and whether it is."""
        for seen in range(1, self.probes + 1):
            yield self._evidence(seen, judged=False), False
            yield self._evidence(seen, judged=True), True

    def differs(self) -> tuple[bool, bool]:
        """Whether some decision was early, and whether one differs from the last."""
        policy = Threshold(self.limit)
        last = policy(_snapshot(self._evidence(self.probes, judged=True), self.probes)).decision
        early = [
            verdict.decision
            for evidence, judged in self.evidences()
            if evidence.samples < self.probes or not judged
            if (verdict := policy(_snapshot(evidence, self.probes))).decided
        ]
        return bool(early), any(decision is not last for decision in early)

    def _evidence(self, seen: int, *, judged: bool) -> Evidence:
        found = self.assignment[:seen]
        groups = [
            Group(found.count(c), answer=judged and c == 0, stance=self.stances[c])
            for c in sorted({*found, *([0] if judged else [])})
        ]
        head = 0 if judged else 1
        observed = Observed(
            groups=tuple(sorted(groups, reverse=True)),
            contradictions=tuple(self.contradictions[:seen]) if judged else (),
            similarity=self.likeness[head : seen + 1, head : seen + 1],
            identical=all(self.spelled_alike[:seen]),
            sampled_answer=self.sampled_answer,
            most_probes=MOST_PROBES,
        )
        low, high = certified_interval(observed, self.probes - seen)
        return Evidence(
            samples=seen, expected=self.probes, score=final_score(observed), low=low, high=high,
            answer_cluster=0 if judged else None,
        )  # fmt: skip


def _snapshot(evidence: Evidence, probes: int) -> Snapshot:
    pending = probes - evidence.samples
    settled = pending == 0 and evidence.answer_judged
    return Snapshot(
        tier=0, last_tier=1, evidence=evidence, pending=pending, settled=settled, elapsed=0.0, answer_finished=settled
    )


def count(cases: int, *, seed: int) -> dict[str, int]:
    """Cases, those with an early decision, and those in which one differs from the last."""
    source = random.Random(seed)
    found = [Case(source).differs() for _ in range(cases)]
    return {"cases": cases, "early": sum(early for early, _ in found), "differing": sum(bad for _, bad in found)}


def main() -> int:
    parser = command("Certified decisions against those after all probes.")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    figures = count(500 if args.quick else args.cases, seed=args.seed)
    show(figures, as_json=args.json)
    return int(figures["differing"] > 0)


if __name__ == "__main__":
    sys.exit(main())

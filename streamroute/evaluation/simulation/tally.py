"""What became of the routes of a fleet, added up as they end: a million leave no more behind than one."""

from __future__ import annotations

from streamroute.evaluation.simulation.gauges import Durations
from streamroute.evaluation.simulation.outcome import Billing, Outcome

__all__ = ("EVEN", "SHED", "Tally")

EVEN = Billing.of_ratio(1)
"""Both tiers at one price, so that any ratio of prices can be reckoned afterwards."""
SHED = "shed"
"""The reason of a verdict on an answer that was not to be judged, the fleet being too busy."""


class Tally:
    """Of outcomes under the billing `EVEN`. `kept`, `shown` and `decided` are seconds since the reader asked."""

    def __init__(self) -> None:
        self.requests = 0
        self.shown, self.kept, self.decided = Durations(), Durations(), Durations()
        self._labelled = self._right = self._failed = 0
        self._escalated = self._retracted = self._hedged = self._hedges_won = 0
        self._by_deadline = self._judge_failed = self._shed = 0
        self._probes = self._verdicts = self._pairs = self._hedge_tokens = 0
        self._cheap_cost = self._large_cost = self._cheap_waste = self._large_waste = 0.0

    def add(self, outcome: Outcome) -> None:
        self.requests += 1
        if outcome.failed:
            self._failed += 1
            self._labelled += 1  # no answer is not right
        elif outcome.correct is not None:
            self._labelled += 1
            self._right += outcome.correct
        for seconds, durations in (
            (outcome.first_shown, self.shown),
            (outcome.first_kept, self.kept),
            (outcome.decided, self.decided),
        ):
            if seconds is not None:
                durations.add(seconds)
        reason = outcome.reason
        if reason in ("deadline", "deadline_partial"):
            self._by_deadline += 1
        elif reason == "scorer_failed":
            self._judge_failed += 1
        elif reason == SHED:
            self._shed += 1
        self._escalated += outcome.tier > 0
        self._retracted += outcome.retracted
        self._hedged += outcome.hedged
        self._hedges_won += outcome.hedge_won
        self._hedge_tokens += outcome.wasted_large
        self._probes += outcome.probes_started
        self._verdicts += outcome.verdicts
        self._pairs += outcome.nli_pairs
        large = outcome.large_cost
        wasted = large if outcome.failed or outcome.tier == 0 else 0.0
        self._large_cost += large
        self._large_waste += wasted
        self._cheap_cost += outcome.cost - large
        self._cheap_waste += outcome.waste - wasted

    def cost(self, ratio: float) -> float:
        """Of a request, in generated tokens of the large model, of which the cheap one generates `ratio` for the price
        of one. Of two tiers."""
        return self._each(self._cheap_cost / ratio + self._large_cost)

    def waste(self, ratio: float) -> float:
        """The part of the cost for answers that were not kept and for probes that nobody heard."""
        return self._each(self._cheap_waste / ratio + self._large_waste)

    def figures(self) -> dict[str, float | None]:
        """Shares are of all requests, seconds as percentiles; `hedge_wasted_tokens`, probes, questions to the judge and
        pairs are for each request. `quality` is the share of right answers among those that somebody labelled."""
        found: dict[str, float | None] = {
            "quality": self._right / self._labelled if self._labelled else None,
            "failed": self._each(self._failed),
            "escalated": self._each(self._escalated),
            "retracted": self._each(self._retracted),
            "by_deadline": self._each(self._by_deadline),
            "judge_failed": self._each(self._judge_failed),
            "unjudged": self._each(self._shed),
            "hedged": self._each(self._hedged),
            "hedges_won": self._each(self._hedges_won),
            "hedge_wasted_tokens": self._each(self._hedge_tokens),
            "probes": self._each(self._probes),
            "questions": self._each(self._verdicts),
            "pairs": self._each(self._pairs),
        }
        for name, durations in (("verdict", self.decided), ("ttft", self.shown), ("ttfkt", self.kept)):
            for share in (50, 95):
                found[f"{name}_s_p{share}"] = durations.percentile(share / 100)
        return found

    def _each(self, total: float) -> float:
        return total / self.requests if self.requests else 0.0

"""One line of the comparison: how well a method ranks, and what routing by it brings and costs, each with an interval.

Intervals are percentiles of a bootstrap over questions, the same draws for every method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streamroute.evaluation.comparison.heldout import escalations
from streamroute.evaluation.comparison.money import LegCosts
from streamroute.evaluation.comparison.ranking import Curves, Ranked
from streamroute.evaluation.methods import Method
from streamroute.evaluation.metrics import Bools, Floats, Ints
from streamroute.evaluation.paradigms import paradigm
from streamroute.evaluation.resampling import interval_of

__all__ = ("Answers", "Entry", "Estimate", "Routing", "entry_of", "estimate")


class Estimate(NamedTuple):
    """None where not defined; `low` and `high` too where most resamples do not define it."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """(n,) rows of one record set: whose answers are right, what they cost, and the fold of each. `draws` (r + 1, n):
    how often each row is drawn, of which the first is of every row once."""

    cheap: Bools
    large: Bools
    costs: LegCosts
    folds: Ints
    draws: Ints

    def total(self, values: Floats | Bools) -> Floats:
        """(r + 1,) of each draw."""
        return np.asarray(self.draws @ values.astype(np.float64))

    def mean(self, values: Floats | Bools) -> Floats:
        """(r + 1,) of each draw."""
        return np.asarray(self.total(values) / self.draws.sum(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Held out: the threshold recovers a share of the gap between the models on the other folds. `quality`: the share
    of right answers; `gap`: what it is of the way from always-cheap (0) to always-large (1); `cost`: of always-large's.
    """

    escalated: Estimate
    quality: Estimate
    gap: Estimate
    cost: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`cost95`: the least cost, of always-large's, at which 95 % of the large model's quality are reached, on the rows
    that it is measured on; None where it is never. `milliseconds` of CPU, `probes` and `nli_pairs` are means of a row.
    """

    name: str
    kind: str
    paradigm: str
    when: str
    uses: str
    how: str
    auroc: Estimate
    aurc: Estimate
    apgr: Estimate
    cpt50: Estimate
    cost95: Estimate
    held_out: Routing
    probes: float
    nli_pairs: float
    milliseconds: float


def entry_of(method: Method, answers: Answers, areas: Floats, *, share: float) -> Entry:
    """Of a method whose scores are defined; its threshold is to recover `share` of the gap. `areas` (r + 1,): its AUROC
    in each draw."""
    scores = method.scores
    assert scores is not None
    about = paradigm(method.name)
    ranked = Ranked(scores, answers.draws)
    kept, escalated = answers.costs.of(method)
    curves = Curves(ranked, answers.cheap, answers.large, kept=kept, escalated=escalated)
    return Entry(
        name=method.name,
        kind=str(method.kind),
        paradigm=str(about.paradigm),
        when=str(about.when),
        uses=str(about.uses),
        how=str(about.how),
        auroc=estimate(areas),
        aurc=estimate(ranked.aurc(~answers.cheap)),
        apgr=estimate(curves.apgr()),
        cpt50=estimate(curves.cpt(0.5)),
        cost95=estimate(curves.least_cost(0.95 * answers.total(answers.large)) / answers.total(answers.costs.large)),
        held_out=_held_out(scores, answers, kept, escalated, share),
        probes=method.probes,
        nli_pairs=method.nli_pairs,
        milliseconds=method.milliseconds,
    )


def estimate(values: Floats) -> Estimate:
    """Of (r + 1,) values, the first of which is that of the rows themselves. NaN: not defined."""
    around = interval_of(values[1:])
    low, high = (None, None) if around is None else around
    return Estimate(None if np.isnan(values[0]) else float(values[0]), low, high)


def _held_out(scores: Floats, answers: Answers, kept: Floats, escalated: Floats, share: float) -> Routing:
    rate = escalations(scores, answers.cheap, answers.large, answers.folds, share=share)
    quality = answers.mean(answers.cheap + rate * (answers.large.astype(np.float64) - answers.cheap))
    cheap, large = answers.mean(answers.cheap), answers.mean(answers.large)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(large > cheap, (quality - cheap) / (large - cheap), np.nan)
    cost = answers.mean(kept + rate * (escalated - kept)) / answers.mean(answers.costs.large)
    return Routing(
        escalated=estimate(answers.mean(rate)), quality=estimate(quality), gap=estimate(gap), cost=estimate(cost)
    )

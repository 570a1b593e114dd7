"""One record set in full: every method's line, ours against the others, and the curves that are drawn of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamroute.evaluation.comparison.entries import Answers, Entry, Estimate, entry_of, estimate
from streamroute.evaluation.comparison.holm import holm, two_sided
from streamroute.evaluation.comparison.money import foresight, leg_costs
from streamroute.evaluation.cost_quality import accuracy_at, cost_quality_curve
from streamroute.evaluation.folds import by_question, folds_by_group
from streamroute.evaluation.judged import Judgement
from streamroute.evaluation.methods import FITTED, OURS, Kind, Method, methods_of
from streamroute.evaluation.metrics import Bools, Floats
from streamroute.evaluation.resampling import draw_groups, resampled_auroc
from streamroute.evaluation.rows import RoutingRow
from streamroute.evaluation.selective import by_rank
from streamroute.evaluation.simulation.outcome import Billing

__all__ = ("Against", "Compared", "compare")

PRIMARY = (
    "random",
    "length",
    "sample-length",
    "token-overlap",
    "majority-vote",
    "mean-token-surprise",
    "p-true",
    "discrete-se",
    "snne-nli",
    "selfcheck-nli-answer-premise",
    "query-router",
    "answer-scorer",
)
"""What ours is compared with first, named before anything was measured: one of each paradigm and each input. Their
p-values are Holm's; the best of all the others is looked for afterwards and has none."""


@dataclass(frozen=True, slots=True)
class Against:
    """How much higher the AUROC of ours is than that of another method on the same rows. `p` is adjusted for all that
    stand beside it; None where the other was chosen by its result."""

    other: str
    difference: Estimate
    p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """`entries` by falling AUROC. `oracle`: the share of questions that either model gets right; `foresight`: what the
    gap would cost if every outcome were known. `undefined`: methods left out, and for how many rows they are not
    defined. `bins`: of the default score and of the fitted probability, ten each: (mean score, share wrong, rows)."""

    n: int
    questions: int
    samples: float
    share_wrong: float
    cheap: Estimate
    large: Estimate
    oracle: float
    foresight: float | None
    cheap_cost: float
    entries: tuple[Entry, ...]
    against: tuple[Against, ...]
    best: Against | None
    undefined: dict[str, int]
    curves: dict[str, list[tuple[float, float]]]
    risks: dict[str, list[float]]
    bins: dict[str, list[tuple[float, float, int]]]
    seconds: float


def compare(
    rows: Sequence[RoutingRow],
    judgement: Judgement,
    billing: Billing,
    *,
    share: float = 0.95,
    folds: int = 5,
    resamples: int = 1000,
    together: bool = True,
    only: Collection[str] | None = None,
    beside: Sequence[Method] = (),
) -> Compared:
    """Of rows that are all `paired`, and judged in the same order; `only` these methods, where they are named, and
    those `beside` that are scored already."""
    cheap = np.array([bool(row.cheap.correct) for row in rows])
    large = np.array([row.large is not None and bool(row.large.correct) for row in rows])
    questions, groups = by_question(rows)
    fold = folds_by_group(questions, ~cheap, folds)
    answers = Answers(
        cheap=cheap,
        large=large,
        costs=leg_costs(rows, billing, together=together),
        folds=fold,
        draws=np.concatenate((np.ones((1, len(rows)), np.int64), draw_groups(groups, resamples=resamples))),
    )
    methods = [*methods_of(rows, judgement, ~cheap, fold), *beside]
    known = {each.name: each for each in methods if each.scores is not None and (only is None or each.name in only)}
    areas = {name: _areas(each, answers) for name, each in known.items()}
    entries = [entry_of(each, answers, areas[name], share=share) for name, each in known.items()]
    entries.sort(key=lambda entry: -(entry.auroc.value or 0.0))
    against, best = _against(known, entries, areas)
    return Compared(
        n=len(rows),
        questions=len(set(questions)),
        samples=sum(len(row.cheap.samples) for row in rows) / len(rows),
        share_wrong=float((~cheap).mean()),
        cheap=estimate(answers.mean(cheap)),
        large=estimate(answers.mean(large)),
        oracle=float((cheap | large).mean()),
        foresight=foresight(answers.costs, cheap, large, share=share),
        cheap_cost=float(answers.costs.cheap.mean() / answers.costs.large.mean()),
        entries=tuple(entries),
        against=against,
        best=best,
        undefined={each.name: each.undefined for each in methods if each.scores is None},
        curves={name: _curve(each, answers) for name, each in known.items()},
        risks={name: _risks(each, ~cheap) for name, each in known.items()},
        bins={name: _bins(known[name], ~cheap) for name in (OURS, FITTED) if name in known},
        seconds=judgement.seconds,
    )


def _against(
    known: Mapping[str, Method], entries: Sequence[Entry], areas: Mapping[str, Floats]
) -> tuple[tuple[Against, ...], Against | None]:
    ranked = [entry.name for entry in entries if entry.auroc.value is not None]
    if OURS not in ranked:
        return (), None

    def against(name: str, p: float | None) -> Against:
        return Against(name, estimate(areas[OURS] - areas[name]), p)

    planned = [name for name in PRIMARY if name in ranked]
    raw = [two_sided((areas[OURS] - areas[name])[1:]) for name in planned]
    adjusted = holm([1.0 if p is None else p for p in raw])
    others = [name for name in ranked if known[name].kind is not Kind.OURS]
    return (
        tuple(against(name, p) for name, p in zip(planned, adjusted, strict=True)),
        against(others[0], None) if others else None,
    )


def _areas(method: Method, answers: Answers) -> Floats:
    """The AUROC in each draw."""
    assert method.scores is not None
    return resampled_auroc(method.scores, ~answers.cheap, answers.draws)


def _curve(method: Method, answers: Answers) -> list[tuple[float, float]]:
    """(cost of always-large's, quality) at 0, 5, .. 100 % escalated."""
    assert method.scores is not None
    curve = cost_quality_curve(method.scores, answers.cheap, answers.large)
    kept, escalated = answers.costs.of(method)
    order = np.argsort(-method.scores, kind="stable")
    found = []
    for share in _SHARES:
        rate = np.zeros(len(answers.cheap))
        rate[order] = np.clip(share * len(answers.cheap) - np.arange(len(answers.cheap)), 0, 1)
        paid = (kept + rate * (escalated - kept)).mean() / answers.costs.large.mean()
        found.append((float(paid), accuracy_at(curve, share)))
    return found


def _risks(method: Method, wrong: Bools) -> list[float]:
    """The share of wrong among the most certain 5, 10, .. 100 %."""
    assert method.scores is not None
    ranked = by_rank(method.scores, wrong).cumsum() / np.arange(1, len(wrong) + 1)
    return [float(ranked[max(0, round(share * len(wrong)) - 1)]) for share in _SHARES[1:]]


def _bins(method: Method, wrong: Bools) -> list[tuple[float, float, int]]:
    """(mean score, share wrong, rows) of each tenth of [0, 1] that has rows."""
    assert method.scores is not None
    place = np.clip((method.scores * 10).astype(int), 0, 9)
    inside = [place == i for i in range(10)]
    return [(float(method.scores[i].mean()), float(wrong[i].mean()), int(i.sum())) for i in inside if i.any()]


_SHARES = tuple(i / 20 for i in range(21))

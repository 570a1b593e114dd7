"""How many probes each stopping rule uses, and what its decisions are worth.

    python -m benchmarks.stopping ROWS.jsonl.xz [--cache FILE] [--repeats 3] [--resamples 2000] [--json]

Rows are labelled routing rows; samples are taken one by one, in the order of the file, and judged by the bundled judge
(`--cache FILE` keeps what it said; delete it when the judge changes). Figures are over rows with a large answer, but
`auroc`: of the score at the stop against "the cheap answer is wrong", over all. For each largest number of probes:

`at a rate`: each rule stops and decides at the limit at which it escalates that share, or at two neighbouring limits in
turn; `accuracy` is that of the answers then given. A table's price of a probe stands beside its name.

`at prices`: each rule stops and decides at the prices of a probe and of an escalation, in values of a right answer. The
loss is one less accuracy, plus what was paid. Rules without prices get the limit on the score that the prices imply.

What is fitted (beliefs, limits, how often the large model is right) is fitted on four fifths of the rows for the other
fifth, and averaged over `--repeats` such splits. `difference`: to the rule that takes all probes; intervals (95%) of it
by paired bootstrap over rows. `pairs`: what the judge's network had compared at the stop.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.figures import command
from benchmarks.prefixes import HORIZONS, Row, judged_rows
from streamroute.calibration.stopping import StoppingFit, Trail, fit_costs, fit_table
from streamroute.core.policy import Policy, Snapshot, Threshold
from streamroute.core.types import Decision
from streamroute.evaluation.metrics import auroc, bootstrap_interval
from streamroute.uncertainty.stopping import ESC, AdaptiveConsistency, Costs, FixedCount, Sprt, StoppingTable
from streamroute.uncertainty.stopping.chances import chance_of_score

RATES = (0.3, 0.5)
PRICES = ((0.002, 0.05), (0.01, 0.05), (0.002, 0.15), (0.01, 0.15))
"""Of a probe, of an escalation."""
TABLE_PRICES = (0.002, 0.005, 0.01)
"""Of a probe, where only the rate counts."""
QUANTILES = np.linspace(1, 0, 101)
FOLDS = 5
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """What the other folds say: the fit, labels of both models, and scores after all probes."""

    fit: StoppingFit
    cheap: Sequence[bool]
    large: Sequence[bool]
    scores: Floats

    def costs(self, probe: float, escalation: float) -> Costs:
        return fit_costs(self.cheap, self.large, probe=probe, escalation=escalation)

    def score_at(self, chance: float) -> float:
        """The highest score that is wrong with at most that probability."""
        grid = np.linspace(0, 1, 1001)
        return float(grid[[self.fit.by_score(x) <= chance for x in grid]].max(initial=-0.001))


def fitted(rows: Sequence[Row], most: int) -> Fold:
    trails = [Trail(row.evidences[most][1:], not row.cheap_right) for row in rows]
    pairs = [(row.cheap_right, row.large_right) for row in rows if row.large_right is not None]
    scores = np.array([row.evidences[most][most].score for row in rows])
    return Fold(fit_table(trails, most=most), [c for c, _ in pairs], [right for _, right in pairs], scores)


@dataclass(frozen=True)
class Setting:
    """What a rule is made for: a limit on the score, and that on the probability, None for what the costs say."""

    most: int
    fold: Fold
    limit: float
    costs: Costs
    chance: float | None = None


def rules(most: int) -> dict[str, Callable[[Setting], Policy]]:
    """Those without a price. The first takes all probes."""
    return {
        f"fixed {most}": lambda s: FixedCount(s.limit, s.most),
        "fixed 1": lambda s: FixedCount(s.limit, 1),
        "fixed 2": lambda s: FixedCount(s.limit, 2),
        "fixed 3": lambda s: FixedCount(s.limit, 3),
        "certified": lambda s: Threshold(s.limit),
        "adaptive-consistency .95": lambda s: AdaptiveConsistency(s.limit, 0.95),
        "adaptive-consistency .8": lambda s: AdaptiveConsistency(s.limit, 0.8),
        "esc 3": lambda s: ESC(s.limit, 3),
        "sprt .85 .35": lambda s: Sprt(s.limit),
    }


def unfitted(s: Setting) -> Policy:
    return StoppingTable(s.costs, most=s.most, limit=None if s.chance is None else chance_of_score(s.limit))


def by_fit(s: Setting) -> Policy:
    return s.fold.fit.table(s.costs, most=s.most, limit=s.chance)


@dataclass(frozen=True)
class Outcome:
    """(n,) of one rule, in the mean over what is mixed: probes, pairs, score at the stop, share escalated."""

    probes: Floats
    pairs: Floats
    scores: Floats
    escalated: Floats

    @classmethod
    def mixed(cls, parts: Sequence[Outcome], weights: Sequence[float]) -> Outcome:
        def mean(name: str) -> Floats:
            return np.asarray(sum(w * getattr(part, name) for part, w in zip(parts, weights, strict=True)))

        return cls(mean("probes"), mean("pairs"), mean("scores"), mean("escalated"))


def run(policies: Sequence[Policy], rows: Sequence[Row], most: int) -> Outcome:
    """Each row by its policy, probes one by one."""
    found = [_stop(policy, row, most) for policy, row in zip(policies, rows, strict=True)]
    ends = [row.evidences[most][j] for row, (j, _) in zip(rows, found, strict=True)]
    return Outcome(
        probes=np.array([float(j) for j, _ in found]),
        pairs=np.array([float(end.nli_pairs) for end in ends]),
        scores=np.array([end.score for end in ends]),
        escalated=np.array([float(decision is Decision.ESCALATE) for _, decision in found]),
    )


def _stop(policy: Policy, row: Row, most: int) -> tuple[int, Decision]:
    for j in range(1, most + 1):
        snapshot = Snapshot(
            tier=0, last_tier=1, evidence=row.evidences[most][j], pending=most - j, settled=j == most, elapsed=0.0,
            answer_finished=True,
        )  # fmt: skip
        verdict = policy(snapshot)
        if verdict.decided:
            return j, verdict.decision
    raise AssertionError("every policy decides on settled evidence")


@dataclass(frozen=True)
class Split:
    """(n,) the fold of each row, and what the others say of each fold."""

    folds: npt.NDArray[np.int64]
    others: Sequence[Fold]

    @classmethod
    def random(cls, rows: Sequence[Row], most: int, seed: int) -> Split:
        folds = np.random.default_rng(seed).permutation(len(rows)) % FOLDS
        others = [fitted([row for row, own in zip(rows, folds, strict=True) if own != f], most) for f in range(FOLDS)]
        return cls(folds, others)


Line = dict[str, object]


class Measurement:
    """All figures for one largest number of probes."""

    def __init__(self, rows: Sequence[Row], most: int, *, repeats: int, resamples: int) -> None:
        self.rows, self.most, self.resamples = rows, most, resamples
        self.splits = [Split.random(rows, most, seed) for seed in range(repeats)]
        self.paired = np.array([row.large_right is not None for row in rows])
        self.cheap = np.array([float(row.cheap_right) for row in rows])
        self.large = np.array([float(bool(row.large_right)) for row in rows])

    def at_rate(self, rate: float) -> list[Line]:
        free = TABLE_PRICES[0]
        made = [(name, make, free) for name, make in rules(self.most).items()]
        made += [(f"table, no labels {price}", unfitted, price) for price in TABLE_PRICES]
        made += [(f"table, fitted {price}", by_fit, price) for price in TABLE_PRICES]
        found = {name: self._mean(partial(self._reaching, rate, make, price)) for name, make, price in made}
        base = self._right(next(iter(found.values())))
        return [
            self._line(name, each)
            | self._difference(self._right(each) - base)
            | {"auroc": auroc(each.scores, self.cheap == 0)}
            for name, each in found.items()
        ]

    def at_prices(self, probe: float, escalation: float) -> list[Line]:
        def priced(make: Callable[[Setting], Policy], split: Split) -> Outcome:
            def setting(fold: Fold) -> Setting:
                costs = fold.costs(probe, escalation)
                return Setting(self.most, fold, fold.score_at(costs.limit), costs)

            return self._run(make, split, setting)

        made = rules(self.most) | {"table, no labels": unfitted, "table, fitted": by_fit}
        found = {name: self._mean(partial(priced, make)) for name, make in made.items()}

        def loss(each: Outcome) -> Floats:
            return 1 - self._right(each) + escalation * each.escalated + probe * each.probes

        base = loss(next(iter(found.values())))
        return [
            self._line(name, each)
            | {"loss": float(loss(each)[self.paired].mean())}
            | self._difference(loss(each) - base)
            for name, each in found.items()
        ]

    def _mean(self, outcome: Callable[[Split], Outcome]) -> Outcome:
        parts = [outcome(split) for split in self.splits]
        return Outcome.mixed(parts, [1 / len(parts)] * len(parts))

    def _reaching(self, rate: float, make: Callable[[Setting], Policy], price: float, split: Split) -> Outcome:
        """The rule at the limits between which it escalates `rate` of the paired rows, mixed so that it does."""

        def at(i: int) -> tuple[float, Outcome]:
            def setting(fold: Fold) -> Setting:
                limit = float(np.quantile(fold.scores, QUANTILES[i]))
                return Setting(self.most, fold, limit, fold.costs(price, 0.0), fold.fit.by_score(limit))

            outcome = self._run(make, split, setting)
            return float(outcome.escalated[self.paired].mean()), outcome

        below, above = 0, len(QUANTILES) - 1
        low, high = at(below), at(above)
        while above - below > 1:
            middle = (below + above) // 2
            found = at(middle)
            if found[0] < rate:
                below, low = middle, found
            else:
                above, high = middle, found
        share = (rate - low[0]) / (high[0] - low[0]) if high[0] > low[0] else 1.0
        return Outcome.mixed((low[1], high[1]), (1 - share, share))

    def _run(self, make: Callable[[Setting], Policy], split: Split, setting: Callable[[Fold], Setting]) -> Outcome:
        made = [make(setting(fold)) for fold in split.others]
        return run([made[fold] for fold in split.folds], self.rows, self.most)

    def _right(self, each: Outcome) -> Floats:
        """(n,) how probable it is that the answer given is right."""
        return np.asarray(each.escalated * self.large + (1 - each.escalated) * self.cheap)

    def _line(self, name: str, each: Outcome) -> Line:
        values = {
            "probes": each.probes,
            "pairs": each.pairs,
            "escalated": each.escalated,
            "accuracy": self._right(each),
        }
        return {"rule": name} | {key: float(value[self.paired].mean()) for key, value in values.items()}

    def _difference(self, more: Floats) -> Line:
        rows = more[self.paired]
        interval = bootstrap_interval(_mean, rows, resamples=self.resamples)
        return {"difference": float(rows.mean()), "interval": interval}


def _mean(values: Floats) -> float:
    return float(values.mean())


def _print(lines: Sequence[Line]) -> None:
    keys = list(lines[0])
    print(
        "".join(f"{key:>26}" if key == "rule" else f"{key:>18}" if key == "interval" else f"{key:>12}" for key in keys)
    )
    for line in lines:
        cells = []
        for key in keys:
            value = line[key]
            if isinstance(value, tuple):
                cells.append(f"{f'{value[0]:+.4f} {value[1]:+.4f}':>18}")
            elif isinstance(value, float):
                cells.append(f"{value:>12.4f}")
            else:
                cells.append(f"{value!s:>26}")
        print("".join(cells))
    print(flush=True)


def main() -> int:
    parser = command("What stopping rules save, and what they cost.")
    parser.add_argument("rows", type=Path, help="routing rows, JSON Lines; .gz and .xz are unpacked")
    parser.add_argument("--cache", type=Path, help="a file that keeps what the judge said")
    parser.add_argument("--repeats", type=int, default=3, help="random splits")
    parser.add_argument("--resamples", type=int, default=2000, help="of the bootstrap")
    args = parser.parse_args()
    rows = judged_rows(args.rows, cache=args.cache, limit=60 if args.quick else None)
    repeats, resamples = (1, 50) if args.quick else (args.repeats, args.resamples)
    figures: dict[str, list[Line]] = {}
    for most in [k for k in HORIZONS if all(k in row.evidences for row in rows)][: 1 if args.quick else None]:
        measurement = Measurement(rows, most, repeats=repeats, resamples=resamples)
        for rate in RATES:
            figures[f"{most} probes at a rate of {rate}"] = measurement.at_rate(rate)
        for probe, escalation in PRICES:
            figures[f"{most} probes at prices {probe} and {escalation}"] = measurement.at_prices(probe, escalation)
    if args.json:
        print(json.dumps({"rows": len(rows), "figures": figures}))
        return 0
    for title, lines in figures.items():
        print(title)
        _print(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Are the promises of a certificate kept? On data of yours, where the true risk is not known but can be made so.

    python -m benchmarks.guarantees FILE [--resplits 500] [--delta 0.1] [--score fitted|judge] [--json]

FILE holds routing rows, or records as `streamroute calibrate --save-records` writes them. Each re-split fits the score
on 40 % of the questions; the others are the world, whose risk at any threshold is a count. Certificates are made from
draws out of that world with replacement, so that requests are exchangeable and the risk is known exactly: it may be
above alpha in at most a share delta of the re-splits (selective), or on average not at all (marginal). `limit` is
delta, or alpha, and three standard errors. `apart_*` is as a user does it: certified on one half of the world, looked
at on the other, where marginal risk must hold on average too, and selective risk is itself an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.figures import command, show
from streamroute.calibration.certificate import (
    Certificate,
    NoCertificate,
    conformal,
    fixed_sequence,
    sequence_of,
    start_for,
)
from streamroute.calibration.fit import fit_score
from streamroute.calibration.records import Record, decode_record, labelled
from streamroute.calibration.splits import Splits, split
from streamroute.calibration.thresholds import TIE, levels_of
from streamroute.cli.judging import judge_rows
from streamroute.config.load import loads
from streamroute.evaluation.rows import RoutingRow, lines_of, numbered, read_rows

SELECTIVE, MARGINAL = (0.2, 0.3, 0.4), (0.05, 0.1, 0.2)
SIZES = (100, 500, 2000)
CONFIG = """
[[upstream]]
name = "cheap"
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
model = "cheap"
[[upstream]]
name = "large"
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
model = "large"
[[route]]
name = "auto"
tiers = ["cheap", "large"]
probes = { count = 5 }
"""
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def records_of(path: Path) -> list[Record]:
    _, first = next(iter(numbered(lines_of(path), str(path))))
    if b'"cheap"' in first:
        settings = loads(CONFIG)
        return labelled(judge_rows(list(read_rows(path, RoutingRow)), settings, settings.routes[0]).records)
    found = (decode_record(line, number=number) for number, line in numbered(lines_of(path), str(path)))
    return labelled([record for record in found if record is not None])


def world_of(records: Sequence[Record], *, fitted: bool, seed: int) -> tuple[Floats, Floats, Bools]:
    """(scores that the sequence may be made of, scores of the world, which of its answers are wrong)."""
    fit, _, world = split(records, (0.4, 0.0, 0.6), seed=seed)
    _, score_of = fit_score(Splits(fit, fit, world), fitted=fitted)
    seen, scores = ([score_of(record) for record in part] for part in (fit, world))
    return levels_of(seen), levels_of(scores), np.array([bool(record.wrong) for record in world])


class Tally:
    """What became of the certificates of one kind and alpha."""

    def __init__(self) -> None:
        self.risks: list[float] = []
        self.kept: list[float] = []

    def add(self, found: Certificate | NoCertificate, scores: Floats, wrong: Bools) -> None:
        """`scores` and `wrong` are those that the certificate is of: all of the world, or what was set apart."""
        kept = scores <= found.tau + TIE if isinstance(found, Certificate) else np.zeros(len(scores), dtype=bool)
        marginal = isinstance(found, Certificate) and found.kind == "marginal"
        among = len(scores) if marginal else max(1, int(kept.sum()))
        self.risks.append(float((wrong & kept).sum() / among))
        self.kept.append(float(kept.mean()))

    def figures(self, alpha: float, delta: float | None) -> dict[str, float]:
        n, risks = len(self.risks), np.array(self.risks)
        issued = {
            "issued": round(float((np.array(self.kept) > 0).mean()), 3),
            "kept": round(float(np.mean(self.kept)), 3),
        }
        if delta is None:
            limit = alpha + 3 * float(risks.std()) / math.sqrt(n)
            return {"mean_risk": round(float(risks.mean()), 4), "limit": round(limit, 4), **issued}
        limit = delta + 3 * math.sqrt(delta * (1 - delta) / n)
        return {"violated": round(float((risks > alpha).mean()), 4), "limit": round(limit, 4), **issued}


def measure(records: Sequence[Record], *, resplits: int, delta: float, fitted: bool) -> dict[str, object]:
    tallies: dict[tuple[str, float, str], Tally] = {}
    for seed in range(resplits):
        random = np.random.default_rng(seed)
        seen, scores, wrong = world_of(records, fitted=fitted, seed=seed)
        half = random.permutation(len(scores))
        apart, rest = half[: len(half) // 2], half[len(half) // 2 :]
        draws = [(str(n), random.integers(len(scores), size=n), np.arange(len(scores))) for n in SIZES]
        for name, drawn, judged in (*draws, ("apart", apart, rest)):
            held, bad = scores[drawn].tolist(), wrong[drawn].tolist()
            for alpha in SELECTIVE:
                sequence = sequence_of(seen.tolist(), start=start_for(len(held), alpha, delta))
                found = fixed_sequence(held, bad, alpha, delta, sequence)
                tallies.setdefault(("selective", alpha, name), Tally()).add(found, scores[judged], wrong[judged])
            for alpha in MARGINAL:
                found = conformal(held, bad, alpha)
                tallies.setdefault(("marginal", alpha, name), Tally()).add(found, scores[judged], wrong[judged])
    figures: dict[str, object] = {
        "records": len(records),
        "wrong": round(float(np.mean([bool(record.wrong) for record in records])), 3),
        "resplits": resplits,
        "delta": delta,
        "score": "fitted" if fitted else "judge",
    }
    for (kind, alpha, name), tally in sorted(tallies.items()):
        figures[f"{kind}_{alpha:g}_{name}"] = tally.figures(alpha, delta if kind == "selective" else None)
    return figures


def main() -> None:
    parser = command("How often certificates from draws of real records are broken.")
    parser.add_argument("file", type=Path, metavar="FILE", help="routing rows, or records")
    parser.add_argument("--resplits", type=int, default=500)
    parser.add_argument("--delta", type=float, default=0.1)
    parser.add_argument("--score", choices=("fitted", "judge"), default="fitted")
    args = parser.parse_args()
    found = measure(
        records_of(args.file),
        resplits=5 if args.quick else args.resplits,
        delta=args.delta,
        fitted=args.score == "fitted",
    )
    show(found, as_json=args.json)


if __name__ == "__main__":
    main()

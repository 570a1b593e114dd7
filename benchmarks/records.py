"""Recorded routes for benchmarks that serve them: what the judge says of them, how long it takes, and their times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from streamroute.core.plan import ProbeSchedule
from streamroute.evaluation.rows import RoutingRow
from streamroute.evaluation.simulation.evidence import BlockingJudge, identity, judge_all, load_judged, save_judged
from streamroute.evaluation.simulation.legs import RecordedRoute
from streamroute.evaluation.simulation.spread import spread
from streamroute.evaluation.simulation.stepping import JudgeOf
from streamroute.evaluation.simulation.timings import Timings
from streamroute.nli.batcher import BlockingModel
from streamroute.nli.manifest import chosen_model
from streamroute.uncertainty.base import Pair, Relations
from streamroute.uncertainty.combine import most_probes

Load = Callable[[], BlockingModel]


class Timed:
    """A model, and the CPU seconds that each pair took it, in the runs in which the judge asks for them."""

    def __init__(self, model: BlockingModel) -> None:
        self.seconds: list[float] = []
        self._model = model

    def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
        began = time.thread_time()
        found = self._model.relations(pairs)
        self.seconds += [(time.thread_time() - began) / len(pairs)] * len(pairs)
        return found


def timed(rows: Sequence[RoutingRow], probes: int, model: BlockingModel) -> list[float]:
    """Of the pairs of these rows, as if nobody had judged them yet."""
    found, timings = Timed(model), Timings()
    with BlockingJudge(lambda: found) as judge:
        judge_all([RecordedRoute.of(row, timings) for row in rows], ProbeSchedule(count=probes), judge, timings.judge)
    return found.seconds


@contextmanager
def judged(routes: Sequence[RecordedRoute], load: Load, *, probes: int, file: str | None) -> Iterator[JudgeOf]:
    """A judge who has said of `routes` what their questions will be, and is asked for what is missing: one who is late
    is asked about more at once. All of it is in `file` in the end. Raises `DataFileError` and `ScorerError`."""
    timings, most = Timings(), most_probes(probes)
    who = identity(chosen_model(None, None), most)
    known = load_judged(Path(file), routes, who) if file is not None and Path(file).exists() else 0
    with BlockingJudge(load, most_probes=most) as judge:
        try:
            judge_all(routes, ProbeSchedule(count=probes), judge, timings.judge)
            yield judge
        finally:
            if file is not None and sum(len(route.evidence) for route in routes) > known:
                save_judged(Path(file), routes, who)


def varied(
    rows: Sequence[RoutingRow], routes: Sequence[RecordedRoute], sigma: float, copies: int, seed: int
) -> list[RecordedRoute]:
    """Routes with times of their own as they are, the others in copies. Each is as likely as before."""
    stated = [route for row, route in zip(rows, routes, strict=True) if row.cheap.timing is None]
    recorded = [route for row, route in zip(rows, routes, strict=True) if row.cheap.timing is not None]
    return spread(stated, sigma, copies, Random(seed)) + recorded * (copies if stated else 1)

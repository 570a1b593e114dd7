"""Many routes at once in virtual time, which share a judge.

Each route is a `Simulation` on a clock of its own, and meets the others in two places only: when it arrives, and when
it asks the judge. In between it runs ahead of the fleet, to its next question or to its end; while a question waits for
its turn the route follows event by event, for its deadline may fall, and then the question is withdrawn, as a driver
withdraws it. So one heap holds little more than one entry for each route that is under way.

What a question costs beside its pairs (`verdict` of a `JudgePace`) is spent by whoever streams the route, not by the
cores that judge. Models take as long as their records say, however many routes there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import inf
from random import Random
from typing import Any, NamedTuple

from streamroute.core.plan import Plan
from streamroute.errors import ScorerOverloaded
from streamroute.evaluation.simulation.gauges import Durations, Level
from streamroute.evaluation.simulation.judging import Bench, Job
from streamroute.evaluation.simulation.legs import RecordedRoute
from streamroute.evaluation.simulation.outcome import Outcome
from streamroute.evaluation.simulation.stepping import JudgeOf, Simulation
from streamroute.evaluation.simulation.systems import System, planned
from streamroute.evaluation.simulation.tally import EVEN, SHED

__all__ = ("Fleet", "Request", "Shedding", "requests_of")


class Request(NamedTuple):
    """A route that may be asked for, its plan, and its plan where the fleet is too busy to judge it."""

    route: RecordedRoute
    plan: Plan
    unjudged: Plan


def requests_of(system: System, routes: Iterable[RecordedRoute]) -> list[Request]:
    """Those that `system` serves."""
    return [Request(route, plan, replace(plan, judge=False, unjudged=SHED)) for route, plan in planned(system, routes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shedding:
    """When a request is started without probes: with so many `streams` open, or with a `backlog` of the judge of more
    than so many seconds. None: never."""

    streams: int | None = None
    backlog: float | None = None


class _Stream:
    """A route under way, which began at a time of the fleet's clock, and who judges it."""

    __slots__ = ("began", "bench", "simulation")

    def __init__(self, began: float, bench: Bench, simulation: Simulation) -> None:
        self.began = began
        self.bench = bench
        self.simulation = simulation


class Fleet:
    """Serves requests drawn from `requests`, each judged by one of `benches`, both evenly and by `seed`. `judge` has
    the evidence; `verdict` are the seconds that a question takes beside its pairs. `urgent`: questions go by the
    deadline of their route; otherwise by their arrival alone. Every outcome is `heard` when its route ends.

    `streams` are open, `busy` cores run. `delays`: how much longer the judge took for the pairs of a question than for
    these alone on a core that is free, waiting for its turn and for those with which it shares a run; forever where it
    was `refused` for want of room or time, or `withdrawn` by a verdict that did not wait for it. When it has run:
    `seconds` is the time of the last arrival, and until then there were `mean_streams`, and cores were busy for the
    share `utilisation` of the time.
    """

    def __init__(
        self,
        requests: Sequence[Request],
        benches: Sequence[Bench],
        judge: JudgeOf,
        *,
        verdict: float = 0.0,
        shedding: Shedding | None = None,
        urgent: bool = True,
        seed: int = 0,
        heard: Callable[[Outcome], None],
    ) -> None:
        self.streams, self.busy, self.delays = Level(), Level(), Durations()
        self.refused = self.withdrawn = 0
        self.seconds = self.mean_streams = self.utilisation = 0.0
        self._requests = requests
        self._benches = benches
        self._judge = judge
        self._verdict = verdict
        self._shedding = shedding or Shedding()
        self._urgent = urgent
        self._random = Random(seed)
        self._heard = heard
        self._heap: list[tuple[float, int, Callable[[Any, float], None], Any]] = []  # (when, order, what, to whom)
        self._order = 0

    def run(self, times: Iterable[float]) -> None:
        """Serve requests that arrive at these times, all to their end. Once."""
        heap, now = self._heap, 0.0
        for now in times:
            while heap and heap[0][0] <= now:
                at, _, handle, subject = heappop(heap)
                handle(subject, at)
            self._arrive(now)
        for level in (self.streams, self.busy):
            level.change(0, now)
        self.seconds, self.mean_streams = now, self.streams.mean()
        self.utilisation = self.busy.mean() / sum(bench.cores for bench in self._benches)
        while heap:
            at, _, handle, subject = heappop(heap)
            handle(subject, at)

    def _put(self, at: float, handle: Callable[[Any, float], None], subject: object) -> None:
        self._order += 1
        heappush(self._heap, (at, self._order, handle, subject))

    def _arrive(self, now: float) -> None:
        request = self._random.choice(self._requests)
        bench = self._random.choice(self._benches)
        plan = request.unjudged if self._too_busy(bench) else request.plan
        self.streams.change(1, now)
        self._go_on(_Stream(now, bench, Simulation(request.route, plan, self._judge, EVEN)))

    def _too_busy(self, bench: Bench) -> bool:
        streams, backlog = self._shedding.streams, self._shedding.backlog
        return (streams is not None and self.streams.now >= streams) or (
            backlog is not None and bench.backlog > backlog
        )

    def _go_on(self, stream: _Stream, pairs: int | None = None) -> None:
        """As far as the route comes without the judge. `pairs`: it has just asked about so many."""
        simulation, began = stream.simulation, stream.began
        if pairs is None:
            pairs = simulation.advance()
        while pairs == 0:  # all is known: no core is needed
            simulation.answer(self._verdict)
            pairs = simulation.advance()
        if pairs is not None:
            at, deadline = began + simulation.now, began + simulation.deadline if self._urgent else inf
            self._put(at, self._ask, Job(pairs, asked=at, deadline=deadline, asker=stream))
            return
        outcome = simulation.outcome
        assert outcome is not None  # or it would wait for an answer
        self._put(began + outcome.finished, self._end, outcome)

    def _end(self, outcome: Outcome, now: float) -> None:
        self.streams.change(-1, now)
        self._heard(outcome)

    # -- the judge ----------------------------------------------------------------------------------------------------

    def _ask(self, job: Job, now: float) -> None:
        stream: _Stream = job.asker
        for lost in stream.bench.queue.add(job, now):
            self._refuse(lost, now)
        self._start(stream.bench, now)
        if not job.over:
            self._follow(job, stream.simulation.now)

    def _step(self, job: Job, _: float) -> None:
        if not job.over:
            self._follow(job, job.asker.simulation.due)

    def _follow(self, job: Job, until: float) -> None:
        """What happens to a route while its question waits."""
        stream: _Stream = job.asker
        simulation = stream.simulation
        pairs = simulation.advance(until)
        if pairs is None and simulation.waiting:
            if simulation.due < inf:
                self._put(stream.began + simulation.due, self._step, job)
            return
        self.withdrawn += 1
        self.delays.never += 1
        job.over = True
        stream.bench.queue.remove(job)
        self._go_on(stream, pairs)

    def _start(self, bench: Bench, now: float) -> None:
        """What free cores can begin."""
        while (batch := bench.start(now)) is not None:
            for lost in batch.shed:
                self._refuse(lost, now)
            if batch.parts:
                self.busy.change(1, now)
                self._put(now + batch.seconds, self._done, bench)
            for job, pairs in batch.parts:
                self._begun(job, now - job.asked + batch.seconds, batch.seconds * (pairs / batch.pairs))

    def _done(self, bench: Bench, now: float) -> None:
        self.busy.change(-1, now)
        bench.free += 1
        self._start(bench, now)

    def _begun(self, job: Job, after: float, own: float) -> None:
        """A part of a job runs; with the last one it is known when the answer will be there."""
        job.after = max(job.after, after)
        job.own += own
        if not job.waiting:
            job.over = True
            self.delays.add(job.after - job.own)
            self._answer(job.asker, job.after)

    def _refuse(self, job: Job, now: float) -> None:
        self.refused += 1
        self.delays.never += 1
        job.over = True
        self._answer(job.asker, now - job.asked, ScorerOverloaded("the judge is overloaded"))

    def _answer(self, stream: _Stream, after: float, error: ScorerOverloaded | None = None) -> None:
        stream.simulation.answer(after + self._verdict, error)
        self._go_on(stream)

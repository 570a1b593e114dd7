"""What the judge says of recorded routes: asked once, kept in a file, so that a sweep costs no inference."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from streamroute import uncertainty
from streamroute.core.actions import Score
from streamroute.core.events import ProbeFinished
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.policy import Always
from streamroute.core.types import UNDECIDED, Evidence
from streamroute.errors import DataFileError
from streamroute.evaluation.judged import Blocking
from streamroute.evaluation.rows import lines_of, numbered
from streamroute.evaluation.scoring import Memo
from streamroute.evaluation.simulation.legs import Asked, RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing
from streamroute.evaluation.simulation.simulate import JudgeOf, simulate
from streamroute.evaluation.simulation.timings import JudgePace
from streamroute.nli.batcher import BlockingModel
from streamroute.nli.manifest import ModelSpec
from streamroute.routing.tiers import Price, question_of
from streamroute.uncertainty.base import Scorer
from streamroute.uncertainty.combine import DEFAULT_MOST_PROBES
from streamroute.uncertainty.judge import SemanticEntropy

__all__ = ("BlockingJudge", "identity", "judge_all", "load_judged", "save_judged")

VERSION = 1


def identity(spec: ModelSpec, most_probes: int) -> dict[str, str]:
    """What the evidence of a judge depends on: its model, how the entropy is scaled, and the code that scores."""
    code = hashlib.sha256()
    for path in sorted(Path(uncertainty.__path__[0]).rglob("*.py")):
        code.update(path.read_bytes())
    return {
        "model": spec.name,
        "sha256": spec.sha256,
        "most_probes": str(most_probes),
        "code": code.hexdigest()[:16],
    }


class BlockingJudge:
    """A judge that is asked from outside of any event loop: semantic entropy over a model that is `load`ed when it is
    asked the first time. A context manager: it holds a loop of its own. `most_probes` scales the entropy."""

    def __init__(self, load: Callable[[], BlockingModel], *, most_probes: int = DEFAULT_MOST_PROBES) -> None:
        self._load = load
        self._most_probes = most_probes
        self._runner = asyncio.Runner()
        self._scorer: Scorer | None = None

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._runner.close()

    def __call__(self, route: RecordedRoute, asked: Asked, action: Score) -> Evidence:
        """A `JudgeOf`. Each question in a session of its own, so that the evidence does not depend on what was asked
        before. Raises `ScorerError`."""
        if self._scorer is None:
            self._scorer = SemanticEntropy(Memo(Blocking(self._load())), most_probes=self._most_probes)
        session = self._scorer.session(question_of([{"role": "user", "content": route.question}]))
        found = self._runner.run(
            session.evaluate(
                answer=action.answer,
                answer_finished=action.answer_finished,
                samples=action.samples,
                expected=action.expected,
                confidence=action.confidence,
            )
        )
        return replace(found, seconds=0.0)  # as measured here; the simulation has its own


def judge_all(
    routes: Iterable[RecordedRoute],
    schedule: ProbeSchedule,
    judge: JudgeOf,
    pace: JudgePace,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Ask all that any policy can come to ask of these routes: what an undecided one asks. A policy that decides asks
    the same, up to its verdict. `progress` is told how many routes are done."""
    for done, route in enumerate(routes, start=1):
        tiers = len(route.tiers)
        plan = Plan(tiers=(*[schedule] * (tiers - 1), None), policy=Always(UNDECIDED), decision_deadline=None)
        simulate(route, plan, judge, Billing((Price(),) * tiers), pace)
        progress(done)


class _Header(msgspec.Struct, frozen=True):
    version: int
    judge: dict[str, str]


class _Line(msgspec.Struct, frozen=True):
    id: str
    texts: str
    asked: Asked
    evidence: Evidence


def save_judged(path: Path, routes: Sequence[RecordedRoute], judge: Mapping[str, str]) -> None:
    """All evidence of `routes`, with what it is of: the `judge` by name and hash, the texts by theirs. Raises
    `DataFileError`."""
    lines = [msgspec.json.encode(_Header(VERSION, dict(judge)))]
    for route in routes:
        texts = _texts_of(route)
        lines += [msgspec.json.encode(_Line(route.id, texts, *item)) for item in route.evidence.items()]
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(b"".join(line + b"\n" for line in lines))
        partial.replace(path)
    except OSError as error:
        raise DataFileError(f"{path}: cannot be written ({error.strerror})") from error


def load_judged(path: Path, routes: Sequence[RecordedRoute], judge: Mapping[str, str]) -> int:
    """Give `routes` the evidence of a file that `save_judged` wrote, and say how much there was. Raises
    `DataFileError`, also where it is of another judge or of other texts."""
    by_id = {route.id: (route, _texts_of(route)) for route in routes}
    found = 0
    for number, line in numbered(lines_of(path), str(path)):
        try:
            if number == 1:
                _check(msgspec.json.decode(line, type=_Header), judge, path)
                continue
            entry = msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError as error:
            raise DataFileError(f"{path}: line {number}: not what was judged ({error})") from error
        if entry.id not in by_id:
            continue
        route, texts = by_id[entry.id]
        if entry.texts != texts:
            raise DataFileError(f"{path}: row {entry.id} was judged with other texts; judge into another file")
        route.evidence[entry.asked] = entry.evidence
        found += 1
    return found


def _check(header: _Header, judge: Mapping[str, str], path: Path) -> None:
    if header.version != VERSION:
        raise DataFileError(f"{path}: written by another version ({header.version}, not {VERSION})")
    if header.judge != dict(judge):
        raise DataFileError(f"{path}: is of another judge ({header.judge}, not {dict(judge)}); judge into another file")


def _texts_of(route: RecordedRoute) -> str:
    """A hash of all that the judge may read of a route."""
    texts = [route.question]
    for tier in route.tiers:
        samples = [event.sample for leg in tier.probes for _, event in leg.events if isinstance(event, ProbeFinished)]
        texts += [tier.text, *(f"{sample.finish_reason}:{sample.text}" for sample in samples)]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]

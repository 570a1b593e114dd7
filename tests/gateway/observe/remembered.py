"""A ledger in memory: what it is told, and the sums of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streamroute.gateway.ledger.entries import Limits, Opened, Outcome, Standing, Total
from streamroute.gateway.observe.measures import measures_of


@dataclass
class Remembered:
    """A `Ledger` that admits all; `settled` holds each request that is over."""

    settled: list[tuple[Opened, Outcome]] = field(default_factory=list)
    _sums: defaultdict[tuple[str, tuple[tuple[str, str], ...]], float] = field(
        default_factory=lambda: defaultdict(float)
    )

    def open(self, entry: Opened) -> _Remembered:
        return _Remembered(self, entry)

    async def admit(self, entry: Opened, limits: Limits) -> tuple[_Remembered, Standing]:
        return self.open(entry), Standing()

    def keep(self, entry: Opened, outcome: Outcome) -> None:
        self.settled.append((entry, outcome))
        for total in measures_of(entry, outcome):
            self._sums[total.name, total.labels] += total.value

    async def decision(self, id: str, *, key: str | None = None) -> Mapping[str, Any] | None:
        return next((row for row in await self.recent(len(self.settled)) if row["id"] == id), None)

    async def recent(self, limit: int) -> Sequence[Mapping[str, Any]]:
        return [_row(entry, outcome) for entry, outcome in reversed(self.settled[-limit:])]

    async def totals(self) -> Sequence[Total]:
        return [Total(name, labels, value) for (name, labels), value in self._sums.items()]

    async def aclose(self) -> None:
        pass


@dataclass
class _Remembered:
    ledger: Remembered
    entry: Opened
    over: bool = False

    def settle(self, outcome: Outcome) -> None:
        if not self.over:
            self.over = True
            self.ledger.keep(self.entry, outcome)

    async def written(self) -> None:
        pass


def _row(entry: Opened, outcome: Outcome) -> dict[str, Any]:
    verdict, evidence = outcome.route.verdict, outcome.route.evidence
    return {
        "id": entry.id,
        "route": entry.route,
        "status": outcome.status,
        "decision": None if verdict is None else str(verdict.decision),
        "score": None if evidence is None else evidence.score,
    }

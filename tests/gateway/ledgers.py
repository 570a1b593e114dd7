"""A small ledger for tests: keeps what it is told, and says what it is told to say."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamroute.gateway.ledger.entries import Exceeded, Limits, Opened, Outcome, Standing
from tests.gateway.books import Blank


@dataclass
class Kept:
    """One account."""

    entry: Opened
    outcomes: list[Outcome] = field(default_factory=list)

    def settle(self, outcome: Outcome) -> None:
        if not self.outcomes:
            self.outcomes.append(outcome)

    async def written(self) -> None:
        pass


class FakeLedger(Blank):
    """Admits with `says`: a standing, or a limit that is exceeded."""

    def __init__(self, says: Standing | Exceeded | None = None) -> None:
        self.says = says or Standing()
        self.accounts: list[Kept] = []
        self.asked: list[Limits] = []

    def open(self, entry: Opened) -> Kept:
        self.accounts.append(Kept(entry))
        return self.accounts[-1]

    async def admit(self, entry: Opened, limits: Limits) -> tuple[Kept, Standing] | Exceeded:
        self.asked.append(limits)
        return self.says if isinstance(self.says, Exceeded) else (self.open(entry), self.says)

"""A ledger that remembers what it was told, and what was settled when."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamroute.gateway.ledger.entries import Limits, Opened, Outcome, Standing
from tests.gateway.books import Blank


@dataclass
class RecordedAccount:
    entry: Opened
    outcome: Outcome | None = None
    durable: Outcome | None = None

    def settle(self, outcome: Outcome) -> None:
        self.outcome = self.outcome or outcome

    async def written(self) -> None:
        self.durable = self.outcome


@dataclass
class RecordingLedger(Blank):
    accounts: list[RecordedAccount] = field(default_factory=list)

    def open(self, entry: Opened) -> RecordedAccount:
        self.accounts.append(RecordedAccount(entry))
        return self.accounts[-1]

    async def admit(self, entry: Opened, limits: Limits) -> tuple[RecordedAccount, Standing]:
        return self.open(entry), Standing()

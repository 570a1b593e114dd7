"""Ledgers for tests: one that keeps nothing, and one to look into."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from streamroute.gateway.ledger.entries import Limits, Opened, Outcome, Standing, Total

__all__ = ("Blank", "Books")


class Blank:
    """A ledger of one account that keeps nothing and says nothing."""

    def open(self, entry: Opened) -> Any:
        return self

    async def admit(self, entry: Opened, limits: Limits) -> Any:
        return self.open(entry), Standing()

    def settle(self, outcome: Outcome) -> None:
        pass

    async def written(self) -> None:
        pass

    async def decision(self, id: str, *, key: str | None = None) -> Mapping[str, Any] | None:
        return None

    async def recent(self, limit: int) -> Sequence[Mapping[str, Any]]:
        return []

    async def totals(self) -> Sequence[Total]:
        return []

    async def aclose(self) -> None:
        pass


class Books(Blank):
    """One that remembers. Nothing is written before `writable` is set."""

    def __init__(self) -> None:
        self.opened: list[Opened] = []
        self.outcomes: list[Outcome] = []
        self.writable = asyncio.Event()
        self.writable.set()

    def open(self, entry: Opened) -> Books:
        self.opened.append(entry)
        return self

    def settle(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    async def written(self) -> None:
        if self.outcomes:
            await self.writable.wait()

    @property
    def outcome(self) -> Outcome:
        """The first word counts."""
        return self.outcomes[0]

    @property
    def legs(self) -> list[tuple[str, str, int, int, bool]]:
        return [
            (leg.tier_name, str(leg.state), leg.prompt_tokens, leg.completion_tokens, leg.counted)
            for leg in self.outcome.route.legs
        ]

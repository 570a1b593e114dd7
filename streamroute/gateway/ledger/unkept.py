"""A ledger that keeps nothing."""

from __future__ import annotations

from streamroute.gateway.ledger.entries import Limits, Opened, Outcome, Standing, Total

__all__ = ("UNKEPT", "Unkept")


class _Nothing:
    """An account of nothing."""

    def settle(self, outcome: Outcome) -> None:
        pass

    async def written(self) -> None:
        pass


UNKEPT = _Nothing()


class Unkept:
    """Admits all."""

    def open(self, entry: Opened) -> _Nothing:
        return UNKEPT

    async def admit(self, entry: Opened, limits: Limits) -> tuple[_Nothing, Standing]:
        return UNKEPT, Standing()

    async def decision(self, id: str) -> None:
        return None

    async def recent(self, limit: int) -> list[dict[str, object]]:
        return []

    async def totals(self) -> list[Total]:
        return []

    async def aclose(self) -> None:
        pass

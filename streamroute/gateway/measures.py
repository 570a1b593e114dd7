"""What is counted of each request, for `/metrics` and the board."""

from __future__ import annotations

from streamroute.gateway.ledger.entries import Opened, Outcome, Total

__all__ = ("measures_of",)


def measures_of(entry: Opened, outcome: Outcome) -> list[Total]:
    """What a settled request adds to the totals."""
    return [Total("requests", (("route", entry.route), ("status", str(outcome.status))), 1.0)]

"""Policies that stop probing as early as the evidence allows: the stopping table, and published rules beside it."""

from streamroute.uncertainty.stopping.costs import Costs
from streamroute.uncertainty.stopping.rules import ESC, AdaptiveConsistency, FixedCount, Sprt
from streamroute.uncertainty.stopping.states import Move, State, following, state_of
from streamroute.uncertainty.stopping.table import Moves, StoppingTable

__all__ = (
    "ESC",
    "AdaptiveConsistency",
    "Costs",
    "FixedCount",
    "Move",
    "Moves",
    "Sprt",
    "State",
    "StoppingTable",
    "following",
    "state_of",
)

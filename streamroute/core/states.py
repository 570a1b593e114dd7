"""The joint state of a route as a table that can be read, printed and drawn."""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Phase(enum.StrEnum):
    IDLE = "idle"
    JUDGING = "judging"
    HEDGED = "hedged"
    COMMITTED = "committed"
    FINISHED = "finished"
    FAILED = "failed"
    LEFT = "left"


class Cause(enum.StrEnum):
    STARTED = "started"
    STARTED_UNJUDGED = "started without judging"
    HEDGE_STARTED = "hedge condition met"
    HEDGE_LOST = "hedge failed, another tier remains"
    ACCEPTED = "accepted"
    ESCALATED = "escalated"
    ESCALATED_TO_JUDGED = "escalated to a judged tier"
    FELL_BACK = "committed leg failed unseen"
    ANSWERED = "committed leg finished"
    CONTINUED = "committed leg failed after output, another goes on"
    BROKE = "committed leg failed after output"
    EXHAUSTED = "no leg left"
    READER_LEFT = "reader left"


TABLE: Mapping[tuple[Phase, Cause], Phase] = {
    (Phase.IDLE, Cause.STARTED): Phase.JUDGING,
    (Phase.IDLE, Cause.STARTED_UNJUDGED): Phase.COMMITTED,
    (Phase.IDLE, Cause.READER_LEFT): Phase.LEFT,
    (Phase.JUDGING, Cause.HEDGE_STARTED): Phase.HEDGED,
    (Phase.JUDGING, Cause.ACCEPTED): Phase.COMMITTED,
    (Phase.JUDGING, Cause.ESCALATED): Phase.COMMITTED,
    (Phase.JUDGING, Cause.ESCALATED_TO_JUDGED): Phase.JUDGING,
    (Phase.JUDGING, Cause.READER_LEFT): Phase.LEFT,
    (Phase.HEDGED, Cause.HEDGE_LOST): Phase.JUDGING,
    (Phase.HEDGED, Cause.ACCEPTED): Phase.COMMITTED,
    (Phase.HEDGED, Cause.ESCALATED): Phase.COMMITTED,
    (Phase.HEDGED, Cause.ESCALATED_TO_JUDGED): Phase.JUDGING,
    (Phase.HEDGED, Cause.READER_LEFT): Phase.LEFT,
    (Phase.COMMITTED, Cause.FELL_BACK): Phase.COMMITTED,
    (Phase.COMMITTED, Cause.CONTINUED): Phase.COMMITTED,
    (Phase.COMMITTED, Cause.ANSWERED): Phase.FINISHED,
    (Phase.COMMITTED, Cause.BROKE): Phase.FAILED,
    (Phase.COMMITTED, Cause.EXHAUSTED): Phase.FAILED,
    (Phase.COMMITTED, Cause.READER_LEFT): Phase.LEFT,
}
"""Every change of phase there is. README's diagram is drawn from it."""

OVER = frozenset({Phase.FINISHED, Phase.FAILED, Phase.LEFT})


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {Phase.IDLE}"]
    lines += [f"    {before} --> {after}: {cause}" for (before, cause), after in TABLE.items()]
    lines += [f"    {phase} --> [*]" for phase in Phase if phase in OVER]
    return "\n".join(lines)

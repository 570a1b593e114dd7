"""What to do: the outputs of a `Cascade`, in the imperative. The driver executes them in order."""

from __future__ import annotations

from streamroute.core.types import Confidence, Delta, Leg, Sample, Verdict
from streamroute.core.values import value


@value
class StartAnswer:
    """`prefix` is text on the reader's screen that the answer is to go on from."""

    leg: Leg
    prefix: str = ""


@value
class StartProbes:
    """Start these probes of one tier together: one request with `n` choices where the upstream can."""

    legs: tuple[Leg, ...]


@value
class CancelLeg:
    """The upstream of this leg must see the close now."""

    leg: Leg
    reason: str


@value
class Score:
    """Ask the judge. At most one is in flight; `expected` is the number of samples there may be in the end.
    `confidence` is what the upstream said of the answer's tokens, None where it said nothing. After `deadline`, on the
    clock of the events, the route is decided by what is known, and evidence is of no more use."""

    tier: int
    answer: str
    answer_finished: bool
    samples: tuple[Sample, ...]
    expected: int
    confidence: Confidence | None = None
    deadline: float | None = None


@value
class Emit:
    """Show this to the reader."""

    tier: int
    delta: Delta


@value
class Retract:
    """All that was shown since the start or the last retraction, last of `tier`, is withdrawn."""

    tier: int
    reason: str


@value
class Append:
    """What follows comes from tier `to`; what was shown of `tier` stays, marked as superseded."""

    tier: int
    to: int
    reason: str


@value
class Continue:
    """What was shown of `tier` stays, and what follows is tier `to`'s continuation of it: the seam is after the first
    `at` characters of the answer."""

    tier: int
    to: int
    at: int
    reason: str


@value
class Commit:
    """From here on the answer is `tier`'s and nothing else can happen to it but its end. Said once, at the latest just
    before the first content that is kept; and once more where another tier goes on with an answer that broke off."""

    tier: int
    verdict: Verdict


@value
class Finish:
    tier: int
    finish_reason: str


@value
class Fail:
    """No answer, or no more of it. `causes` are the errors of all legs that failed, `shown` whether content was out."""

    causes: tuple[tuple[Leg, Exception], ...]
    shown: bool


ReaderAction = Emit | Retract | Append | Continue | Commit | Finish | Fail
Action = StartAnswer | StartProbes | CancelLeg | Score | ReaderAction

"""What a request costs that was cut off."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ("Billing", "CancelBilling")

Billing = Literal["generated", "full", "unknown"]


@dataclass(slots=True)
class CancelBilling:
    """How an upstream bills a request that is cancelled: what it `generated` until then, or the `full` answer, whose
    length is estimated by the mean of those that ended, in this process, answers and probes apart. What is `unknown` is
    counted like `generated`. One for each upstream: it learns.
    """

    by: Billing = "generated"
    _ended: dict[bool, tuple[int, int]] = field(default_factory=dict)

    def ended(self, completion_tokens: int, *, probe: bool) -> None:
        """A request came to its end."""
        total, count = self._ended.get(probe, (0, 0))
        self._ended[probe] = (total + completion_tokens, count + 1)

    def tokens(self, generated: int, *, probe: bool) -> int:
        """The completion tokens that a request is charged for which was cut off after `generated`. As long as none has
        ended, nothing better is known than those."""
        total, count = self._ended.get(probe, (0, 0))
        return max(generated, round(total / count)) if self.by == "full" and count else generated

"""Files of JSON Lines that only grow: what is kept to calibrate by."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamroute.routing.tiers import question_of
from streamroute.upstreams.base import Message

__all__ = ("Journal", "known_again")


@dataclass(frozen=True, slots=True)
class Journal:
    """JSON Lines that only grow; a file that is None is not written. A line is one write, so a process that is killed
    leaves whole lines, and several may write the same file."""

    records: Path | None = None
    feedback: Path | None = None

    @staticmethod
    def append(path: Path, line: bytes) -> None:
        """One JSON object. Raises OSError."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line + b"\n")
        finally:
            os.close(handle)


def known_again(messages: Sequence[Message]) -> str:
    """What stands for the question where its text must not."""
    return hashlib.blake2b(question_of(messages).encode(errors="replace"), digest_size=16).hexdigest()

"""Files of JSON Lines that only grow: what is kept to calibrate by."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

__all__ = ("Journal",)


@dataclass(frozen=True, slots=True)
class Journal:
    """JSON Lines that only grow; a file that is None is not written. A line is one write, so a process that is killed
    leaves whole lines, and several may write the same file."""

    records: Path | None = None
    feedback: Path | None = None

    @staticmethod
    def append(path: Path, row: Mapping[str, Any]) -> None:
        """Raises OSError."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, msgspec.json.encode(row) + b"\n")
        finally:
            os.close(handle)

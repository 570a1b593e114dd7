"""Disjoint splits of records: what is fitted, what sets the threshold and what certifies it must not know each other
(METHOD 6.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from streamroute.calibration.records import Record

__all__ = ("Splits", "split")


class Splits(NamedTuple):
    """`fit` teaches the weights of the score, `calibrate` its probabilities and the threshold, `held_out` certifies."""

    fit: list[Record]
    calibrate: list[Record]
    held_out: list[Record]


def split(records: Sequence[Record], shares: tuple[float, float, float], *, seed: int = 0) -> Splits:
    """Three parts of about these shares, which sum to 1. Records of one group are in one part.

    Which part depends on the group's name and the seed alone up to the cuts, not on the order of the records. Raises
    ValueError for shares that are none.
    """
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"shares must be at least 0 and sum to 1, not {shares}")
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.group, []).append(record)
    parts = Splits([], [], [])
    taken = 0
    for name in sorted(groups, key=lambda name: _draw(name, seed)):
        middle = (taken + len(groups[name]) / 2) / len(records)
        taken += len(groups[name])
        part = 0 if middle <= shares[0] else 1 if middle <= shares[0] + shares[1] else 2
        parts[part].extend(groups[name])
    return parts


def _draw(name: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}|{name}".encode(errors="surrogatepass"), digest_size=16).digest()

"""All cluster sizes that n texts can have."""

from __future__ import annotations


def partitions(n: int, most: int | None = None) -> list[tuple[int, ...]]:
    """The partitions of n into parts of at most `most`, each from large to small."""
    if n == 0:
        return [()]
    return [(k, *rest) for k in range(min(n, most or n), 0, -1) for rest in partitions(n - k, k)]

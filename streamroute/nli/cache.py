"""What the judge has compared before, and need not again."""

from __future__ import annotations

from collections import OrderedDict

from streamroute.uncertainty.base import Pair, Relations

__all__ = ("RelationCache",)

# A key lives as long as its entry: answers of a megabyte must not fill the memory of a gateway.
KEPT_CHARACTERS = 2_000


class RelationCache:
    """The relations of the last `size` pairs that were of use, in either order of their texts; 0 keeps none. Pairs of
    more than `KEPT_CHARACTERS` characters are not kept. Not safe to call from two threads at once.

    Raises ValueError on a negative size.
    """

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"cached must not be negative: {size}")
        self._size = size
        self._entries: OrderedDict[Pair, Relations] = OrderedDict()

    def get(self, pair: Pair) -> Relations | None:
        if pair in self._entries:
            self._entries.move_to_end(pair)
            return self._entries[pair]
        swapped = pair.swapped()
        if swapped in self._entries:
            self._entries.move_to_end(swapped)
            return self._entries[swapped].swapped()
        return None

    def put(self, pair: Pair, relations: Relations) -> None:
        """For a pair that `get` does not know."""
        if sum(map(len, pair)) > KEPT_CHARACTERS:
            return
        self._entries[pair] = relations
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

"""Pairs of texts as rows of token ids: what a model of one or of two directions reads. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from streamroute.uncertainty.base import Pair

__all__ = ("BATCH_TOKENS", "PairEncoder", "Row", "batches")

# Only the first hundred or so tokens are ever read, but the tokenizer's time grows with all of them (two seconds for a
# megabyte): so texts are cut before it, far beyond what can fit.
TEXT_CHARACTERS = 4_000
CONTEXT_CHARACTERS = 2_000

BATCH_TOKENS = 1_024
"""Padded tokens of one run of a model: bounds how long an urgent pair waits for the run before it."""
_BUCKETS = (32, 64, 96, 128, 192, 256, 384, 512)


class Row(NamedTuple):
    """One row of a model's input, without padding: token ids, and the segment of each."""

    ids: list[int]
    types: list[int]


class PairEncoder:
    """Lays pairs out for a model of `directions`, in rows of at most `max_tokens`.

    1: two rows a pair, `a` before `b` and `b` before `a`, the context before both texts (segments 0 and 1)::

        [CLS] context a [SEP] context b [SEP]

    2: one row a pair, the context a segment of its own (2), left out with its [SEP] where it is empty::

        [CLS] context [SEP] a [SEP] b [SEP]

    What does not fit is cut from the beginning of the context, for a question says at its end what it asks; then from
    the end of the longer text, so that neither falls below half of the room unless it is shorter.
    `tokenise` gives the ids of one text, without special tokens; any string that reaches it is valid Unicode.
    """

    def __init__(
        self, tokenise: Callable[[str], Sequence[int]], *, cls: int, sep: int, directions: int, max_tokens: int
    ) -> None:
        self._tokenise = tokenise
        self._cls = cls
        self._sep = sep
        self._directions = directions
        self._max_tokens = max_tokens

    def rows(self, pairs: Sequence[Pair]) -> list[Row]:
        """The rows of all pairs, in order: `2 // directions` a pair. Each different text is tokenised once."""
        contexts = {text: self._ids(text[-CONTEXT_CHARACTERS:]) for text in {pair.context for pair in pairs}}
        texts = {text: self._ids(text[:TEXT_CHARACTERS]) for text in {text for pair in pairs for text in pair[1:]}}
        lay_out = self._two_rows if self._directions == 1 else self._one_row
        return [row for c, a, b in pairs for row in lay_out(contexts[c], texts[a], texts[b])]

    def _ids(self, text: str) -> Sequence[int]:
        # Half a surrogate pair, which JSON may well hold, is no text to a tokenizer; two halves are a character.
        return self._tokenise(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))

    def _two_rows(self, context: Sequence[int], a: Sequence[int], b: Sequence[int]) -> list[Row]:
        room = self._max_tokens - 3
        a, b = _cut(a, b, room)
        context = _tail(context, (room - len(a) - len(b)) // 2)
        a, b = [*context, *a], [*context, *b]
        return [self._join((a, 0), (b, 1)), self._join((b, 0), (a, 1))]

    def _one_row(self, context: Sequence[int], a: Sequence[int], b: Sequence[int]) -> list[Row]:
        a, b = _cut(a, b, self._max_tokens - 3)
        context = _tail(context, self._max_tokens - 4 - len(a) - len(b))
        return [self._join((context, 2), (a, 0), (b, 1)) if context else self._join((a, 0), (b, 1))]

    def _join(self, *parts: tuple[Sequence[int], int]) -> Row:
        row = Row([self._cls], [0])
        for ids, segment in parts:
            row.ids.extend((*ids, self._sep))
            row.types.extend([segment] * (len(ids) + 1))
        return row


def _cut(a: Sequence[int], b: Sequence[int], room: int) -> tuple[Sequence[int], Sequence[int]]:
    """Both texts within `room`: the longer loses its end, at most down to the half that is its own."""
    half = room // 2
    return a[: max(half, room - len(b))], b[: max(room - half, room - len(a))]


def _tail(ids: Sequence[int], room: int) -> Sequence[int]:
    return ids[-room:] if room > 0 else ()


def batches(lengths: Sequence[int], *, most: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Indices of rows that run together, the shortest first: of one bucket, for padding is pure loss, and of at most
    `most` tokens with their padding. A row longer than that runs alone."""
    batch: list[int] = []
    bucket = 0
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        fits = lengths[i] <= bucket and (len(batch) + 1) * lengths[i] <= most
        if batch and not fits:
            yield batch
            batch = []
        batch.append(i)
        bucket = next((b for b in _BUCKETS if lengths[i] <= b), lengths[i])
    if batch:
        yield batch

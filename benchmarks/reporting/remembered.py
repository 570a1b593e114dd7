"""A judge's model that remembers what it said, from one report to the next."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from streamroute.nli.batcher import BlockingModel
from streamroute.uncertainty.base import Pair, Relation, Relations

__all__ = ("Remembering",)

_Six = tuple[float, float, float, float, float, float]
_DECODER = msgspec.json.Decoder(dict[str, _Six])


class Remembering:
    """A `BlockingModel` that asks `load()`'s about each pair once. `path` keeps what it
    said, under the model's `identity`. `asked` counts the pairs that were new."""

    def __init__(self, load: Callable[[], BlockingModel], path: Path, identity: str) -> None:
        self._load = load
        self._path = path
        self._identity = identity
        self._model: BlockingModel | None = None
        self._known: dict[str, _Six] = _DECODER.decode(path.read_bytes()) if path.exists() else {}
        self.asked = 0

    def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
        keys = [self._key(pair) for pair in pairs]
        new = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in self._known}
        if new:
            if self._model is None:
                self._model = self._load()
            for key, found in zip(new, self._asked(self._model, list(new.values())), strict=True):
                self._known[key] = (*_three(found.forward), *_three(found.backward))
            self.asked += len(new)
        return [Relations(Relation(*self._known[key][:3]), Relation(*self._known[key][3:])) for key in keys]

    def _asked(self, model: BlockingModel, pairs: list[Pair]) -> list[Relations]:
        """Half of them by another thread: a model keeps one core busy, and most machines have more."""
        half = len(pairs) // 2
        with ThreadPoolExecutor(1) as other:
            rest = other.submit(model.relations, pairs[half:])
            return [*(model.relations(pairs[:half]) if half else ()), *rest.result()]

    def save(self) -> None:
        partial = self._path.with_name(f"{self._path.name}.partial")
        partial.write_bytes(msgspec.json.encode(self._known))
        partial.replace(self._path)

    def _key(self, pair: Pair) -> str:
        text = msgspec.json.encode([self._identity, *pair])
        return hashlib.blake2b(text, digest_size=16).hexdigest()


def _three(relation: Relation) -> tuple[float, float, float]:
    return relation.entailment, relation.neutral, relation.contradiction

"""A judge that is loaded when it is first needed: once, for all who wait, and closed if it came to be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from streamroute.errors import ModelFileError, ScorerError, ScorerOverloaded
from streamroute.nli.batcher import EntailmentWorker
from streamroute.nli.judge import lazy_model
from streamroute.nli.lazy import LazyModel
from streamroute.nli.manifest import bundled_manifest
from streamroute.uncertainty.base import Pair, Relation, Relations

PAIR = Pair("", "yes", "no")
SAID = Relations(Relation(0.1, 0.2, 0.7), Relation(0.1, 0.2, 0.7))


class Model:
    def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
        return [SAID for _ in pairs]


class Loading:
    """A load that goes on when it is let."""

    def __init__(self) -> None:
        self.times = 0
        self.begun = threading.Event()
        self.go = threading.Event()
        self.worker = EntailmentWorker(Model())

    def __call__(self) -> EntailmentWorker:
        self.times += 1
        self.begun.set()
        assert self.go.wait(30)
        return self.worker


async def test_all_who_ask_wait_for_one_load_and_one_who_leaves_takes_it_from_none() -> None:
    loading = Loading()
    model = LazyModel(loading)
    leaving, *staying = [asyncio.create_task(model.relations([PAIR])) for _ in range(3)]
    assert await asyncio.to_thread(loading.begun.wait, 30)
    leaving.cancel()
    await asyncio.wait([leaving])
    loading.go.set()
    assert await asyncio.gather(*staying) == [[SAID], [SAID]]
    assert loading.times == 1
    await model.aclose()
    with pytest.raises(ScorerOverloaded, match="closed"):
        await loading.worker.relations([Pair("", "a", "b")])


async def test_a_model_that_cannot_be_loaded_fails_those_who_judge_and_says_why() -> None:
    def load() -> EntailmentWorker:
        raise ModelFileError("judge.onnx: SHA-256 is another")

    model = LazyModel(load)
    for _ in range(2):
        with pytest.raises(ScorerError, match=r"could not be loaded: judge\.onnx: SHA-256 is another"):
            await model.relations([PAIR])
    with pytest.raises(ModelFileError):
        await model.loaded()
    await model.aclose()


async def test_one_that_was_never_asked_is_never_loaded_and_not_after_it_was_closed() -> None:
    loading = Loading()
    model = LazyModel(loading)
    await model.aclose()
    with pytest.raises(ScorerOverloaded, match="closed"):
        await model.relations([PAIR])
    assert loading.times == 0


async def test_closing_in_the_middle_of_a_load_closes_what_is_loaded() -> None:
    loading = Loading()
    model = LazyModel(loading)
    asking = asyncio.create_task(model.relations([PAIR]))
    assert await asyncio.to_thread(loading.begun.wait, 30)
    closing = asyncio.create_task(model.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    loading.go.set()
    await closing
    # It may have been asked before it was closed; it never hangs.
    await asyncio.wait([asking])
    with pytest.raises(ScorerOverloaded):
        await loading.worker.relations([PAIR._replace(a="other")])


async def test_a_file_of_another_size_or_none_is_refused_at_once_and_other_bytes_when_it_is_loaded(
    tmp_path: Path,
) -> None:
    original = bundled_manifest()
    manifest = tmp_path / original.name
    manifest.write_text(original.read_text())
    with pytest.raises(ModelFileError, match=r"int8\.onnx: missing"):
        async with lazy_model(manifest=manifest):
            pass
    onnx = next(original.parent.glob("*.onnx"))
    broken = bytearray(onnx.read_bytes())
    (tmp_path / onnx.name).write_bytes(broken[:-1])
    with pytest.raises(ModelFileError, match="bytes where the manifest says"):
        async with lazy_model(manifest=manifest):
            pass
    broken[1000] ^= 1
    (tmp_path / onnx.name).write_bytes(broken)
    with pytest.raises(ModelFileError, match=r"tokenizer\.json: missing"):
        async with lazy_model(manifest=manifest):
            pass
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    async with lazy_model(manifest=manifest) as model:
        with pytest.raises(ScorerError, match=r"could not be loaded: .* SHA-256 is"):
            await model.relations([PAIR])

"""The judge that comes with the package: semantic entropy over the bundled model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from streamroute.nli.batcher import EntailmentWorker
from streamroute.nli.lazy import LazyModel
from streamroute.nli.manifest import chosen_model
from streamroute.uncertainty.judge import SemanticEntropy

__all__ = ("bundled_judge", "bundled_model", "lazy_model")


@asynccontextmanager
async def bundled_model(*, model: str | None = None, manifest: Path | None = None) -> AsyncGenerator[EntailmentWorker]:
    """The bundled NLI model, or `model` of a `manifest`, for any number of judges.

    Loads it off the event loop, and ends its worker thread when the context is left. Raises `ModelFileError`.
    """
    worker = await asyncio.to_thread(_load, model, manifest)
    try:
        yield worker
    finally:
        await worker.aclose()


@asynccontextmanager
async def lazy_model(*, model: str | None = None, manifest: Path | None = None) -> AsyncGenerator[LazyModel]:
    """`bundled_model`, loaded when it is first asked for or waited for.

    Raises `ModelFileError` at once where a file is missing or has another size than the manifest says; that its bytes
    are the right ones is seen when it is loaded.
    """
    chosen_model(model, manifest).present()
    lazy = LazyModel(lambda: _load(model, manifest))
    try:
        yield lazy
    finally:
        await lazy.aclose()


@asynccontextmanager
async def bundled_judge(
    *, model: str | None = None, manifest: Path | None = None, **settings: Any
) -> AsyncGenerator[SemanticEntropy]:
    """A `SemanticEntropy` over the bundled NLI model, or over `model` of a `manifest`; `settings` are its own.

    One judge serves any number of routers; it is closed when the context is left. Raises `ModelFileError`.
    """
    async with bundled_model(model=model, manifest=manifest) as worker:
        yield SemanticEntropy(worker, **settings)


def _load(model: str | None, manifest: Path | None) -> EntailmentWorker:
    from streamroute.nli.model import load_bundled  # onnxruntime: only for those who judge

    return load_bundled(model, manifest=manifest)

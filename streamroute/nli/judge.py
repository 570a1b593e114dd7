"""The judge that comes with the package: semantic entropy over the bundled model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from streamroute.nli.batcher import EntailmentWorker
from streamroute.uncertainty.judge import SemanticEntropy

__all__ = ("bundled_judge", "bundled_model")


@asynccontextmanager
async def bundled_model(*, model: str | None = None, manifest: Path | None = None) -> AsyncGenerator[EntailmentWorker]:
    """The bundled NLI model, or `model` of a `manifest`, for any number of judges.

    Loads it off the event loop, and ends its worker thread when the context is left. Raises `ModelFileError`.
    """
    from streamroute.nli.model import load_bundled  # onnxruntime: only for those who judge

    worker = await asyncio.to_thread(load_bundled, model, manifest=manifest)
    try:
        yield worker
    finally:
        await worker.aclose()


@asynccontextmanager
async def bundled_judge(
    *, model: str | None = None, manifest: Path | None = None, **settings: Any
) -> AsyncGenerator[SemanticEntropy]:
    """A `SemanticEntropy` over the bundled NLI model, or over `model` of a `manifest`; `settings` are its own.

    One judge serves any number of routers; it is closed when the context is left. Raises `ModelFileError`.
    """
    async with bundled_model(model=model, manifest=manifest) as worker:
        yield SemanticEntropy(worker, **settings)

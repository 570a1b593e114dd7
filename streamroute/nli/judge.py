"""The judge that comes with the package: semantic entropy over the bundled model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from streamroute.uncertainty.judge import SemanticEntropy

__all__ = ("bundled_judge",)


@asynccontextmanager
async def bundled_judge(
    *, model: str | None = None, manifest: Path | None = None, **settings: Any
) -> AsyncGenerator[SemanticEntropy]:
    """A `SemanticEntropy` over the bundled NLI model, or over `model` of a `manifest`; `settings` are its own.

    Loads the model off the event loop, and ends its worker thread when the context is left. One judge serves any
    number of routers. Raises `ModelFileError`.
    """
    from streamroute.nli.model import load_bundled  # onnxruntime: only for those who judge

    worker = await asyncio.to_thread(load_bundled, model, manifest=manifest)
    try:
        yield SemanticEntropy(worker, **settings)
    finally:
        await worker.aclose()

"""A judge's model that is loaded beside what else happens, and waited for only by those who ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from streamroute.errors import ScorerError, ScorerOverloaded
from streamroute.nli.batcher import EntailmentWorker
from streamroute.uncertainty.base import Pair, Relations

__all__ = ("LazyModel",)


class LazyModel:
    """An `EntailmentModel` of one event loop. `load` gives the worker, blocks, and runs once, in a thread: when
    `loaded` or `relations` is first awaited."""

    def __init__(self, load: Callable[[], EntailmentWorker]) -> None:
        self._load = load
        self._loading: asyncio.Task[EntailmentWorker] | None = None
        self._closed = False

    async def loaded(self) -> EntailmentWorker:
        """The worker, once it is there. Raises what `load` raised, whenever it is asked for again."""
        if self._loading is None:
            if self._closed:
                raise ScorerOverloaded("the judge is closed")
            self._loading = asyncio.create_task(asyncio.to_thread(self._load))
        # A caller that is cancelled must not take the model from the others.
        return await asyncio.shield(self._loading)

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        """As the worker's. Raises `ScorerError` for a model that cannot be loaded, too."""
        try:
            worker = await self.loaded()
        except ScorerError:
            raise
        except Exception as error:  # onnxruntime itself may be missing or broken
            raise ScorerError(f"the judge could not be loaded: {error}") from error
        return await worker.relations(pairs, deadline=deadline)

    async def aclose(self) -> None:
        """Waits for a load that runs, then closes the worker. Idempotent."""
        self._closed = True
        loading, self._loading = self._loading, None
        if loading is None:
            return
        await asyncio.wait([loading])
        if not loading.cancelled() and loading.exception() is None:
            await loading.result().aclose()

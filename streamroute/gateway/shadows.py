"""Shadow routes beside the live ones: which requests, how many at once, and where their records go."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from anyio.abc import TaskGroup

from streamroute.calibration.records import encode_record
from streamroute.calibration.thresholds import dice_of
from streamroute.config.compose import ServedRoute
from streamroute.errors import StreamrouteError
from streamroute.gateway.errors import logged
from streamroute.gateway.journal import Journal, known_again
from streamroute.gateway.log import Logger
from streamroute.gateway.process.generation import Generation, Generations
from streamroute.routing.shadow import Shadow
from streamroute.upstreams.base import Message

__all__ = ("Shadows",)

AT_ONCE = 4


class Shadows:
    """Runs in the server's task group, whose end ends it. What it is served by stays open for it in `generations`."""

    def __init__(self, group: TaskGroup, journal: Journal, log: Logger, generations: Generations | None = None) -> None:
        self._group = group
        self._generations = generations
        self._journal = journal
        self._log = log
        self.running = 0

    def consider(self, served: ServedRoute, messages: Sequence[Message], params: Mapping[str, Any], id: str) -> None:
        """Shadow the request with this reply's id, if its dice say so and not too many are under way."""
        if served.shadow is not None and self.picks(served, id):
            self.running += 1
            entered = None if self._generations is None else self._generations.enter_behind()
            self._group.start_soon(self._run, served.shadow, entered, tuple(messages), dict(params), id, name="shadow")

    def picks(self, served: ServedRoute, id: str) -> bool:
        """Whether the request with this reply's id would be shadowed now."""
        if served.shadow is None or self.running >= AT_ONCE:
            return False
        return dice_of(b"shadow " + id.encode()) < served.settings.shadow

    async def _run(
        self,
        shadow: Shadow,
        entered: Generation | None,
        messages: Sequence[Message],
        params: Mapping[str, Any],
        id: str,
    ) -> None:
        try:
            record = await shadow.record(f"{id}-shadow", messages, params)
            if record is not None and self._journal.records is not None:
                self._journal.append(
                    self._journal.records, encode_record(dataclasses.replace(record, group=known_again(messages)))
                )
        except (StreamrouteError, OSError) as error:  # nobody waits for it
            self._log.warning("shadow", of=id, error=logged(error))
        except Exception:  # a bug must not end the server's task group
            self._log.exception("shadow", of=id)
        finally:
            self.running -= 1
            if self._generations is not None and entered is not None:
                self._generations.leave(entered)

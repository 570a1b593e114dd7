"""The bytes of one reply over aiohttp, with the deadlines of its phases."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from streamroute.errors import UpstreamError, UpstreamProtocolError, UpstreamTimeoutError
from streamroute.upstreams._answer import Phase, translated
from streamroute.upstreams._border import Border
from streamroute.upstreams._watchdog import Watchdog
from streamroute.wire.errors import WireError

__all__ = ("WAITING_FOR", "Body", "Timeouts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each phase of a request may take, in seconds.

    `connect`: name look-up, TCP and TLS. `first`: from the start of the request until the answer says something; a
    keep-alive or an empty delta says nothing. `between`: until it says more; counts from when more is asked for, as a
    slow reader is not the model's fault. `tail`: for the usage, once every choice has finished; then the answer ends
    without. `total`: all of it.
    """

    connect: float = 5.0
    first: float = 60.0
    between: float = 30.0
    tail: float = 2.0
    total: float = 600.0


WAITING_FOR: Final[Mapping[Phase, str]] = {
    "first": "waiting for the first token",
    "between": "waiting for the next token",
    "tail": "waiting for the end",
}
_BROKE_OFF: Final = "the connection broke off in the answer"
_LINGER: Final = 0.05
"""Seconds to wait, after `[DONE]`, for the end of the reply that makes its connection usable again."""


class Body:
    """The bytes of one reply, at most `most`, with the deadlines of the phases."""

    __slots__ = (
        "_border",
        "_content",
        "_deadline",
        "_left",
        "_loop",
        "_most",
        "_phase",
        "_total",
        "_waits",
        "_watchdog",
        "response",
    )

    def __init__(
        self, response: aiohttp.ClientResponse, border: Border, timeouts: Timeouts, began: float, most: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.response = response
        self._content = response.content
        self._border = border
        self._waits: Mapping[Phase, float] = {
            "first": timeouts.first,
            "between": timeouts.between,
            "tail": timeouts.tail,
        }
        self._total = began + timeouts.total
        self._most = self._left = most
        self._phase: Phase = "first"
        self._deadline = min(began + timeouts.first, self._total)
        self._watchdog = Watchdog(self._loop, self._expire)

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def content_type(self) -> str:
        return self.response.headers.get("Content-Type", "")

    def expect(self, phase: Phase) -> None:
        self._phase = phase
        deadline = self._loop.time() + self._waits[phase]
        self._deadline = min(self._total, deadline)

    async def receive(self) -> bytes:
        self._watchdog.arm(self._deadline)
        try:
            data = await self._content.readany()
        except TimeoutError as error:
            what = "in total" if self._deadline == self._total else WAITING_FOR[self._phase]
            raise self._border.error(UpstreamTimeoutError, f"timed out {what}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._border.translated(error, broke_off=_BROKE_OFF) from error
        finally:
            self._watchdog.disarm()
        self._left -= len(data)
        if self._left < 0:
            raise self._border.error(UpstreamProtocolError, f"sent more than {self._most} bytes")
        return data

    async def whole(self) -> bytes:
        """All that there is; of an error without our secrets. Raises `UpstreamError`."""
        blocks: list[bytes] = []
        while data := await self.receive():
            blocks.append(data)
        said = b"".join(blocks)
        if self.status < 300:
            return said
        return self._border.redact(said.decode("utf-8", "replace")).encode()

    def fault(self, error: WireError) -> UpstreamError:
        """What is wrong with the bytes, as an error of this upstream's."""
        return translated(error, self._border.redact(str(error)), upstream=self._border.name)

    async def finish(self) -> None:
        """Read on to the end of the reply if it is near, so that its connection can serve again."""
        self._deadline = min(self._loop.time() + _LINGER, self._total)
        with contextlib.suppress(UpstreamError):
            while await self.receive():
                pass

    def close(self) -> None:
        self._watchdog.close()
        self.response.close()

    def _expire(self) -> None:
        self._content.set_exception(TimeoutError())

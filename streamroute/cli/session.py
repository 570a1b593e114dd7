"""One route, watched: runs it and keeps the view, the trace and the display in step."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import anyio
from rich.console import Console
from rich.live import Live

from streamroute.cli.render import plain_lines, screen
from streamroute.cli.view import RouteView
from streamroute.core.actions import Action
from streamroute.core.events import Event
from streamroute.core.trace import Trace
from streamroute.core.types import Release
from streamroute.routing.router import Router
from streamroute.routing.stream import Route
from streamroute.upstreams.base import Message

__all__ = ("Display", "LiveDisplay", "PlainDisplay", "Silent", "Watched", "display_for", "watch")


class Display(Protocol):
    """Shows how one view becomes the next."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def update(self, before: RouteView, after: RouteView) -> None: ...


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def update(self, before: RouteView, after: RouteView) -> None:
        return None


class PlainDisplay(Silent):
    """A line for each thing that happens, for files and pipes."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def update(self, before: RouteView, after: RouteView) -> None:
        for line in plain_lines(before, after):
            self._write(line)


class LiveDisplay(Silent):
    """Redraws the whole view in place; its last state stays on the screen."""

    def __init__(self, console: Console) -> None:
        self._view: RouteView | None = None
        self._live = Live(
            console=console,
            refresh_per_second=15,
            vertical_overflow="visible",
            get_renderable=lambda: "" if self._view is None else screen(self._view),
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def update(self, before: RouteView, after: RouteView) -> None:
        self._view = after


@dataclass(frozen=True, slots=True)
class Watched:
    """A finished route with all that was seen of it."""

    question: str
    route: Route
    view: RouteView
    trace: Trace

    def to_dict(self) -> dict[str, Any]:
        """The object of `ask --json`; `ask.schema.json` describes it."""
        route, evidence = self.route, self.route.evidence
        return {
            "question": self.question,
            "answer": route.answer,
            "finish_reason": route.finish_reason,
            "tier": route.tier,
            "tier_name": route.tier_name,
            "verdict": None if route.verdict is None else str(route.verdict.decision),
            "reason": None if route.verdict is None else route.verdict.reason,
            "retracted": route.retracted,
            "score": None if evidence is None else evidence.score,
            "score_bounds": None if evidence is None else [evidence.low, evidence.high],
            "features": None if evidence is None or evidence.features is None else asdict(evidence.features),
            "entropy": None if evidence is None else evidence.entropy,
            "clusters": [
                {"size": cluster.size, "has_answer": cluster.has_answer, "texts": list(cluster.texts)}
                for cluster in self.view.clusters
            ],
            "probes": [
                {"tier": probe.leg.tier, "state": str(probe.state), "text": probe.text, "cluster": probe.cluster}
                for probe in self.view.probes
            ],
            "legs": [{**leg.to_dict(), "text": leg.text} for leg in route.legs],
            "timings": route.timings.to_dict(),
            "trace": json.loads(self.trace.dumps()),
        }


async def watch(
    router: Router,
    messages: Sequence[Message],
    *,
    display: Display,
    params: Mapping[str, Any] | None = None,
    release: Release | None = None,
) -> Watched:
    """Route `messages` to the end. Raises what the route or the display raises, with nothing running."""
    question = str(messages[-1].get("content", ""))
    view = RouteView(
        question=question,
        tier_names=tuple(tier.label for tier in router.tiers),
        release=release or router.plan.release,
        limit=router.plan.policy.score_limit,
    )
    trace = Trace()

    broken: Exception | None = None

    def observe(at: float, event: Event, actions: tuple[Action, ...]) -> None:
        nonlocal view, broken
        trace.events.append((at, event))
        before, view = view, view.after(at, event, actions)
        try:
            display.update(before, view)
        except Exception as error:  # a reader of our output that has gone: not the route's fault, but its end
            broken = error
            scope.cancel()

    with display, anyio.CancelScope() as scope:
        async with router.stream(messages, params=params, release=release, observer=observe) as stream:
            async for _ in stream:
                pass
    if broken is not None:
        raise broken
    return Watched(question, stream.route, view, trace)


def display_for(console: Console) -> Display:
    if console.is_terminal:
        return LiveDisplay(console)
    return PlainDisplay(lambda line: print(line, file=console.file, flush=True))

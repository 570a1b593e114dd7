"""`Router`: an ordered list of tiers, a judge and a policy; one route for each request."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import anyio

from streamroute.calibration.thresholds import dice_of
from streamroute.core.hedge import HedgeRule
from streamroute.core.plan import AutoRelease, Plan
from streamroute.core.policy import Policy, Threshold
from streamroute.core.types import Decision, Evidence, Release
from streamroute.errors import BadRequestError, ConfigError, RouteError
from streamroute.routing._driver import Driver
from streamroute.routing.prerouter import PreRouter, Step
from streamroute.routing.stream import LegHeaders, Observer, Reply, Route, StreamEvent
from streamroute.routing.tiers import Price, ProbePlan, Tier
from streamroute.uncertainty.base import Scorer
from streamroute.upstreams.base import Message

__all__ = ("Pacer", "Price", "ProbePlan", "RoutedStream", "Router", "Tier")


class RoutedStream:
    """The events of one route, to be iterated once. Raises `RouteError` when no leg could finish the answer."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._failure: RouteError | None = None

    @property
    def route(self) -> Route:
        """What the route did so far; complete when the iteration has ended or the context is left."""
        return self._driver.route

    @property
    def plan(self) -> Plan:
        """The settings of this route as the core sees them."""
        return self._driver.plan

    def note(self, fields: Mapping[str, Any]) -> None:
        """Put a `Noted` into the stream: for the route's observer, whose notes on what was decided come before the
        events that show it. Nothing where nobody reads any more."""
        self._driver.note(fields)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamEvent:
        item = await self._driver.items.get()
        if item is None:
            if self._failure is not None:
                raise self._failure
            raise StopAsyncIteration
        self._driver.taken()
        if isinstance(item, RouteError):  # told at the end, which follows at once: then the record is complete
            self._failure = item
            return await self.__anext__()
        return item

    def ready(self) -> StreamEvent | None:
        """The next event if it is there already: for readers who write several at once."""
        item = self._driver.items.get_nowait()
        if item is None:
            return None
        self._driver.taken()
        if isinstance(item, RouteError):
            self._failure = item
            return None
        return item


class Pacer(Protocol):
    """Chooses the policy of each request by what became of those before it. One router's own: it has a state."""

    def policy(self) -> Policy:
        """That of the next request."""
        ...

    def settle(self, evidence: Evidence, *, escalated: bool, cost: float) -> None:
        """A judged request is over, or its reader left after the verdict. `cost` is of all its legs."""
        ...


class Router:
    """Routes chats over `tiers`, the cheapest first.

    An async context manager: leaving it closes the upstreams it was given, unless `closes_upstreams` is False. `policy`
    turns the evidence of `scorer` into verdicts; `release` says what a reader may see before the verdict;
    `decision_deadline` is in seconds from the start of a judged tier, and `on_timeout` the verdict when it passes.
    `on_uncertain` is the verdict when the judge fails or every probe does. `hedge_after` starts the next tier, unseen,
    that many seconds into an undecided route, `hedge` when it is worth it. `auto` says how `Release.AUTO` chooses. With
    `insurance` a smaller answer that loses is cancelled only when the larger one speaks. `on_break` is what follows a
    kept answer that breaks off: with "continue" a larger tier that has `prefill` goes on from it. A `pacer` gives each
    request its policy instead of `policy`. `prerouter` may start a request that is to be judged from the first tier on
    at the second, or leave it unjudged.

    Raises `ConfigError` when a tier is to be judged and there is no scorer.
    """

    def __init__(
        self,
        tiers: Sequence[Tier],
        *,
        scorer: Scorer | None = None,
        policy: Policy | None = None,
        pacer: Pacer | None = None,
        release: Release = Release.HOLD,
        decision_deadline: float | None = 2.5,
        on_timeout: Decision = Decision.ACCEPT,
        on_uncertain: Decision = Decision.ACCEPT,
        hedge_after: float | None = None,
        hedge: HedgeRule | None = None,
        auto: AutoRelease | None = None,
        insurance: bool = False,
        on_break: Literal["fail", "continue"] = "fail",
        prerouter: PreRouter | None = None,
        closes_upstreams: bool = True,
        high_water: int = 64,
    ) -> None:
        self.tiers = tuple(tiers)
        self._scorer = scorer
        self._pacer = pacer
        self.prerouter = prerouter
        self._closes_upstreams = closes_upstreams
        self._high_water = high_water
        self._plan = Plan(
            tiers=tuple(tier.probes.schedule() if tier.probes else None for tier in self.tiers),
            policy=policy or (Threshold() if pacer is None else pacer.policy()),
            release=release,
            decision_deadline=decision_deadline,
            on_timeout=on_timeout,
            on_uncertain=on_uncertain,
            hedge_after=hedge_after,
            hedge=hedge,
            auto=auto or AutoRelease(),
            insurance=insurance,
            on_break=on_break,
            prefill=frozenset(index for index, tier in enumerate(self.tiers) if tier.prefill),
        )
        judged = [tier.label for tier in self.tiers[:-1] if tier.probes]
        if judged and scorer is None:
            raise ConfigError(f"tier {judged[0]!r} is probed, but the router has no scorer to judge the samples")
        names = [tier.label for tier in self.tiers]
        if len(set(names)) < len(names):
            raise ConfigError(f"tiers must have different names, not {names}")
        self._stack = AsyncExitStack()

    @property
    def plan(self) -> Plan:
        """The settings of a route as the core sees them."""
        return self._plan

    async def __aenter__(self) -> Self:
        if self._closes_upstreams:
            for upstream in {id(tier.upstream): tier.upstream for tier in self.tiers}.values():
                self._stack.push_async_callback(upstream.aclose)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def stream(
        self,
        messages: Sequence[Message],
        *,
        params: Mapping[str, Any] | None = None,
        release: Release | None = None,
        on_escalation: Release | None = None,
        start_tier: int = 0,
        judge: bool = True,
        probes: int | None = None,
        hedge: bool = True,
        observer: Observer | None = None,
        headers: LegHeaders | None = None,
    ) -> AsyncGenerator[RoutedStream]:
        """Route one chat. The context owns every upstream request of it: leaving it, for any reason, ends them all.

        `params` are further OpenAI request fields. `on_escalation` is what `Release.AUTO` may do to a shown answer.
        With `judge=False` the answer of `start_tier` is taken as it comes. `probes` is how many samples of a tier may
        be taken at most, at least 1; with `hedge=False` no larger tier is started early. `headers` gives those of each
        upstream request, such as whose it is. Raises `BadRequestError` for an empty conversation; failures of the route
        come out of the iteration.
        """
        if not messages:
            raise BadRequestError("messages must not be empty", param="messages")
        prior = None
        if self.prerouter is not None and judge and start_tier == 0 and len(self.tiers) > 1:
            prior = self.prerouter.route(messages, params or {})
            start_tier = int(prior.decision is Step.SKIP_CHEAP)
            judge = prior.decision is not Step.SKIP_PROBES
        plan = self._plan_of(
            messages, params, release=release, on_escalation=on_escalation, start_tier=start_tier, judge=judge
        )
        plan = _shortened(plan, probes=probes, hedge=hedge)
        if prior is not None and prior.decision is not Step.JUDGE:
            plan = dataclasses.replace(plan, unjudged=f"prerouter: {prior.reason}")
        driver = Driver(
            self.tiers,
            plan,
            self._scorer,
            messages,
            params or {},
            observer=observer,
            high_water=self._high_water,
            headers=headers,
        )
        driver.route.prior = prior
        raised: BaseException | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(driver.run, name="route")
                try:
                    yield RoutedStream(driver)
                except BaseException as error:
                    raised = error
                    raise
                finally:
                    group.cancel_scope.cancel("reader left")
        except BaseExceptionGroup as errors:
            # The task group wraps what the reader's own code raised; readers get back what they threw.
            if raised is not None and errors.exceptions == (raised,):
                raise raised from raised.__cause__
            raise
        finally:
            self._settle(driver.route, start_tier)

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        params: Mapping[str, Any] | None = None,
        start_tier: int = 0,
        judge: bool = True,
        observer: Observer | None = None,
    ) -> Reply:
        """The whole answer at once, by the same machine. Raises `RouteError` when no leg could finish it."""
        stream = self.stream(
            messages,
            params=params,
            release=Release.HOLD,
            start_tier=start_tier,
            judge=judge,
            observer=observer,
        )
        async with stream as events:
            async for _ in events:
                pass
        return Reply(events.route.answer, events.route)

    def _plan_of(
        self,
        messages: Sequence[Message],
        params: Mapping[str, Any] | None,
        *,
        release: Release | None,
        on_escalation: Release | None,
        start_tier: int,
        judge: bool,
    ) -> Plan:
        if not 0 <= start_tier < len(self.tiers):
            raise BadRequestError(f"there is no tier {start_tier}", param="tier")
        auto = self._plan.auto
        if on_escalation is not None:
            auto = dataclasses.replace(auto, on_escalation=on_escalation)
        return dataclasses.replace(
            self._plan,
            release=release or self._plan.release,
            auto=auto,
            start_tier=start_tier,
            judge=judge,
            policy=self._plan.policy if self._pacer is None else self._pacer.policy(),
            dice=_dice(messages, params) if judge else self._plan.dice,
        )

    def _settle(self, route: Route, start_tier: int) -> None:
        if self._pacer is not None and route.evidence is not None and route.verdict is not None:
            escalated = route.verdict.decision is Decision.ESCALATE or (route.tier or 0) > start_tier
            self._pacer.settle(route.evidence, escalated=escalated, cost=route.cost)


def _shortened(plan: Plan, *, probes: int | None, hedge: bool) -> Plan:
    """The plan with no more probes of a tier than that, and perhaps without a hedge."""
    if probes is not None:
        tiers = tuple(
            schedule and dataclasses.replace(schedule, count=min(schedule.count, probes)) for schedule in plan.tiers
        )
        plan = dataclasses.replace(plan, tiers=tiers)
    return plan if hedge else dataclasses.replace(plan, hedge_after=None, hedge=None)


def _dice(messages: Sequence[Message], params: Mapping[str, Any] | None) -> float:
    """Of what is asked, so that the same request is decided the same way again."""
    return dice_of(json.dumps([list(messages), dict(params or {})], sort_keys=True, default=repr).encode())

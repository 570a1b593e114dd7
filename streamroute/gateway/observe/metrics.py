"""GET /metrics: the totals of the ledger and the state of this process, as Prometheus reads them."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from aiohttp import web

from streamroute.gateway.access.auth import require_board
from streamroute.gateway.keys import IN_FLIGHT, LEDGER, REPLIES, STARTED
from streamroute.gateway.ledger.entries import Total
from streamroute.gateway.observe.histograms import HISTOGRAMS, bound_text, histograms_of, part_of_histogram
from streamroute.gateway.observe.measures import COUNTERS

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ("metrics",)

_OPENMETRICS = "application/openmetrics-text"


async def metrics(request: web.Request) -> web.Response:
    """Counters and histograms are of all processes that share the ledger, since it was begun; gauges and replies are of
    the one process that answers, and bear its `pid`. Text format 0.0.4, or OpenMetrics 1.0 where `Accept` names it."""
    # Loaded when first asked for: it is no part of starting up.
    from prometheus_client.exposition import choose_encoder

    require_board(request)
    families = _Families(await request.app[LEDGER].totals(), _own(request.app))
    # The client's words choose, and are never part of the answer.
    encode, kind = choose_encoder(_OPENMETRICS if _OPENMETRICS in request.headers.get("Accept", "") else "")
    return web.Response(body=encode(families), headers={"Content-Type": kind, "Cache-Control": "no-store"})


class _Families:
    """What `prometheus_client` calls a collector: of one scrape, in no registry."""

    def __init__(self, totals: Sequence[Total], own: Iterable[Metric]) -> None:
        self._totals = totals
        self._own = own

    def collect(self) -> Iterator[Metric]:
        yield from _counters(self._totals)
        yield from _histograms(self._totals)
        yield from self._own


def _counters(totals: Sequence[Total]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    found: defaultdict[str, list[Total]] = defaultdict(list)
    for total in totals:
        if not part_of_histogram(total.name):
            found[total.name].append(total)
    for name in (*COUNTERS, *sorted(found.keys() - COUNTERS.keys())):
        labels = sorted({label for total in found[name] for label, _ in total.labels})
        family = CounterMetricFamily(name, COUNTERS.get(name, name), labels=labels)
        for total in found[name]:
            own = dict(total.labels)
            family.add_metric([own.get(label, "") for label in labels], total.value)
        yield family


def _histograms(totals: Sequence[Total]) -> Iterator[Metric]:
    from prometheus_client.core import HistogramMetricFamily

    found = histograms_of(totals)
    for name, (help_text, _) in HISTOGRAMS.items():
        family = HistogramMetricFamily(name, help_text, labels=["route"])
        for histogram in found:
            if histogram.name == name:
                buckets = [(bound_text(bound), count) for bound, count in histogram.buckets]
                family.add_metric([histogram.labels.get("route", "")], buckets, histogram.sum)
        yield family


def _own(app: web.Application) -> Iterator[Metric]:
    """What is of this process alone."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    in_flight, pid = app[IN_FLIGHT], [str(os.getpid())]
    replies = CounterMetricFamily(
        "streamroute_replies_total", "All replies, what was refused included.", labels=["pid", "status", "code"]
    )
    for (status, code), number in app[REPLIES].items():
        replies.add_metric([*pid, str(status), code], number)
    yield replies
    for name, help_text, value in (
        ("streamroute_in_flight", "Requests that are being answered.", len(in_flight)),
        ("streamroute_draining", "1 when no more requests are taken.", int(in_flight.draining)),
        ("streamroute_uptime_seconds", "Since this process began to serve.", time.monotonic() - app[STARTED]),
    ):
        family = GaugeMetricFamily(name, help_text, labels=["pid"])
        family.add_metric(pid, value)
        yield family
    yield InfoMetricFamily("streamroute_build", "What is served.", value={"version": version("streamroute")})

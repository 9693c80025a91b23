"""What all replicas tell Prometheus, in one page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.responses import Response

from myna.cluster.calls import Fleet

LABEL = "replica"
"""Tells the samples of the replicas apart."""
GATEWAY = "gateway"
"""What the label says of the process in front of them."""


async def merged(fleet: Fleet, own: CollectorRegistry, accept: str) -> Response:
    """The metrics of all replicas and the gateway's `own`, each sample with the label `replica`,
    in the form that the header `Accept` asks for."""
    own_page: bytes = await asyncio.to_thread(generate_latest, own)
    pages = {one.replica: one.metrics for one in await fleet.reports()}
    pages[GATEWAY] = own_page.decode("utf-8")
    encode, kind = choose_encoder(accept)
    body: bytes = await asyncio.to_thread(lambda: encode(together(pages)))
    return Response(body, media_type=kind)


def together(pages: Mapping[str, str]) -> CollectorRegistry:
    """A registry with the samples of pages in Prometheus' text format, by the replicas' names."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Pages(pages))
    return registry


class _Pages(Collector):
    def __init__(self, pages: Mapping[str, str]) -> None:
        self._pages = pages

    def describe(self) -> Iterable[Metric]:
        """Nothing: what there is, the pages tell."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """One family for each name."""
        families: dict[str, Metric] = {}
        for replica, page in sorted(self._pages.items()):
            for family in text_string_to_metric_families(page):
                kept = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                kept.samples += [
                    sample._replace(labels={**sample.labels, LABEL: replica})
                    for sample in family.samples
                ]
        return families.values()

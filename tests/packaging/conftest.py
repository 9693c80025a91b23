"""The checkout that the tests look at from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from myna.telemetry.metrics import Metrics

Row = tuple[str, str, tuple[str, ...]]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout's top folder."""
    return Path(__file__).resolve().parents[2]


def declared() -> list[Row]:
    """Every family that an app can show, by the name that it is shown under: type and labels."""
    metrics = Metrics()
    metrics.watch(lambda: None, lambda: 0)
    found: list[Row] = []
    for collector in metrics.registry._collector_to_names:
        own = getattr(collector, "_labelnames", ())
        for family in (*collector.collect(), *getattr(collector, "describe", list)()):
            suffix = "_total" if family.type == "counter" else ""
            labels = own or getattr(family, "_labelnames", ())
            labels = labels or tuple(family.samples[0].labels if family.samples else ())
            found.append((family.name + suffix, family.type, tuple(labels)))
    return found

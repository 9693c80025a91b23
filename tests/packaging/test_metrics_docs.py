"""docs/metrics.md, held against the metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from myna.stages import Stage
from myna.telemetry.metrics import Metrics
from myna.telemetry.record import ROUTES

Row = tuple[str, str, tuple[str, ...]]


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "metrics.md").read_text("utf-8")


def test_the_page_has_every_metric_with_its_type_and_labels_and_no_other(page: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*?) *\| \S", page, re.MULTILINE)
    documented = [
        (name, kind, tuple(label for label in labels.split(", ") if label))
        for name, kind, labels in rows
    ]
    assert len(documented) == len(set(documented))
    assert set(documented) == set(declared())


def declared() -> list[Row]:
    """Every family that an app can show, by the name that it is shown under."""
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


def test_the_page_has_every_stage_and_every_route(page: str) -> None:
    listed = re.findall(r"^\| `([\w-]+)` \| [a-z]", page, re.MULTILINE)
    assert set(get_args(Stage)) <= set(listed)
    assert all(f"`{route}`" in page for route in ROUTES)

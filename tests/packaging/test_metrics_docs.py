"""docs/metrics.md, held against the metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from myna.stages import Stage
from myna.telemetry.record import ROUTES

from .conftest import declared


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


def test_the_page_has_every_stage_and_every_route(page: str) -> None:
    listed = re.findall(r"^\| `([\w-]+)` \| [a-z]", page, re.MULTILINE)
    assert set(get_args(Stage)) <= set(listed)
    assert all(f"`{route}`" in page for route in ROUTES)

"""Every PromQL expression that we give away: it can be parsed, and asks for what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from myna.telemetry.record import ROUTES

from .conftest import declared

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS, METRICS = (
    (ROOT / "docs" / page).read_text("utf-8") for page in ("operations.md", "metrics.md")
)
OF_THE_SCRAPE = {"job", "instance", "namespace", "pod"}
"""Labels that Prometheus and Kubernetes give to what is scraped."""
KNOWN = {name: set(labels) for name, _, labels in declared()} | {"up": set[str]()}
VALUES = {
    "route": set(ROUTES),
    "reason": set(re.findall(r"^\| `(\w+)` \| (?:429|503) \|", METRICS, re.MULTILINE)),
}
"""Of labels that have few."""
ALERTS = {
    rule["alert"]: rule
    for block in re.findall(r"^```yaml\n(groups:\n.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
    for group in yaml.safe_load(block)["groups"]
    for rule in group["rules"]
}


def queries() -> Iterator[tuple[str, str]]:
    """All of them, by where they stand."""
    for name, rule in ALERTS.items():
        yield name, rule["expr"]
    to_ask = METRICS.partition("## To ask\n")[2]
    yield from re.findall(r"^    # (.+)\n    (.+)$", to_ask, re.MULTILINE)
    keda = (ROOT / "deploy" / "kubernetes" / "autoscaling" / "keda.yaml").read_text("utf-8")
    for trigger in yaml.safe_load(keda)["spec"]["triggers"]:
        yield "keda", trigger["metadata"]["query"]


QUERIES = dict(queries())


def selectors(expression: Any) -> Iterator[promql.VectorSelector]:
    """What an expression reads."""
    if isinstance(expression, promql.VectorSelector):
        yield expression
    for name in ("vector_selector", "expr", "param", "lhs", "rhs"):
        if (part := getattr(expression, name, None)) is not None:
            yield from selectors(part)
    for part in getattr(expression, "args", ()):
        yield from selectors(part)


def test_all_pages_have_theirs() -> None:
    assert {"MynaDown", "MynaMemory", "keda", "who uses it"} <= set(QUERIES)
    assert len(QUERIES) == 12


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_can_be_parsed_and_asks_for_metrics_and_labels_that_there_are(query: str) -> None:
    parsed = promql.parse(query)
    read = list(selectors(parsed))
    assert read
    labels = set[str]()
    for one in read:
        assert one.name is not None
        bare = re.sub("_(bucket|sum|count)$", "", one.name)
        found = KNOWN[one.name if one.name in KNOWN else bare]
        labels |= found | ({"le"} if one.name.endswith("_bucket") else set())
        for matcher in one.matchers.matchers:
            assert matcher.name in found | OF_THE_SCRAPE
            if matcher.name in VALUES:
                assert set(matcher.value.split("|")) <= VALUES[matcher.name]
    for grouped in re.findall(r"\bby \(([^)]*)\)", query):
        assert set(grouped.split(", ")) <= labels | OF_THE_SCRAPE


def test_a_query_that_makes_no_sense_would_be_found() -> None:
    for wrong in ("rate(myna_requests_total) > 0", "sum by (route) myna_requests_total", "sum("):
        with pytest.raises(ValueError):
            promql.parse(wrong)


@pytest.mark.parametrize("rule", ALERTS.values(), ids=ALERTS)
def test_an_alert_has_what_an_alert_has(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert {"alert", "expr", "annotations"} <= set(rule)
    if "for" in rule:
        assert promql.parse_duration(rule["for"]).total_seconds() >= 60
    assert re.search(r"[<>=]=? ?[\d.e]+$", rule["expr"]), "it compares with a bound"

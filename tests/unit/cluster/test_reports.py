"""The metrics of all replicas on one page."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from myna.cluster.reports import LABEL, together


def page(requests):
    registry = CollectorRegistry()
    Counter("myna_requests", "Requests.", ["route"], registry=registry).labels("speech").inc(
        requests
    )
    Histogram("myna_seconds", "Seconds.", registry=registry, buckets=(1,)).observe(requests)
    return generate_latest(registry).decode()


def test_every_sample_says_whose_it_is_and_every_family_is_there_once():
    merged = generate_latest(together({"a": page(1), "b": page(2)})).decode()
    assert merged.count("# TYPE myna_requests_total counter") == 1
    samples = {
        (sample.labels[LABEL], sample.name): sample.value
        for family in text_string_to_metric_families(merged)
        for sample in family.samples
    }
    assert samples["a", "myna_requests_total"] == 1
    assert samples["b", "myna_requests_total"] == 2
    assert samples["b", "myna_seconds_count"] == 1

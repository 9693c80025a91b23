"""What a server tells of itself: `/metrics`, and the times in its answers."""

from __future__ import annotations

import json
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

PATH = "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def told_server(launch):
    """With a log for machines."""
    return launch("told", "--stt", "fake", "--tts", "fake", "--log-format", "json")


def samples(server, path="/metrics"):
    reply = server.get(path)
    assert (reply.status, reply.type.partition(";")[0]) == (200, "text/plain")
    families = text_string_to_metric_families(reply.text)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def grown(server, work):
    """By how much every sample has grown with `work`."""
    server.eventually(lambda: idle(server), "what others have left is counted")
    before = samples(server)
    work()
    server.eventually(lambda: idle(server), "the requests are counted")
    return {key: value - before.get(key, 0.0) for key, value in samples(server).items()}


def idle(server, headers=None):
    """Whether all audio requests have been counted, which is just behind the end of an answer."""
    text = server.get("/metrics", headers).text
    routes = ("transcriptions", "translations", "speech")
    busy = (rf'myna_requests_in_progress{{route="{route}"}} [^0]' for route in routes)
    return not any(re.search(pattern, text) for pattern in busy)


def timing(reply):
    """The stages of `server-timing`, in milliseconds."""
    header = reply.headers["server-timing"]
    assert re.fullmatch(r"(?:[a-z-]+;dur=\d+\.\d(?:, )?)+", header), header
    return {name: float(spent) for name, spent in re.findall(r"([a-z-]+);dur=([\d.]+)", header)}


def test_a_transcription_leaves_its_traces_in_every_metric_of_its_way(fake_server, phrase):
    found = grown(fake_server, lambda: fake_server.transcribe(phrase))
    route = ("route", "transcriptions")
    assert found["myna_requests_total", route, ("status", "200")] == 1
    assert found["myna_request_seconds_count", route] == 1
    assert found["myna_audio_seconds_total", route] > 1
    assert found["myna_request_real_time_factor_count", route] == 1
    for stage in ("decode", "queue", "encode", "generate", "encode-out"):
        assert found["myna_stage_seconds_count", ("stage", stage)] >= 1, stage
    assert found["myna_batch_size_sum", ("model", "fake")] == 1
    assert found["myna_queued_audio_seconds", ("model", "fake"), ("task", "transcription")] == 0


def test_speech_leaves_its_own(fake_server):
    found = grown(fake_server, fake_server.speak)
    assert found["myna_requests_total", ("route", "speech"), ("status", "200")] == 1
    for stage in ("queue", "synthesise", "encode-out"):
        assert found["myna_stage_seconds_count", ("stage", stage)] >= 1, stage
    assert found["myna_stage_seconds_count", ("stage", "decode")] == 0


def test_errors_are_counted_by_code_and_no_client_makes_a_label(fake_server):
    def work():
        fake_server.transcribe(b"no audio")
        fake_server.speak(input="")
        fake_server.get("/v1/secret-path")

    found = grown(fake_server, work)
    by = {key: value for key, value in found.items() if key[0] == "myna_errors_total" and value}
    assert {(dict(key[1:])["route"], dict(key[1:])["code"]) for key in by} == {
        ("transcriptions", "invalid_request_error"),
        ("speech", "empty_string"),
        ("other", "invalid_request_error"),
    }
    assert not any("secret" in str(key) for key in found)


def test_a_client_that_leaves_is_a_cancellation(fake_server, monologue):
    fake_server.eventually(lambda: idle(fake_server), "what others have left is counted")
    before = fake_server.cancellations("transcriptions")
    body = fake_server.form(monologue, {"stream": "true"})
    with fake_server.asking("POST", PATH, body, fake_server.form_headers) as response:
        response.read(1)
    fake_server.eventually(
        lambda: fake_server.cancellations("transcriptions") == before + 1, "it is counted"
    )


def test_every_answer_says_where_its_time_went(fake_server, phrase):
    heard = timing(fake_server.transcribe(phrase))
    assert list(heard) == ["decode", "queue", "encode", "generate", "encode-out", "total"]
    assert int(heard["total"]) <= 60_000
    spoken = timing(fake_server.speak())
    assert list(spoken) == ["queue", "synthesise", "encode-out", "total"]
    for reply in (
        fake_server.get("/health"),
        fake_server.get("/nowhere"),
        fake_server.speak(input=""),
    ):
        assert list(timing(reply)) == ["total"]


def test_a_stream_says_what_is_known_when_its_head_leaves(fake_server, monologue):
    reply = fake_server.transcribe(monologue, {"stream": "true"})
    found = timing(reply)
    assert {"decode", "queue", "generate", "total"} <= set(found)
    assert "encode-out" not in found


def test_processing_ms_and_total_are_one_time(fake_server, phrase):
    reply = fake_server.transcribe(phrase)
    assert abs(int(reply.headers["openai-processing-ms"]) - timing(reply)["total"]) <= 1.0


def test_openmetrics_is_given_where_it_is_asked_for(fake_server):
    reply = fake_server.get("/v1/metrics", {"Accept": "application/openmetrics-text"})
    assert reply.type.startswith("application/openmetrics-text")
    assert reply.text.endswith("# EOF\n")


def test_with_keys_set_metrics_need_one_and_count_by_its_name(keyed_server):
    keyed_server.get("/metrics").refused(401)
    head = {"Authorization": "Bearer sk-alice-4f1d0c7e9b2a6835"}
    content = keyed_server.speech_body(input="Hi.")
    assert keyed_server.post_json("/v1/audio/speech", content, head).status == 200
    keyed_server.eventually(lambda: idle(keyed_server, head), "it is counted")
    text = keyed_server.get("/metrics", head).text
    assert 'myna_key_requests_total{key="alice",route="speech"}' in text
    assert re.search(r'myna_key_audio_seconds_total{key="alice",route="speech"} [\d.]+', text)
    assert "sk-alice" not in text


def test_the_log_for_machines_has_one_object_a_request_with_its_id(told_server, phrase):
    reply = told_server.transcribe(phrase)
    told_server.eventually(lambda: reply.headers["x-request-id"] in told_server.log, "its line")
    lines = [json.loads(line) for line in told_server.log.splitlines()]
    (line,) = [one for one in lines if one.get("request_id") == reply.headers["x-request-id"]]
    assert (line["method"], line["path"], line["status"]) == ("POST", PATH, 200)
    assert line["audio_seconds"] > 1
    assert set(line["stages"]) == {"decode", "queue", "encode", "generate", "encode-out"}
    assert "myna repeats" not in told_server.log

"""What a server tells of itself: `/metrics`, and the times in its answers."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

PATH = "/v1/audio/transcriptions"
PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
LISTENING = {"decode", "queue", "encode", "generate", "encode-out"}
SPEAKING = {"queue", "synthesise", "encode-out"}


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
    routes = ("transcriptions", "translations", "speech", "realtime")
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


def live(server, pcm):
    """A session in which 24 kHz audio is written down."""
    address = f"ws://127.0.0.1:{server.port}/v1/realtime"
    with connect(address, open_timeout=240, ping_timeout=240) as socket:
        assert server.commit_live(socket, pcm)["type"].endswith(".completed")


def ways(server, phrase):
    """What can be asked for, by a name: how, its route, and the stages of its way."""
    pcm = server.speak(response_format="pcm").body
    speakers = {"response_format": "diarized_json", "chunking_strategy": "auto"}
    listened = {
        "a transcript": ({}, LISTENING),
        "a stream": ({"stream": "true"}, LISTENING),
        "subtitles": ({"response_format": "srt"}, LISTENING),
        "speakers": (speakers, LISTENING | {"diarize"}),
        "a stream of speakers": (speakers | {"stream": "true"}, LISTENING | {"diarize"}),
    }
    found = {
        name: (lambda fields=fields: server.transcribe(phrase, fields), "transcriptions", stages)
        for name, (fields, stages) in listened.items()
    }
    english = "/v1/audio/translations"
    return found | {
        "English": (lambda: server.transcribe(phrase, path=english), "translations", LISTENING),
        "speech": (server.speak, "speech", SPEAKING),
        "speech as events": (lambda: server.speak(stream_format="sse"), "speech", SPEAKING),
        "speech as pcm": (lambda: server.speak(response_format="pcm"), "speech", SPEAKING),
        "a session": (lambda: live(server, pcm), "realtime", LISTENING),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("a transcript", "a stream", "subtitles", "speakers", "a stream of speakers"),
        *("English", "speech", "speech as events", "speech as pcm", "a session"),
    ],
)
def test_whatever_is_asked_for_feeds_the_stages_of_its_way_and_no_other(fake_server, phrase, name):
    work, route, stages = ways(fake_server, phrase)[name]
    found = grown(fake_server, work)
    fed = {
        dict(labels)["stage"]
        for metric, *labels in found
        if metric == "myna_stage_seconds_count" and found[metric, *labels]
    }
    assert fed == stages
    assert found["myna_audio_seconds_total", ("route", route)] > 1
    assert found["myna_request_real_time_factor_count", ("route", route)] == 1


def test_what_is_shown_is_what_the_page_has(fake_server, phrase):
    """Names and labels, those of samples included, when every kind of request has come."""
    for work, *_ in ways(fake_server, phrase).values():
        work()
    fake_server.get("/v1/secret-path")
    fake_server.eventually(lambda: idle(fake_server), "all is counted")
    rows = re.findall(
        r"^\| `(\w+)` \| (?:counter|gauge|histogram) \| ([\w, ]*?) *\|",
        PAGE.read_text("utf-8"),
        re.MULTILINE,
    )
    documented = {name: set(labels.split(", ")) - {""} for name, labels in rows}
    for name, *labels in samples(fake_server):
        if name.endswith("_created"):
            continue  # the page says what they are
        bare = re.sub("_(bucket|sum|count)$", "", name)
        assert {label for label, _ in labels} - {"le"} == documented[bare], name


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
    assert heard["total"] == max(heard.values())
    spoken = timing(fake_server.speak())
    assert list(spoken) == ["queue", "synthesise", "encode-out", "total"]
    speakers = timing(fake_server.transcribe(phrase, {"response_format": "diarized_json"}))
    assert "diarize" in speakers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/ready", 200),
        ("GET", "/metrics", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/v1/models/none", 404),
        ("PUT", "/v1/audio/speech", 405),
        ("POST", "/v1/audio/speech", 400),
        ("POST", PATH, 400),
        ("OPTIONS", PATH, 405),
        ("DELETE", "/v1/models/fake", 405),
    ],
)
def test_an_answer_that_took_no_stage_says_its_time_too(fake_server, method, path, status):
    timed(fake_server.send(method, path, b"", fake_server.form_headers), status)


def timed(reply, status):
    assert reply.status == status
    assert list(timing(reply)) == ["total"]
    assert abs(int(reply.headers["openai-processing-ms"]) - timing(reply)["total"]) <= 1.0


def test_so_do_refusals_at_the_door(keyed_server, small_server):
    timed(keyed_server.get("/v1/models"), 401)
    large = small_server.multipart([("file", bytes(300_000), "a.wav", "audio/wav")])
    timed(small_server.send("POST", PATH, large, small_server.form_headers), 413)
    browser = {"Origin": "http://localhost", "Access-Control-Request-Method": "POST"}
    timed(keyed_server.send("OPTIONS", PATH, None, browser), 200)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/realtime", 101), ("/v1/realtime?intent=conversation", 400), ("/v1/nowhere", 404)],
)
def test_so_do_handshakes(fake_server, path, status):
    with connect_anyway(f"ws://127.0.0.1:{fake_server.port}{path}") as response:
        assert response.status_code == status
        assert re.fullmatch("req_[0-9a-f]{32}", response.headers["x-request-id"])
        assert int(response.headers["openai-processing-ms"]) >= 0
        assert re.fullmatch(r"total;dur=\d+\.\d", response.headers["server-timing"])
        if status != 101:
            assert json.loads(response.body)["error"]["type"] == "invalid_request_error"


@contextmanager
def connect_anyway(address):
    """The answer to a handshake, whatever it is."""
    try:
        with connect(address, open_timeout=240, ping_timeout=240) as socket:
            yield socket.response
    except InvalidStatus as refused:
        yield refused.response


def test_a_stream_says_what_is_known_when_its_head_leaves(fake_server, monologue):
    reply = fake_server.transcribe(monologue, {"stream": "true"})
    found = timing(reply)
    assert LISTENING | {"total"} == set(found)


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
    whole = re.compile(rf"{reply.headers['x-request-id']}.*\n")
    told_server.eventually(lambda: whole.search(told_server.log), "its line")
    lines = [json.loads(line) for line in told_server.log.splitlines()]
    (line,) = [one for one in lines if one.get("request_id") == reply.headers["x-request-id"]]
    assert (line["method"], line["path"], line["status"]) == ("POST", PATH, 200)
    assert line["audio_seconds"] > 1
    assert set(line["stages"]) == {"decode", "queue", "encode", "generate", "encode-out"}
    assert "myna repeats" not in told_server.log

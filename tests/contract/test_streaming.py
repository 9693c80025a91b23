"""`stream=true` on a real model: framing, order, and what SDKs need of the events."""

import os
import signal
import sys
from contextlib import suppress

import pytest

MODELS = ["whisper-1", "gpt-4o-transcribe", "gpt-transcribe", "whisper-base", "anything-else"]
PATH = "/v1/audio/transcriptions"
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


@pytest.fixture(scope="module")
def streamed(server, clip):
    """`streamed(model)`: the answer to a stream of the clip, asked for once."""
    known = {}

    def ask(model="whisper-1"):
        if model not in known:
            known[model] = server.transcribe(clip, {"model": model, "stream": "true"})
        return known[model]

    return ask


@pytest.mark.models
@pytest.mark.parametrize("model", MODELS)  # [39, 41]
def test_every_model_name_streams_deltas_and_one_done(streamed, model):
    *deltas, done = streamed(model).events()
    assert deltas
    assert {event["type"] for event in deltas} == {"transcript.text.delta"}
    assert done["type"] == "transcript.text.done"
    assert "".join(event["delta"] for event in deltas) == done["text"]
    assert "birds" in done["text"].lower()


@pytest.mark.models
def test_the_whole_text_is_that_of_json(server, clip, streamed):
    assert streamed().events()[-1]["text"] == server.transcribe(clip).json()["text"]


@pytest.mark.models
def test_the_stream_ends_with_done_and_a_blank_line(streamed):  # [40]
    body = streamed().body
    assert body.endswith(b"}\n\ndata: [DONE]\n\n")
    assert body.count(b"[DONE]") == 1


@pytest.mark.models
def test_the_stream_is_chunked_and_not_cached_nor_compressed(streamed):
    headers = streamed().headers
    assert headers["transfer-encoding"] == "chunked"
    assert headers["content-length"] is None
    assert headers["content-encoding"] is None


@pytest.mark.models
@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-transcribe"])
def test_the_usage_of_done_is_in_tokens(streamed, model):
    """SDKs that check types take no other variant here."""
    usage = streamed(model).events()[-1]["usage"]
    assert usage["type"] == "tokens"
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]


@pytest.mark.models
@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": "text"},
        {"response_format": "srt"},
        {"response_format": "verbose_json", "timestamp_granularities[]": ["word"]},
        {"chunking_strategy": "auto"},
        {"stream": "True"},
        {"stream": "1"},
    ],
)
def test_a_stream_is_a_stream_in_any_format(server, clip, fields):
    events = server.transcribe(clip, {"stream": "true"} | fields).events()
    assert events[-1]["type"] == "transcript.text.done"


@pytest.mark.models
def test_log_probabilities_come_with_their_deltas_and_with_done(server, clip):
    fields = {"model": "gpt-4o-transcribe", "include[]": ["logprobs"], "stream": "true"}
    *deltas, done = server.transcribe(clip, fields).events()
    assert [token for event in deltas for token in event["logprobs"]] == done["logprobs"]
    assert all(isinstance(byte, int) for token in done["logprobs"] for byte in token["bytes"])


@pytest.mark.models
def test_silence_streams_an_empty_text(server, silence):
    *deltas, done = server.transcribe(silence, {"stream": "true"}).events()
    assert "".join(event["delta"] for event in deltas) == done["text"] == ""


@pytest.mark.models
def test_a_bad_file_is_an_error_answer_and_not_a_stream(server):
    server.transcribe(b"no audio", {"stream": "true"}).refused(param="file")


def begun(server, response):
    """The first delta, which must come while the rest is still worked on."""
    first = response.readline() + response.readline()
    assert first.startswith(b'data: {"type":"transcript.text.delta"')
    assert response.headers["x-request-id"] not in server.log, "the request has ended already"
    return first


@linux_only  # [43]
def test_a_decoder_that_dies_in_a_stream_becomes_an_error_event(fake_server, monologue):
    """One that had come to its end when it was killed shows nothing: then another."""
    for _ in range(5):
        sent = without_its_decoder(fake_server, monologue)
        if b"[DONE]" not in sent:
            break
    events = [line for line in sent.split(b"\n\n") if line]
    assert all(event.startswith(b"data: {") for event in events)
    assert events[-1].startswith(b'data: {"error":{"message":"')
    assert b'"code":' in events[-1]
    assert b"transcript.text.done" not in sent


def without_its_decoder(server, audio):
    """What is sent of a stream whose decoder is killed behind the first delta."""
    body = server.form(audio, {"stream": "true"})
    with server.asking("POST", PATH, body, server.form_headers) as response:
        first = response.readline() + response.readline()
        assert first.startswith(b'data: {"type":"transcript.text.delta"')
        for pid in server.decoders()[1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return first + response.read()


@pytest.mark.models
def test_a_client_that_leaves_a_stream_stops_the_work(server, lecture, clip):  # [44]
    fields = {"stream": "true", "chunking_strategy[type]": "server_vad"}
    cancelled = server.cancellations("transcriptions")
    with server.asking("POST", PATH, server.form(lecture, fields), server.form_headers) as response:
        begun(server, response)
    server.eventually(
        lambda: server.cancellations("transcriptions") > cancelled,
        "the end of a request without client",
    )
    assert server.transcribe(clip).status == 200

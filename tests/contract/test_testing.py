"""A server with `--testing`, and OpenAI's SDK meeting what a test has arranged."""

import io
import json
import re
import socket
import time

import httpx
import openai
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from myna.testing import Myna

SPEECH, FORMS = "/v1/audio/speech", "/v1/audio/transcriptions"
TEXT = "The *myna* repeats what it hears for $5 on 2027-01-06. Größe, 42 & 你好!"


@pytest.fixture(scope="module")
def stage(launch):
    return Myna(launch("stage", "--stt", "fake", "--tts", "fake", "--testing").running)


@pytest.fixture
def myna(stage):
    stage.reset()
    return stage


@pytest.fixture
def client(myna):
    """With its usual two retries."""
    with openai.OpenAI(base_url=myna.base_url, api_key="sk-none") as client:
        yield client


def speak(client, text=TEXT, **fields):
    return client.audio.speech.create(
        **{"model": "tts-1", "voice": "alloy", "input": text} | fields
    ).content


def transcribe(client, audio, filename="speech.mp3", **fields):
    fields = {"model": "whisper-1"} | fields
    return client.audio.transcriptions.create(file=(filename, audio), **fields)


def statuses(myna, path):
    return [request.status for request in myna.requests(path)]


def test_two_retries_make_three_attempts_and_the_third_is_answered(myna, client):
    myna.fail_next(SPEECH, status=429, times=2, retry_after=0.05)
    assert speak(client)
    assert statuses(myna, SPEECH) == [429, 429, 200]
    counts = [seen.headers["x-stainless-retry-count"] for seen in myna.requests(SPEECH)]
    assert counts == ["0", "1", "2"]
    assert [seen.faulty for seen in myna.requests(SPEECH)] == [True, True, False]


def test_three_failures_are_more_than_two_retries_bear(myna, client):
    myna.fail_next(SPEECH, status=500, times=3, message="The lights went out.")
    with pytest.raises(openai.InternalServerError, match="The lights went out") as caught:
        speak(client)
    assert caught.value.type == "server_error"
    assert statuses(myna, SPEECH) == [500, 500, 500]
    assert myna.faults_left == 0


def test_a_failure_that_is_not_to_be_tried_again_is_not(myna, client):
    myna.fail_next(SPEECH, status=500, should_retry=False)
    with pytest.raises(openai.InternalServerError):
        speak(client)
    assert statuses(myna, SPEECH) == [500]


def test_a_client_without_patience_gives_up_on_a_slow_answer(myna, client):
    myna.fail_next(SPEECH, delay_s=300.0)
    hasty = client.with_options(timeout=0.5, max_retries=0)
    with pytest.raises(openai.APITimeoutError):
        speak(hasty)


def test_an_upload_is_taken_before_it_is_refused(myna, client):
    myna.fail_next(FORMS, status=503)
    with pytest.raises(openai.InternalServerError):
        transcribe(client.with_options(max_retries=0), bytes(8_000_000))


def test_speech_cut_in_mid_stream_is_no_whole_file(myna, client):
    whole = speak(client)
    myna.fail_next(SPEECH, cut_after_bytes=1000)
    heard = bytearray()

    def listen():
        body = {"model": "tts-1", "voice": "alloy", "input": TEXT}
        with httpx.stream("POST", f"{myna.url}{SPEECH}", json=body, timeout=240) as answer:
            for piece in answer.iter_raw():
                heard.extend(piece)

    with pytest.raises(httpx.RemoteProtocolError):
        listen()
    assert bytes(heard) == whole[:1000]


def test_an_answer_cut_short_is_tried_again(myna, client):
    myna.hear("Good morning.")
    myna.fail_next(FORMS, cut_after_bytes=10, times=2)
    assert transcribe(client, b"-").text == "Good morning."
    assert len(myna.requests(FORMS)) == 3


def test_a_malformed_event_comes_behind_a_good_one(myna, client):
    myna.hear("Good morning.")
    myna.fail_next(FORMS, malformed=True)
    events = iter(transcribe(client, b"-", stream=True))
    assert next(events).delta == "Good morning."
    with pytest.raises(json.JSONDecodeError):
        next(events)


def test_a_malformed_transcript_is_no_json(myna, client):
    myna.fail_next(FORMS, malformed=True)
    form = {"files": {"file": speak(client)}, "data": {"model": "whisper-1"}}
    answer = httpx.post(f"{myna.url}{FORMS}", **form, timeout=240)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_request_can_bring_its_own_fault(myna, client):
    with pytest.raises(openai.RateLimitError):
        speak(client.with_options(max_retries=0), extra_headers={"x-myna-fault": "status=429"})
    with pytest.raises(openai.BadRequestError, match="fire"):
        speak(client, extra_headers={"x-myna-fault": "fire=1"})
    assert speak(client)


def live(myna, **headers):
    address = f"{myna.base_url.replace('http', 'ws')}/realtime"
    return connect(address, additional_headers=headers, open_timeout=240, ping_timeout=240)


def test_handshakes_meet_faults_and_are_noted(myna):
    myna.fail_next("/realtime", status=503, retry_after=0.1)
    with pytest.raises(InvalidStatus) as refused:
        live(myna)
    assert refused.value.response.status_code == 503
    with live(myna) as session:
        assert json.loads(session.recv(240))["type"] == "session.created"
    seen = [(one.method, one.status, one.faulty) for one in myna.requests("/realtime")]
    assert seen == [("GET", 503, True), ("GET", 101, False)]


def test_a_live_session_is_cut_and_the_server_goes_on(myna):
    with live(myna, **{"x-myna-fault": "cut_after_bytes=10"}) as session:
        with pytest.raises(ConnectionClosedError) as closed:
            session.recv(240)
        assert closed.value.rcvd.code == 1011
    with live(myna) as session:
        assert json.loads(session.recv(240))["type"] == "session.created"


def test_a_client_that_leaves_its_handshake_is_counted_and_is_no_crash(myna):
    """The server's log must hold no traceback, which is seen when it has ended."""
    gone = re.compile(r'^myna_cancellations_total{route="realtime"} 1\.0$', re.MULTILINE)
    # On a machine that is busy it may be answered before its client has left: then once more.
    assert any(gone.search(left_within_two_seconds(myna)) for _ in range(5))
    assert "crashed" not in myna.log


def left_within_two_seconds(myna):
    """The metrics when a handshake is over whose client does not wait for its answer."""

    def metrics():
        return httpx.get(f"{myna.url}/metrics", timeout=240).text

    before = len(myna.requests("/realtime"))
    myna.fail_next("/realtime", delay_s=2)
    with socket.create_connection(("127.0.0.1", httpx.URL(myna.url).port)) as client:
        client.sendall(
            b"GET /v1/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        eventually(lambda: len(myna.requests("/realtime")) > before)
    eventually(lambda: 'myna_requests_in_progress{route="realtime"} 0.0' in metrics())
    return metrics()


def eventually(happened):
    deadline = time.monotonic() + 240
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_without_the_setting_knows_nothing_of_faults(fake_server):
    with openai.OpenAI(base_url=f"{fake_server.url}/v1", api_key="x", max_retries=0) as client:
        assert speak(client, extra_headers={"x-myna-fault": "status=500"})
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/faults"),
        ("POST", "/transcripts"),
    ):
        answer = httpx.request(method, f"{fake_server.url}/v1/testing{path}", timeout=240)
        assert answer.status_code == 404


def test_what_is_no_fault_is_refused_where_it_is_asked_for(myna):
    with pytest.raises(ValueError, match="names nothing that goes wrong"):
        myna.fail_next(SPEECH)
    with pytest.raises(ValueError, match="status"):
        myna.fail_next(SPEECH, status=200)
    with pytest.raises(ValueError, match="times"):
        myna.fail_next(SPEECH, status=500, times=0)
    answer = httpx.post(f"{myna.base_url}/testing/faults", content=b"{", timeout=240)
    assert answer.status_code == 400


def test_transcripts_are_known_by_name_or_bytes_and_need_no_audio(myna, client, tmp_path):
    file = tmp_path / "notes.bin"
    file.write_bytes(b"not audio at all")
    myna.hear("By name.", filename="meeting.mp3")
    myna.hear("By bytes.", content=file)
    assert transcribe(client, b"-", "meeting.mp3").text == "By name."
    assert transcribe(client, file.read_bytes(), "any.wav").text == "By bytes."
    with pytest.raises(openai.BadRequestError, match="Invalid file format"):
        transcribe(client, b"-", "other.mp3")


@pytest.mark.parametrize("text", ["", " ", "a", "!", "♪", "(inaudible) …"])
def test_a_script_may_be_short_or_say_that_nobody_speaks(myna, client, text):
    myna.hear(text)
    assert transcribe(client, b"-").text == text.strip()
    assert transcribe(client, b"-", response_format="verbose_json").text == text.strip()


def test_an_upload_that_was_begun_while_it_arrived_gets_its_script_too(myna, client):
    """Beyond the first megabytes a server begins to transcribe what is there."""
    said = speak(client, "Something else. " * 60, response_format="wav") + bytes(4_000_000)
    myna.hear("Good morning.", content=said)
    assert transcribe(client, said, "speech.wav").text == "Good morning."


def test_a_scripted_transcript_comes_in_every_format(myna, client):
    myna.hear("Good morning. How are you?")
    assert transcribe(client, b"-", response_format="text") == "Good morning. How are you?\n"
    verbose = transcribe(
        client, b"-", response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert [word.word for word in verbose.words] == ["Good", "morning", "How", "are", "you"]
    assert [one.text for one in verbose.segments] == [" Good morning.", " How are you?"]
    assert transcribe(client, b"-", response_format="srt").startswith("1\n00:00:0")


LONG = {
    "without an end": " ".join(f"word{number}" for number in range(400)),
    "of sentences": " ".join(f"This is sentence number {number}." for number in range(100)),
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_script_keeps_every_word(myna, client, text):
    myna.hear(text)
    assert transcribe(client, b"-").text == text


@pytest.mark.parametrize("speed", [0.25, 0.6, 1.0, 4.0])
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_minutes_of_speech_are_heard_to_the_last_word(client, text, speed):
    said = speak(client, text, speed=speed, response_format="flac")
    assert transcribe(client, said).text == text


@pytest.mark.parametrize("format_", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_the_same_text_is_the_same_bytes_whichever_server_says_it(client, fake_server, format_):
    said = speak(client, response_format=format_)
    assert said == speak(client, response_format=format_)
    with openai.OpenAI(base_url=f"{fake_server.url}/v1", api_key="x") as other:
        assert said == speak(other, response_format=format_)
    assert said != speak(client, "Something else.", response_format=format_)


@pytest.mark.parametrize("format_", ["mp3", "opus", "aac", "flac", "wav"])
def test_what_was_said_is_heard(client, format_):
    said = io.BytesIO(speak(client, response_format=format_))
    assert transcribe(client, said).text == TEXT

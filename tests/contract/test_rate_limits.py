"""What a key may use a minute, and how it is told."""

from __future__ import annotations

import json
import re
import time

import httpx
import openai
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

THREES = ("sk-three-00112233445566", "sk-three-11223344556677", "sk-three-22334455667788")
ONE = "sk-one-001122334455667"
MUCH, FREE = "sk-much-0011223344556677", "sk-free-001122334455667"
LIVE = "sk-live-001122334455667"


@pytest.fixture(scope="module")
def limited_server(launch, tmp_path_factory):
    """Keys that are allowed different things."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    threes = (f"three-{number}:{key}" for number, key in enumerate(THREES))
    file.write_text(
        "".join(f"{one} requests_per_minute=3\n" for one in threes)
        + f"one:{ONE} requests_per_minute=1\n"
        f"much:{MUCH} audio_s_per_minute=4\n"
        f"free:{FREE} requests_per_minute=0\n"
        f"live:{LIVE} audio_s_per_minute=0.5\n"
    )
    flags = ("--stt", "fake", "--tts", "fake", "--requests-per-minute", "500")
    return launch(
        "limited", *flags, "--api-keys-file", str(file), secrets=(*THREES, ONE, MUCH, FREE, LIVE)
    )


def bearer(key):
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def speak(server, key):
    return server.post_json("/v1/audio/speech", server.speech_body(input="Hi."), bearer(key))


def use_up(server, key):
    """Whether the key had anything left."""
    had = False
    while speak(server, key).status == 200:
        had = True
    return had


def test_requests_beyond_the_limit_are_a_429_that_the_sdk_understands(limited_server):
    for key in THREES:
        begun_s = time.monotonic()
        seen, error = four_requests(limited_server, key)
        if time.monotonic() - begun_s < 60 / 3:
            break  # nothing of what the key may use was earned back meanwhile
    for left, headers in zip((2, 1, 0), seen, strict=False):
        assert headers["x-ratelimit-limit-requests"] == "3"
        assert headers["x-ratelimit-remaining-requests"] == str(left)
        assert headers["x-ratelimit-reset-requests"].endswith("s")
    assert isinstance(error, openai.RateLimitError)
    assert (error.code, error.type) == ("rate_limit_exceeded", "rate_limit_error")
    assert len(seen) == 4
    assert 1 <= int(seen[3]["retry-after"]) <= 20
    assert seen[3]["x-ratelimit-remaining-requests"] == "0"
    assert "x-ratelimit-limit-audio-seconds" not in seen[3]


def four_requests(server, key):
    """The headers of the answers, and the error that the SDK made of the last, if it is one."""
    seen = []
    hooks = {"response": [lambda answer: seen.append(answer.headers)]}
    client = httpx.Client(event_hooks=hooks, trust_env=False)
    url = f"{server.url}/v1"
    with openai.OpenAI(base_url=url, api_key=key, http_client=client, max_retries=0) as sdk:
        try:
            for _ in range(4):
                sdk.audio.speech.create(model="tts-1", voice="alloy", input="Hi.")
        except openai.APIStatusError as error:
            return seen, error
    return seen, None


def test_other_keys_and_what_is_no_audio_are_not_held_up(limited_server):
    use_up(limited_server, ONE)
    assert limited_server.get("/v1/models", bearer(ONE)).status == 200
    replies = [speak(limited_server, FREE) for _ in range(10)]
    assert {reply.status for reply in replies} == {200}
    assert "x-ratelimit-limit-requests" not in replies[0].headers


def test_audio_is_counted_when_it_has_been_read(limited_server, phrase):
    head = {**limited_server.form_headers, "Authorization": f"Bearer {MUCH}"}

    def transcribe():
        body = limited_server.form(phrase)
        return limited_server.send("POST", "/v1/audio/transcriptions", body, head)

    first = transcribe()
    assert first.status == 200
    assert first.headers["x-ratelimit-limit-requests"] == "500"  # as the settings say
    assert first.headers["x-ratelimit-limit-audio-seconds"] == "4"
    assert int(first.headers["x-ratelimit-remaining-audio-seconds"]) < 4
    while (reply := transcribe()).status == 200:
        pass
    error = reply.refused(429, "rate_limit_error", code="rate_limit_exceeded", param=None)
    assert "audio-seconds" in error["message"]
    assert int(reply.headers["retry-after"]) >= 1


def live(server, key):
    """A session of that key."""
    address = f"ws://127.0.0.1:{server.port}/v1/realtime"
    head = {"Authorization": f"Bearer {key}"}
    return connect(address, additional_headers=head, open_timeout=240, ping_timeout=240)


def test_sessions_are_counted_as_requests(limited_server):
    for _ in range(2):
        with live(limited_server, FREE) as socket:
            assert json.loads(socket.recv(timeout=240))["type"] == "session.created"
        refused = refusal(limited_server, ONE)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1


def refusal(server, key):
    """What a session hears that comes where its key has nothing left."""
    while True:
        begun_s = time.monotonic()
        had = use_up(server, key)
        try:
            live(server, key).close()
        except InvalidStatus as refused:
            return refused.response
        # Else part of what is earned back in a minute was earned before.
        assert not had or time.monotonic() - begun_s > 59, "let in before a request was earned back"


def test_a_session_is_held_to_its_audio_item_by_item_and_goes_on(limited_server):
    """An item is taken while anything is left, as a file is. What the first one takes beyond its
    half a second is earned back in minutes."""
    pcm = limited_server.send(
        "POST",
        "/v1/audio/speech",
        json.dumps(limited_server.speech_body(response_format="pcm")),
        bearer(FREE),
    ).body
    with live(limited_server, LIVE) as socket:
        said = socket.response.headers
        assert said["x-ratelimit-remaining-requests"] == "499"
        assert said["x-ratelimit-limit-audio-seconds"] == "0.5"
        assert (
            limited_server.commit_live(socket, pcm)["transcript"]
            == "The myna repeats what it hears."
        )
        failed = limited_server.commit_live(socket, pcm)
        assert failed["error"]["code"] == "rate_limit_exceeded"
        assert "audio-seconds" in failed["error"]["message"]
        assert limited_server.commit_live(socket, pcm)["type"].endswith(".failed")
    usage = re.compile(r'myna_key_audio_seconds_total{key="live",route="realtime"} (\S+)')
    limited_server.eventually(
        lambda: usage.search(limited_server.get("/metrics", bearer(FREE)).text), "it is counted"
    )
    counted = float(usage.search(limited_server.get("/metrics", bearer(FREE)).text)[1])
    assert counted == pytest.approx(len(pcm) / 2 / 24_000, abs=0.5)


def test_refusals_are_counted(limited_server):
    use_up(limited_server, ONE)
    text = limited_server.get("/metrics", bearer(FREE)).text
    assert 'myna_rejections_total{reason="rate_limit",route="speech"}' in text

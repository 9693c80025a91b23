"""What a key may use a minute, and how it is told."""

from __future__ import annotations

import json
import re

import httpx
import openai
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

THREE, ONE = "sk-three-00112233445566", "sk-one-001122334455667"
MUCH, FREE = "sk-much-0011223344556677", "sk-free-001122334455667"
LIVE = "sk-live-001122334455667"


@pytest.fixture(scope="module")
def limited_server(launch, tmp_path_factory):
    """Keys that are allowed different things."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(
        f"three:{THREE} requests_per_minute=3\n"
        f"one:{ONE} requests_per_minute=1\n"
        f"much:{MUCH} audio_s_per_minute=4\n"
        f"free:{FREE} requests_per_minute=0\n"
        f"live:{LIVE} audio_s_per_minute=0.5\n"
    )
    flags = ("--stt", "fake", "--tts", "fake", "--requests-per-minute", "500")
    return launch(
        "limited", *flags, "--api-keys-file", str(file), secrets=(THREE, ONE, MUCH, FREE, LIVE)
    )


def bearer(key):
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def speak(server, key):
    return server.post_json("/v1/audio/speech", server.speech_body(input="Hi."), bearer(key))


def use_up(server, key):
    while speak(server, key).status == 200:
        pass


def test_requests_beyond_the_limit_are_a_429_that_the_sdk_understands(limited_server):
    seen = []
    client = httpx.Client(event_hooks={"response": [seen.append]}, trust_env=False)
    url = f"{limited_server.url}/v1"
    with openai.OpenAI(base_url=url, api_key=THREE, http_client=client, max_retries=0) as sdk:
        for left in (2, 1, 0):
            sdk.audio.speech.create(model="tts-1", voice="alloy", input="Hi.")
            assert seen[-1].headers["x-ratelimit-limit-requests"] == "3"
            assert seen[-1].headers["x-ratelimit-remaining-requests"] == str(left)
            assert seen[-1].headers["x-ratelimit-reset-requests"].endswith("s")
        with pytest.raises(openai.RateLimitError) as caught:
            sdk.audio.speech.create(model="tts-1", voice="alloy", input="Hi.")
    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "rate_limit_error")
    assert 1 <= int(seen[-1].headers["retry-after"]) <= 20
    assert seen[-1].headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-ratelimit-limit-audio-seconds" not in seen[-1].headers


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
    return connect(address, additional_headers=head, open_timeout=240)


def test_sessions_are_counted_as_requests(limited_server):
    use_up(limited_server, ONE)
    for _ in range(2):
        with live(limited_server, FREE) as socket:
            assert json.loads(socket.recv(timeout=240))["type"] == "session.created"
        with pytest.raises(InvalidStatus) as refused:
            live(limited_server, ONE)
        assert refused.value.response.status_code == 429
        assert int(refused.value.response.headers["retry-after"]) >= 1


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

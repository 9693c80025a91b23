"""What real clients ask of the speech endpoint, key for key."""

import base64

import pytest

PHRASE = "The myna repeats what it hears."
OPENAI_VOICES = {"alloy", "echo", "fable", "nova", "onyx", "shimmer"}

SPEAKERS = {
    "Open WebUI": ({"model": "tts-1", "input": PHRASE, "voice": "alloy"}, "audio/mpeg"),
    "Open WebUI with parameters of an administrator": (
        {
            "model": "tts-1",
            "input": PHRASE,
            "voice": "af_bella",
            "speed": 1,
            "lang_code": "a",
            "return_timestamps": False,
        },
        "audio/mpeg",
    ),
    "LiveKit agents": (
        {
            "input": PHRASE,
            "model": "gpt-4o-mini-tts",
            "voice": "ash",
            "response_format": "mp3",
            "speed": 1.0,
            "stream_format": "sse",
        },
        "text/event-stream; charset=utf-8",
    ),
    "LiveKit agents with tts-1": (
        {"input": PHRASE, "model": "tts-1", "voice": "ash", "response_format": "mp3", "speed": 1.0},
        "audio/mpeg",
    ),
    "Pipecat": (
        {"input": PHRASE, "model": "gpt-4o-mini-tts", "voice": "alloy", "response_format": "pcm"},
        "audio/pcm",
    ),
    "Home Assistant": (
        {
            "model": "gpt-4o-mini-tts",
            "voice": "marin",
            "input": PHRASE,
            "instructions": "None",
            "speed": 1.0,
            "response_format": "wav",
        },
        "audio/wav",
    ),
    "Home Assistant's custom component": (
        {
            "model": "tts-1",
            "input": PHRASE,
            "voice": "shimmer",
            "response_format": "mp3",
            "speed": 1.0,
        }
        | {"chunk_length": 200},
        "audio/mpeg",
    ),
    "Home Assistant's custom component, when it tries its key": (
        {"model": "tts-1", "input": ".", "voice": "alloy", "response_format": "mp3"},
        "audio/mpeg",
    ),
    "Wyoming OpenAI": (
        {
            "input": PHRASE,
            "model": "tts-1",
            "voice": "alloy",
            "response_format": "wav",
            "speed": 1.0,
        },
        "audio/wav",
    ),
    "LibreChat": ({"input": PHRASE, "model": "tts-1", "backend": "xtts"}, "audio/mpeg"),
    "n8n": (
        {"model": "tts-1-hd", "input": PHRASE, "voice": "onyx", "response_format": "flac"}
        | {"speed": 1},
        "audio/flac",
    ),
    "Dify, when it is set up": (
        {"model": "tts-1", "input": "Test.", "voice": "alloy", "response_format": "mp3"},
        "audio/mpeg",
    ),
    "AnythingLLM": ({"model": "tts-1", "voice": "alloy", "input": PHRASE}, "audio/mpeg"),
    "Vercel AI SDK": (
        {"model": "tts-1", "input": PHRASE, "voice": "alloy", "response_format": "mp3"},
        "audio/mpeg",
    ),
    "moltis": (
        {"model": "tts-1", "input": PHRASE, "voice": "alloy", "response_format": "opus"},
        "audio/opus",
    ),
    "a client that sends null": (
        {"model": "tts-1", "input": PHRASE, "voice": "alloy", "speed": None}
        | {"response_format": None, "instructions": None},
        "audio/mpeg",
    ),
}


@pytest.mark.parametrize("client", SPEAKERS)
def test_a_client_that_speaks_is_understood(fake_server, client):
    content, content_type = SPEAKERS[client]
    headers = {
        "Authorization": "Bearer sk-none",
        "Accept": "application/octet-stream",
        "Accept-Encoding": "gzip, deflate",
        "Content-Type": "application/json; charset=utf-8",
    }
    reply = fake_server.post_json("/v1/audio/speech", content, headers)
    assert (reply.status, reply.type) == (200, content_type)
    assert reply.headers["content-encoding"] is None
    if reply.type.startswith("text/event-stream"):
        *deltas, done = reply.events()
        assert all(base64.b64decode(event["audio"]) for event in deltas)
        assert done["type"] == "speech.audio.done"
    else:
        assert len(reply.body) > 1000


def test_open_webui_asks_for_models_and_voices_without_a_key(keyed_server):
    """It needs objects, and falls back to six voices where it finds texts."""
    models = keyed_server.get("/v1/audio/models").json()["models"]
    assert all(isinstance(model["id"], str) for model in models)
    voices = keyed_server.get("/v1/audio/voices").json()["voices"]
    known = {voice["id"]: voice["name"] for voice in voices}
    assert set(known) >= OPENAI_VOICES
    assert all(isinstance(name, str) for name in known.values())


def test_wyoming_openai_takes_it_for_openais_own_server(fake_server):
    """It asks three addresses that tell other servers by their answer, and changes its ways where
    one of them answers as expected: 200, the text OK, or a status of ok."""
    assert fake_server.get("/v1/readyz").status == 404
    assert fake_server.get("/v1/test").status == 404
    assert fake_server.get("/health").body.strip() != b"OK"


def test_wyoming_openai_finds_all_voices_as_those_of_kokoro_fastapi(fake_server):
    """With `--tts-backend KOKORO_FASTAPI` it takes an `id`, or else a `name`, of each."""
    voices = fake_server.get("/v1/audio/voices").json()["voices"]
    assert {voice["id"] for voice in voices} > OPENAI_VOICES

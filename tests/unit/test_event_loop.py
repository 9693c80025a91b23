"""Nothing that the server does on its event loop may block: one blocking call there holds up every
other client. The app runs here in the loop that the detector watches, with the fake engines."""

import asyncio
import base64
import json
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

import blockbuster.blockbuster
import numpy as np
import pytest
from blockbuster import BlockBusterFunction, BlockingError, blockbuster_ctx
from websockets.asyncio.client import connect

from myna.audio.codecs import layout_of
from myna.audio.encode import encoder
from myna.engines.fake import FakeSynthesizer

from .conftest import served

MIB = 1024 * 1024
TEXT = "The myna repeats what it hears."

# Beyond what the detector knows by itself.
ALSO_BLOCKING = ("builtins.open", "os.open", "os.fsync", "os.pread", "os.ftruncate")

# Locks that are held for a few instructions and never across work, input or output.
MAY_WAIT_FOR_A_LOCK = [
    # The fair queue is a heap; workers leave it before they run a batch.
    ("myna/scheduling/workers.py", {"submit", "cancel", "queued_s"}),
    # A stream's flags; its reader leaves them before it waits for the decoder.
    ("myna/audio/decode.py", {"close"}),
    # A future's state, while a worker thread sets it.
    ("concurrent/futures/_base.py", {"add_done_callback", "cancel", "cancelled", "result"}),
]
MAY_READ_FILES = [
    # Python reads source files to print a traceback, and modules to import them.
    ("linecache.py", {"checkcache", "updatecache"}),
    ("<frozen importlib._bootstrap>", {"_find_and_load"}),
    # FastAPI looks up where an endpoint is defined at its first request, and remembers it.
    ("fastapi/routing.py", {"_extract_endpoint_context"}),
]


@contextmanager
def watched(monkeypatch):
    """Fail at the end if the loop blocked, even where the server survived it."""
    seen = []

    class Seen(BlockingError):
        def __init__(self, func):
            super().__init__(func)
            seen.append(f"{func}:\n{''.join(traceback.format_stack()[-8:-1])}")

    monkeypatch.setattr(blockbuster.blockbuster, "BlockingError", Seen)
    with blockbuster_ctx() as detector:
        for where in MAY_WAIT_FOR_A_LOCK:
            detector.functions["threading.Lock.acquire"].can_block_in(*where)
        more = [BlockBusterFunction(None, name) for name in ALSO_BLOCKING]
        for function in [detector.functions["os.stat"], *more]:
            function.can_block_functions += MAY_READ_FILES
        for function in more:
            function.activate()
        try:
            yield
        finally:
            for function in more:
                function.deactivate()
    assert not seen, "\n".join(seen)


def recording(text=TEXT, padding_s=0):
    """A WAV of `text` in the fake engine's voice, and silence behind it."""
    engine = FakeSynthesizer()
    (stretch,) = engine.synthesize(text, engine.voices[0], 1.0)
    spoken = [stretch.samples, np.zeros(24_000 * padding_s)]
    coder = encoder(layout_of("wav"), engine.sample_rate_hz)
    return coder.encode(np.concatenate(spoken).astype(np.float32)) + coder.finish()


def form(audio, **fields):
    return {
        "data": {"model": "whisper-1"} | fields,
        "files": {"file": ("a.wav", audio, "audio/wav")},
    }


TRANSCRIPTIONS, SPEECH = "/v1/audio/transcriptions", "/v1/audio/speech"


async def transcribe(client):
    audio = recording()
    formats = ["json", "text", "srt", "vtt", "verbose_json"]
    asked = [client.post(TRANSCRIPTIONS, **form(audio, response_format=name)) for name in formats]
    for answer in await asyncio.gather(*asked):
        assert answer.status_code == 200, answer.text
        assert TEXT in answer.text


async def upload_much(client):
    audio = recording(padding_s=60)
    assert len(audio) > 2 * MIB
    content = {
        "model": "whisper-1",
        "input_audio": {"data": base64.b64encode(audio).decode(), "format": "wav"},
    }
    answers = await asyncio.gather(
        client.post(TRANSCRIPTIONS, **form(audio)),
        client.post(TRANSCRIPTIONS, **form(audio, prompt="x" * MIB)),
        client.post(TRANSCRIPTIONS, json=content),
        client.post("/v1/audio/translations", **form(audio)),
    )
    assert [answer.json()["text"] for answer in answers] == [TEXT] * 4


async def stream(client):
    asked = [client.post(TRANSCRIPTIONS, **form(recording(), stream="true")) for _ in range(4)]
    for answer in await asyncio.gather(*asked):
        assert answer.text.endswith("data: [DONE]\n\n")


async def tell_speakers(client):
    reference = f"data:audio/wav;base64,{base64.b64encode(recording()).decode()}"
    known = {"known_speaker_names[]": "Ann", "known_speaker_references[]": reference}
    asked = form(recording(padding_s=60), response_format="diarized_json", **known)
    whole, live = await asyncio.gather(
        client.post(TRANSCRIPTIONS, **asked),
        client.post(TRANSCRIPTIONS, **(asked | {"data": asked["data"] | {"stream": "true"}})),
    )
    assert [one["speaker"] for one in whole.json()["segments"]] == ["Ann"]
    assert live.text.count("transcript.text.segment") == 1


async def speak(client):
    formats = ["mp3", "opus", "aac", "flac", "wav", "pcm"]
    content = {"model": "tts-1", "input": f"{TEXT} " * 20, "voice": "alloy"}
    asked = [client.post(SPEECH, json=content | {"response_format": name}) for name in formats]
    asked.append(client.post(SPEECH, json=content | {"stream_format": "sse"}))
    for answer in await asyncio.gather(*asked):
        assert answer.status_code == 200, answer.text
        assert len(answer.content) > 10_000


async def leave_early(client):
    content = {"model": "tts-1", "input": f"{TEXT} " * 100, "voice": "alloy"}
    async with client.stream("POST", SPEECH, json=content) as answer:
        await anext(answer.aiter_bytes())
    request = form(recording(padding_s=300), stream="true")
    async with client.stream("POST", TRANSCRIPTIONS, **request) as answer:
        await anext(answer.aiter_bytes())
    assert (await client.get("/health")).status_code == 200


async def be_refused(client):
    answers = await asyncio.gather(
        client.post(TRANSCRIPTIONS, **form(b"no audio")),
        client.post(TRANSCRIPTIONS, **form(bytes(5 * MIB))),
        client.post(TRANSCRIPTIONS, **form(recording(), language="xx")),
        client.post(TRANSCRIPTIONS, content=b"x", headers={"content-type": "multipart/form-data"}),
        client.post(SPEECH, content=b"{"),
        client.get("/v1/models/nope"),
        client.get("/v1/models", headers={"authorization": "Bearer wrong"}),
        client.get("/nowhere"),
    )
    assert [answer.status_code for answer in answers] == [400, 413, 400, 400, 400, 404, 200, 404]


async def look_around(client):
    paths = ["/health", "/ready", "/v1/models", "/v1/models/fake", "/v1/audio/voices"]
    paths += ["/v1/audio/models", "/openapi.json"]
    for answer in await asyncio.gather(*(client.get(path) for path in paths)):
        assert answer.status_code == 200


VOICES, CONSENTS = "/v1/audio/voices", "/v1/audio/voice_consents"


async def make_voices(client):
    recording_ = {"recording": ("a.wav", recording(), "audio/wav")}
    data = {"name": "Ann", "language": "en-US"}
    consent = (await client.post(CONSENTS, data=data, files=recording_)).json()["id"]
    sample = {"audio_sample": ("a.wav", recording(padding_s=60), "audio/wav")}
    asked = [
        client.post(VOICES, data={"name": "Ann", "consent": consent}, files=sample)
        for _ in range(4)
    ]
    made = [answer.json()["id"] for answer in await asyncio.gather(*asked)]
    for voice in made:
        content = {"model": "tts-1", "input": TEXT, "voice": {"id": voice}}
        assert (await client.post(SPEECH, json=content)).status_code == 200
        assert (await client.post(f"{VOICES}/{voice}", json={"name": "Bob"})).status_code == 200
        assert (await client.get(f"{VOICES}/{voice}")).json()["name"] == "Bob"
    assert (await client.get(VOICES)).text.count("Bob") == 4
    assert (await client.get(CONSENTS)).json()["data"][0]["id"] == consent
    for voice in made:
        assert (await client.delete(f"{VOICES}/{voice}")).status_code == 200
    assert (await client.delete(f"{CONSENTS}/{consent}")).status_code == 200


async def talk_live(client):
    """Two sessions beside each other, and what a session refuses."""
    await asyncio.gather(converse(client, 2400), converse(client, 1_000_000))
    answer = await client.post("/v1/realtime/client_secrets", json={})
    assert answer.json()["value"].startswith("ek_")


async def converse(client, block):
    engine = FakeSynthesizer()
    (stretch,) = engine.synthesize(TEXT, engine.voices[0], 1.0)
    spoken = [stretch.samples, np.zeros(24_000)]
    pcm = (np.concatenate(spoken) * 32767).astype("<i2").tobytes()
    address = str(client.base_url).replace("http", "ws", 1).rstrip("/")
    patient = {"open_timeout": 240, "ping_interval": None}
    async with connect(f"{address}/v1/realtime?intent=transcription", **patient) as socket:
        await socket.send("nonsense")
        await socket.send(json.dumps({"type": "session.update", "session": {}}))
        for at in range(0, len(pcm), block):
            audio = base64.b64encode(pcm[at : at + block]).decode()
            await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        async with asyncio.timeout(240):
            while (event := json.loads(await socket.recv())).get("transcript") is None:
                pass
    assert event["transcript"] == TEXT


SCENES = [
    *(make_voices, transcribe, upload_much, stream, tell_speakers, speak),
    *(leave_early, be_refused, look_around, talk_live),
]


@pytest.mark.parametrize("scene", SCENES, ids=[scene.__name__ for scene in SCENES])
def test_nothing_blocks_the_event_loop(monkeypatch, tmp_path, scene):
    async def play():
        async with served(tmp_path, max_upload_bytes=5 * MIB) as client:
            with watched(monkeypatch):
                await scene(client)

    asyncio.run(play())


def test_nothing_blocks_it_when_all_happens_at_once(monkeypatch, tmp_path):
    async def play():
        async with served(tmp_path, max_upload_bytes=5 * MIB) as client:
            with watched(monkeypatch):
                await asyncio.gather(*(scene(client) for scene in SCENES))

    asyncio.run(play())


@pytest.mark.parametrize(
    "block", [lambda: time.sleep(0.001), lambda: Path(__file__).read_bytes()], ids=["sleep", "read"]
)
def test_the_detector_is_awake(monkeypatch, block):
    async def play():
        with watched(monkeypatch):
            block()

    with pytest.raises(BlockingError):
        asyncio.run(play())

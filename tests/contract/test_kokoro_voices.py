"""Voices of a server with Kokoro and Piper: the table, who steps in, blends and voice files.

How long Kokoro takes over a text depends on the voice alone, so equal lengths tell equal voices.
"""

import base64
import io
from pathlib import Path

import numpy as np
import openai
import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(
        not (ROOT / "models/weights/kokoro-v1.0").is_dir(), reason="Kokoro's weights are not here"
    ),
]

TEXT = "The birds are singing in the garden."
HEART = ROOT / "models/weights/kokoro-v1.0/voices/af_heart.bin"
TABLE = "alloy=bm_lewis,onyx=am_onyx+am_echo"


@pytest.fixture(scope="module")
def kokoro(launch, tmp_path_factory):
    """Kokoro first, Piper beside it, and a table that changes two of OpenAI's names."""
    models = ("--stt", "none", "--tts", "kokoro-v1.0,piper-en_US-joe-medium")
    temporary = tmp_path_factory.mktemp("temporary")
    server = launch("kokoro", *models, "--voices", TABLE, env={"TMPDIR": str(temporary)})
    yield server
    copies = list(temporary.rglob("*espeak*"))
    assert server.stop() == 0
    assert copies, "each phonemizer has a copy of espeak of its own"
    assert list(temporary.rglob("*espeak*")) == []


@pytest.fixture(scope="module")
def client(kokoro):
    with openai.OpenAI(
        base_url=f"{kokoro.url}/v1",
        api_key="sk-none",
        max_retries=0,
        timeout=240,
        _strict_response_validation=True,
    ) as client:
        yield client


@pytest.fixture(scope="module")
def consent(client, phrase):
    return client.audio.voice_consents.create(
        name="Heart agrees", language="en-US", recording=("agreed.wav", phrase)
    ).id


@pytest.fixture(scope="module")
def length(kokoro):
    """`length(voice)`: how many samples TEXT has in it; by model kokoro-v1.0 if not said."""
    known = {}

    def spoken(voice, model="kokoro-v1.0"):
        if (voice, model) not in known:
            reply = kokoro.speak(model=model, voice=voice, input=TEXT, response_format="pcm")
            assert reply.status == 200, reply.body
            known[voice, model] = len(reply.body) // 2
        return known[voice, model]

    return spoken


def test_the_voices_that_the_tests_tell_apart_differ(length):
    voices = ("af_heart", "bm_lewis", "am_onyx", "am_onyx+am_echo", "af_alloy")
    assert len({length(voice) for voice in voices}) == len(voices)


def test_the_setting_changes_the_names_it_has_and_leaves_the_others(length):
    assert length("alloy") == length("bm_lewis")
    assert length("onyx") == length("am_onyx+am_echo")
    assert length("nova") == length("af_nova")


def test_a_name_of_the_table_is_understood_in_blends(length):
    assert length("onyx+af_heart") == length("am_onyx(1)+am_echo(1)+af_heart(2)")


def test_a_voice_that_only_kokoro_has_is_spoken_by_kokoro_under_any_of_openais_models(length):
    assert length("af_heart", "tts-1") == length("af_heart")
    assert length("am_onyx+am_echo", "tts-1") == length("am_onyx+am_echo")


def share_above_pipers_band(pcm):
    """Share of the energy of 24 kHz speech that is too high for the 22.05 kHz of Piper's voices."""
    power = np.abs(np.fft.rfft(np.frombuffer(pcm, "<i2"))) ** 2
    return power[int(len(power) * 11_100 / 12_000) :].sum() / power.sum()


def test_a_request_that_names_piper_stays_with_piper(kokoro):
    reply = kokoro.speak(model="piper", voice="af_heart", input=TEXT, response_format="pcm")
    assert reply.status == 200
    assert share_above_pipers_band(reply.body) < 1e-6
    reply = kokoro.speak(model="kokoro", voice="af_heart", input=TEXT, response_format="pcm")
    assert share_above_pipers_band(reply.body) > 1e-3


def test_each_voice_says_a_sentence_in_its_language(kokoro):
    listed = kokoro.get("/v1/audio/voices").json()["voices"]
    assert all(voice["sample"] for voice in listed)
    by_language = {voice["language"]: voice for voice in listed}
    assert len(by_language) == 9
    for voice in by_language.values():
        reply = kokoro.speak(
            model=voice["model"], voice=voice["id"], input=voice["sample"], response_format="pcm"
        )
        assert reply.status == 200, (voice, reply.body)
        assert len(reply.body) > 24_000 * 2 * 0.8, voice


def test_the_listing_has_openais_names_as_the_default_model_speaks_them(kokoro):
    listed = {voice["id"]: voice for voice in kokoro.get("/v1/audio/voices").json()["voices"]}
    assert listed["alloy"]["language"] == "en-GB"
    assert listed["alloy"]["engine"] == listed["onyx"]["engine"] == "kokoro"
    assert listed["en_US-joe-medium"]["engine"] == "piper"
    assert len([voice for voice in listed.values() if "custom" not in voice]) == 13 + 54 + 1


def test_a_named_blend_is_made_with_the_sdk_and_spoken(client, kokoro, length):  # [96] [97]
    voice = client.audio.voices.create(name="Duo", type="prompt", prompt="af_heart(3)+am_onyx")
    assert (voice.type, voice.prompt) == ("prompt", "af_heart*0.75+am_onyx*0.25")
    for model in ("tts-1", "tts-1-hd", "kokoro"):
        assert length(voice.id, model) == length("af_heart(3)+am_onyx")
    kokoro.speak(model="piper", voice=voice.id).refused(param="voice")
    listed = {entry["id"]: entry for entry in kokoro.get("/v1/audio/voices").json()["voices"]}
    assert (listed[voice.id]["engine"], listed[voice.id]["language"]) == ("kokoro", "en-US")
    client.audio.voices.delete(voice.id)
    kokoro.speak(voice=voice.id).refused(param="voice")


def test_a_blend_is_a_field_of_its_own_too(kokoro, length):
    made = kokoro.post_json("/v1/audio/voices", {"name": "Duo", "blend": "alloy+onyx"}).json()
    assert made["prompt"] == "bm_lewis*0.5+am_onyx*0.25+am_echo*0.25"
    assert made["language"] == "en-GB"
    assert length(made["id"]) == length("alloy+onyx")


def npy(data):
    file = io.BytesIO()
    np.save(file, np.frombuffer(data, "<f4").reshape(510, 1, 256))
    return file.getvalue()


@pytest.mark.parametrize("kind", [bytes, npy])
def test_a_voice_file_is_uploaded_with_the_sdk_and_spoken(client, consent, length, kind):
    voice = client.audio.voices.create(
        name="Heart again", consent=consent, audio_sample=("voice", kind(HEART.read_bytes()))
    )
    assert length(voice.id) == length("af_heart")
    client.audio.voices.delete(voice.id)


def test_a_voice_file_speaks_the_language_that_is_said(kokoro, consent, length):
    parts = [("name", "Cœur"), ("consent", consent), ("language", "fr-FR")]
    body = kokoro.multipart([*parts, ("voice_file", HEART.read_bytes(), "v.bin", None)])
    made = kokoro.send("POST", "/v1/audio/voices", body, kokoro.form_headers).json()
    assert (made["language"], made["type"]) == ("fr-FR", "audio_sample")
    assert length(made["id"]) != length("af_heart")  # it reads English as if it were French


def test_a_file_that_is_no_voice_is_refused_before_anything_is_kept(kokoro, consent):
    parts = [("name", "Nobody"), ("consent", consent)]
    for data in (b"noise", HEART.read_bytes()[:-4], b"\x80\x04." + bytes(100)):
        body = kokoro.multipart([*parts, ("voice_file", data, "v.bin", None)])
        reply = kokoro.send("POST", "/v1/audio/voices", body, kokoro.form_headers)
        assert "(510, 1, 256)" in reply.refused(param="voice_file")["message"]
    assert "Nobody" not in kokoro.get("/v1/audio/voices").text


def test_a_recording_needs_an_engine_that_clones_and_is_not_retried(client, consent, phrase):
    with pytest.raises(
        openai.InternalServerError, match=r"clones voices.*kokoro, piper"
    ) as refused:
        client.audio.voices.create(name="Ann", consent=consent, audio_sample=("a.wav", phrase))
    assert refused.value.status_code == 501
    assert refused.value.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("model", ["kokoro-v1.0", "piper-en_US-joe-medium"])
def test_words_are_told_beside_the_sound_as_they_were_written_too(kokoro, model):
    text = (
        "The **old** boat cost $5. Nobody in the whole village was surprised, except for Dr. Lee."
    )
    events = kokoro.speak(
        model=model,
        input=text,
        response_format="pcm",
        stream_format="sse",
        timestamp_granularities=["word"],
        subtitles="vtt",
    ).events()
    told = [word for event in events for word in event.get("words", [])]
    assert " ".join(word["word"] for word in told[:6]) == "The old boat cost 5 dollars."
    assert [word["written"] for word in told[:6]] == ["The", "old", "boat", "cost", "$5.", "$5."]
    for word in told:
        assert text[word["offset"] :].startswith(word["written"])
    seconds = sum(len(base64.b64decode(event.get("audio", ""))) for event in events) / 48_000
    starts = [word["start"] for word in told]
    assert starts == sorted(starts)
    assert all(word["start"] <= word["end"] <= seconds for word in told)
    cues = next(event["text"] for event in events if event["type"] == "speech.audio.subtitles")
    assert cues.startswith("WEBVTT\n\n00:00:00.")
    assert cues.endswith("Lee.\n\n")
    assert "The old boat cost 5 dollars.\n" in cues
    assert events[-1]["type"] == "speech.audio.done"

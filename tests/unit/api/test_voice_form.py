"""What a voice is made of, by which engine, and what is said where none can."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from myna.api.forms import Form, Upload
from myna.api.spool import Spool
from myna.api.voice_form import made, read
from myna.engines.contract.voice import Voice
from myna.engines.fake import FakeSynthesizer
from myna.engines.kokoro import KokoroSynthesizer
from myna.engines.kokoro.voices import SHAPE
from myna.errors import BadRequest, MynaError, NotImplementedHere, PayloadTooLarge

MIB = 1024 * 1024
TABLE = np.full(SHAPE, 0.5, "<f4").tobytes()
WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(100)
CONSENT = "cons_" + "0" * 32


class Silent:
    """No network; nothing is spoken here."""

    sample_rate_hz = 24_000
    times = False


def kokoro() -> Any:
    voices = [Voice("af_heart", "Heart", "en-US"), Voice("am_onyx", "Onyx", "en-US")]
    model: Any = Silent()
    return KokoroSynthesizer(model, "kokoro", voices, {}, stand_ins={"onyx": "am_onyx"})


class Piper:
    """Neither mixes nor reads voices."""

    kind = "piper"
    voices = (Voice("joe", "Joe", "en-US"),)


def form(*, name: str | None = "Duo", consent: str | None = None, **fields: str | bytes) -> Form:
    given = {"name": name, "consent": consent}
    texts = [(key, value) for key, value in given.items() if value is not None]
    uploads: dict[str, Upload] = {}
    for key, value in fields.items():
        if isinstance(value, str):
            texts.append((key, value))
            continue
        file = Spool().file()
        file.write(value)
        file.rewind()
        uploads[key] = Upload(file, "x", "", len(value))
    return Form(texts, uploads)


def outcome(engines: list[Any], **fields: Any) -> Any:
    given = form(**fields)
    try:
        return made(read(given), engines)
    finally:
        asyncio.run(given.close())


@pytest.mark.parametrize("field", ["blend", "prompt"])
def test_a_blend_is_kept_as_it_is_understood_now(field):
    voice, file = outcome([Piper(), kokoro()], **{field: "af_heart(3)+onyx"})
    assert file is None
    assert (voice.engine, voice.type, voice.language) == ("kokoro", "prompt", "en-US")
    assert voice.blend == "af_heart*0.75+am_onyx*0.25"


def test_a_single_voice_may_be_called_something_else():
    assert outcome([kokoro()], blend="af_heart")[0].blend == "af_heart"


@pytest.mark.parametrize("field", ["voice_file", "audio_sample"])
def test_a_voice_file_is_kept_as_it_is(field):
    voice, file = outcome([kokoro()], consent=CONSENT, language="fr-FR", **{field: TABLE})
    assert file == TABLE
    assert (voice.type, voice.language, voice.consent) == ("audio_sample", "fr-FR", CONSENT)


def test_a_recording_goes_to_an_engine_that_clones():
    voice, file = outcome([kokoro(), FakeSynthesizer()], consent=CONSENT, audio_sample=WAV)
    assert (voice.engine, file) == ("fake", WAV)


def test_a_voice_file_goes_to_the_engine_whose_kind_it_is():
    voice, _ = outcome([FakeSynthesizer(), kokoro()], consent=CONSENT, voice_file=TABLE)
    assert voice.engine == "kokoro"


@pytest.mark.parametrize(
    ("engines", "fields", "said"),
    [
        ([kokoro()], {"audio_sample": WAV}, "clones voices.*loaded: kokoro.*voice_file"),
        ([Piper()], {"audio_sample": WAV}, "clones voices.*loaded: piper.*With kokoro"),
        ([kokoro()], {"prompt": "A warm (female) voice"}, "designs voices"),
        ([kokoro()], {"prompt": "A warm voice", "type": "prompt"}, "designs voices"),
        ([Piper()], {"blend": "af_heart+am_onyx"}, "needs the engine kokoro"),
        ([Piper()], {"voice_file": TABLE}, "needs the engine kokoro"),
        ([], {"audio_sample": WAV}, "loaded: none"),
    ],
)
def test_what_no_engine_can_do_says_which_could(engines, fields, said):
    """Even without a consent: who cannot have the voice need not ask anybody for one."""
    with pytest.raises(NotImplementedHere, match=said):
        outcome(engines, **fields)


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({}, "audio_sample", "audio_sample, prompt, blend or voice_file"),
        ({"name": None}, "name", "Missing"),
        ({"name": "  ", "blend": "af_heart"}, "name", "Missing"),
        ({"name": "x" * 101, "blend": "af_heart"}, "name", "longer than 100"),
        ({"name": "a\x07b", "blend": "af_heart"}, "name", "control"),
        ({"type": "clone", "blend": "af_heart"}, "type", "not one of"),
        ({"blend": "af_heart+"}, "blend", "^Invalid 'blend': .*no part of a blend"),
        ({"blend": "af_heart+nobody"}, "blend", "no voice 'nobody'"),
        ({"blend": "nobody"}, "blend", "there is no 'nobody'"),
        ({"voice_file": b"noise"}, "voice_file", "no Kokoro voice file: it has 5 bytes"),
        ({"audio_sample": b"noise"}, "audio_sample", "no Kokoro voice file"),
        ({"voice_file": b""}, "voice_file", "empty"),
        ({"voice_file": "text"}, "voice_file", "as a file"),
        ({"voice_file": TABLE}, "consent", "Missing 'consent'"),
        ({"voice_file": TABLE, "language": "de-DE"}, "language", "use one of"),
        ({"voice_file": TABLE, "language": "1"}, "language", "BCP 47"),
    ],
)
def test_what_is_wrong_is_named_with_the_field(fields, param, said):
    with pytest.raises(BadRequest, match=said) as refused:
        outcome([kokoro()], **fields)
    assert refused.value.param == param


def test_a_sample_that_is_no_audio_is_said_to_be_none():
    with pytest.raises(BadRequest, match="Supported formats") as refused:
        outcome([FakeSynthesizer()], consent=CONSENT, audio_sample=b"noise")
    assert refused.value.param == "audio_sample"


def test_a_file_beyond_10_mib_is_too_large():
    with pytest.raises(PayloadTooLarge):
        outcome([kokoro()], voice_file=bytes(10 * MIB + 1))


@pytest.mark.parametrize("data", [b"\0", b"RIFF", b"ID3", b"PK\x03\x04", TABLE[:-1]])
def test_no_file_ends_in_anything_but_a_refusal(data):
    with pytest.raises(MynaError):
        outcome([kokoro()], voice_file=data)

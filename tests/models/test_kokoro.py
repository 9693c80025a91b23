"""Kokoro itself: what it says is what Whisper hears, in the voice that was asked for."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import jiwer
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from myna.audio.codecs import layout_of
from myna.audio.encode import encoder
from myna.audio.joints import joined
from myna.audio.windows import Cutting
from myna.engines.contract.transcriber import DecodingOptions
from myna.engines.contract.voice import OPENAI_VOICES, Voice
from myna.engines.kokoro import KokoroSynthesizer
from myna.engines.kokoro.network import exact_products, lean
from myna.engines.sessions import onnx_session
from myna.errors import BadRequest
from myna.scheduling.pieces import Utterance
from myna.scheduling.residents import Residents
from myna.scheduling.voices import voice_named

WEIGHTS = Path(__file__).parents[2] / "models/weights"

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(
        not (WEIGHTS / "kokoro-v1.0").is_dir(), reason="the weights of Kokoro are not here"
    ),
]

SENTENCES = (
    ("af_heart", "The quick brown fox jumps over the lazy dog."),
    ("af_heart", "Please send the report before nine o'clock."),
    ("am_onyx", "She bought three apples and two oranges."),
    ("am_onyx", "The weather was cold, so they stayed at home."),
    ("bm_fable", "Our train leaves in twenty minutes."),
    ("bf_emma", "The library closes early on Friday."),
    ("af_nova", "Where is the nearest hospital, please?"),
    ("am_echo", "The older boys bought bottled water."),
    ("af_alloy", "Mr. Brown paid 3.50 dollars, e.g. for the book."),
    ("af_heart+am_onyx", "They walked along the beach at sunset."),
)

OTHERS = (
    ("ef_dora", "es", "La biblioteca cierra temprano."),
    ("ff_siwis", "fr", "Ils sont restés à la maison."),
    ("pf_dora", "pt", "Eles ficaram em casa o dia todo."),
)

UNBROKEN = (
    "after the long winter the farmers went back to the fields and found that the river had "
    "carried away the old bridge so they gathered wood from the forest and began to build another "
    "one while their children brought bread and cheese from the village and sang songs about the "
    "spring and the birds that return from the south when the snow is gone and nobody complained "
    "about the work because everybody knew that without the bridge no wagon could reach the market"
)


@pytest.fixture(scope="module")
def kokoro(residents: Residents) -> KokoroSynthesizer:
    engine = residents.speaker("kokoro", strict=True).service.engine
    assert isinstance(engine, KokoroSynthesizer)
    return engine


async def spoken(residents: Residents, text: str, voice: Voice) -> bytes:
    service = residents.speaker("tts-1-hd", strict=True).service
    utterance = Utterance(text, voice, 1.0, layout_of("wav"))
    return b"".join([part.data async for part in service.speak(utterance)])


async def heard(residents: Residents, audio: bytes, language: str) -> str:
    service = residents.stt.residents[0].service
    with tempfile.TemporaryFile() as file:
        file.write(audio)
        file.flush()
        options = DecodingOptions(language=language)
        transcription = await service.open(file.fileno(), options, Cutting())
        return (await transcription.run()).text


def compared(wanted: str, got: str) -> jiwer.WordOutput:
    normal = EnglishTextNormalizer()
    return jiwer.process_words(normal(wanted), normal(got))


def said(kokoro: KokoroSynthesizer, text: str, voice: str, speed: float = 1.0) -> np.ndarray:
    made = kokoro.synthesize(text, voice_named(voice, kokoro), speed)
    return joined(made, kokoro.sample_rate_hz, speed=speed).samples


def wav(samples: np.ndarray) -> bytes:
    coder = encoder(layout_of("wav"), 24_000)
    try:
        return coder.encode(samples) + coder.finish()
    finally:
        coder.close()


def test_ten_sentences_come_back_with_at_most_one_word_in_twenty_wrong(residents, kokoro):
    async def round_trip(voice: str, text: str) -> str:
        audio = await spoken(residents, text, voice_named(voice, kokoro))
        return await heard(residents, audio, "en")

    async def everything() -> list[str]:
        return await asyncio.gather(*(round_trip(*sentence) for sentence in SENTENCES))

    texts = asyncio.run(everything())
    found = [compared(text, got) for (_, text), got in zip(SENTENCES, texts, strict=True)]
    wrong = sum(each.substitutions + each.deletions + each.insertions for each in found)
    assert wrong / sum(len(each.references[0]) for each in found) <= 0.05, texts


def test_other_languages_come_back_too(residents, kokoro):
    async def round_trip(voice: str, language: str, text: str) -> str:
        audio = await spoken(residents, text, voice_named(voice, kokoro))
        return await heard(residents, audio, language)

    async def everything() -> list[str]:
        return await asyncio.gather(*(round_trip(*each) for each in OTHERS))

    texts = asyncio.run(everything())
    found = [compared(text, got) for (_, _, text), got in zip(OTHERS, texts, strict=True)]
    wrong = sum(each.substitutions + each.deletions + each.insertions for each in found)
    assert wrong / sum(len(each.references[0]) for each in found) <= 0.2, texts


def test_a_text_without_marks_that_takes_several_runs_loses_no_words(residents, kokoro):
    made = list(kokoro.synthesize(UNBROKEN, voice_named("af_heart", kokoro), 1.25))
    assert len(made) > 1
    audio = wav(joined(made, kokoro.sample_rate_hz, speed=1.25).samples)
    found = compared(UNBROKEN, asyncio.run(heard(residents, audio, "en")))
    assert found.deletions <= 2  # an "and" that Whisper took for an "n"
    assert found.wer <= 0.05


def test_openais_13_names_have_13_different_sounds(kokoro):
    voices = [voice_named(name, kokoro) for name in OPENAI_VOICES]
    assert len({voice.id for voice in voices}) == len(OPENAI_VOICES)
    with ThreadPoolExecutor(kokoro.workers) as pool:
        sounds = list(pool.map(lambda voice: said(kokoro, "Hi.", voice.id), voices))
    for one, other in combinations(sounds, 2):
        assert differ(one, other)


def test_a_blend_differs_from_both_of_its_parts(kokoro):
    names = ("af_heart", "am_onyx", "af_heart+am_onyx", "af_heart(3)+am_onyx(1)")
    for one, other in combinations([said(kokoro, "Hi.", name) for name in names], 2):
        assert differ(one, other)
    again = said(kokoro, "Hi.", "af_heart*.75+am_onyx*.25")
    assert not differ(again, said(kokoro, "Hi.", names[3]))


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two sounds are different. The same voice says the same to the sample, or nearly."""
    if abs(len(one) - len(other)) > 600:
        return True
    length = min(len(one), len(other))
    return bool(np.abs(one[:length] - other[:length]).mean() > 0.005)


def test_a_blend_of_an_unknown_voice_says_where_voices_are_listed(kokoro):
    with pytest.raises(BadRequest, match="GET /v1/audio/voices") as refused:
        voice_named("af_heart+nobody", kokoro)
    assert refused.value.param == "voice"


def test_speed_scales_the_duration(kokoro):
    text, speeds = "The birds repeat all that they hear.", (1.0, 0.5, 2.0, 4.0)
    with ThreadPoolExecutor(kokoro.workers) as pool:
        sounds = list(pool.map(lambda speed: said(kokoro, text, "af_heart", speed), speeds))
    for speed, sound in zip(speeds, sounds, strict=True):
        assert len(sound) * speed == pytest.approx(len(sounds[0]), rel=0.2)


def test_odd_text_is_said_all_the_same(kokoro):
    texts = ("你好 там résumé", "$5.99 — 100%", "[[ h@l@U ]]", "<b>a_b</b>")
    with ThreadPoolExecutor(kokoro.workers) as pool:
        for sound in pool.map(lambda text: said(kokoro, text, "af_heart"), texts):
            assert len(sound) > 0.5 * kokoro.sample_rate_hz


def test_quality_names_mean_kokoro_and_quick_ones_piper(residents):
    means = {name: meant.id for name, meant in residents.tts.names()}
    assert means["tts-1"] == "piper-en_US-joe-medium"
    assert means["tts-1-hd"] == means["gpt-4o-mini-tts"] == "kokoro-v1.0"
    assert residents.speaker("unknown", strict=False).id == "piper-en_US-joe-medium"


def test_what_is_less_work_makes_the_same_sound_to_the_last_bit() -> None:
    if not exact_products():
        pytest.skip("sums of 8-bit products overflow on this processor, which has it as it is")
    (file,) = (WEIGHTS / "kokoro-v1.0").glob("*.onnx")
    network = file.read_bytes()
    written = lean(network)
    assert written != network
    styles = np.fromfile(WEIGHTS / "kokoro-v1.0/voices/af_heart.bin", np.float32)
    feed = {
        "tokens": np.array([[0, *range(43, 83), 0]]),
        "style": styles.reshape(510, 1, 256)[40],
        "speed": np.ones(1, np.float32),
    }
    was, made = (
        onnx_session(each, "cpu", 1, also="/encoder/Clip_output_0").run(None, feed)
        for each in (network, written)
    )
    assert len(made) == len(was) == 2
    for one, other in zip(was, made, strict=True):
        assert np.array_equal(one, other)

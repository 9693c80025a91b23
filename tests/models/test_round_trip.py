"""What is spoken is what is heard: the whole way through both engines, with real models."""

from __future__ import annotations

import asyncio
import tempfile
from itertools import pairwise

import jiwer
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from myna.audio.codecs import layout_of
from myna.audio.windows import Cutting
from myna.engines.contract.transcriber import DecodingOptions
from myna.scheduling.pieces import Utterance
from myna.scheduling.residents import Residents
from myna.scheduling.voices import voice_named
from myna.text.transcript import Transcript

pytestmark = pytest.mark.models

SENTENCES = (
    "The quick brown fox jumps over the lazy dog near the river bank.",
    "Please send the report to the office before nine o'clock tomorrow morning.",
    "She bought three apples, two oranges and a loaf of bread at the market.",
    "The weather was cold and windy, so they stayed at home all day.",
    "Our train leaves from platform seven in about twenty minutes.",
    "He has been learning to play the piano since he was a child.",
    "The library closes early on Friday, but it is open all weekend.",
    "Scientists have discovered a new planet far beyond our solar system.",
    "Could you tell me where the nearest hospital is, please?",
    "They walked along the beach and watched the sun go down.",
)


async def spoken(residents: Residents, text: str, format_: str) -> bytes:
    service = residents.tts.residents[0].service
    utterance = Utterance(text, voice_named("alloy", service.engine), 1.0, layout_of(format_))
    return b"".join([part.data async for part in service.speak(utterance)])


async def heard(residents: Residents, audio: bytes, **options) -> Transcript:
    service = residents.stt.residents[0].service
    with tempfile.TemporaryFile() as file:
        file.write(audio)
        file.flush()
        transcription = await service.open(file.fileno(), DecodingOptions(**options), Cutting())
        return await transcription.run()


def errors(wanted: str, got: str) -> tuple[int, int]:
    """Word errors, and how many words there were."""
    normal = EnglishTextNormalizer()
    found = jiwer.process_words(normal(wanted), normal(got))
    return found.substitutions + found.deletions + found.insertions, len(normal(wanted).split())


def test_ten_sentences_come_back_with_at_most_one_word_in_twenty_wrong(residents):
    async def round_trip(text: str) -> Transcript:
        return await heard(residents, await spoken(residents, text, "wav"), language="en")

    async def everything() -> list[Transcript]:
        return await asyncio.gather(*map(round_trip, SENTENCES))

    transcripts = asyncio.run(everything())
    counts = [errors(text, found.text) for text, found in zip(SENTENCES, transcripts, strict=True)]
    assert sum(wrong for wrong, _ in counts) / sum(words for _, words in counts) <= 0.05


def test_a_text_of_many_sentences_loses_none_of_them(residents):
    text = " ".join(SENTENCES)
    transcript = asyncio.run(_said(residents, text))
    wrong, words = errors(text, transcript.text)
    assert wrong / words <= 0.06
    assert transcript.duration_s > 25  # more than one window


async def _said(residents: Residents, text: str) -> Transcript:
    return await heard(residents, await spoken(residents, text, "mp3"))


def test_silence_and_noise_come_to_no_words(residents):
    import numpy as np

    from myna.audio.encode import encoder

    rng = np.random.default_rng(7)
    tone = np.sin(np.arange(160_000) * 2 * np.pi * 440 / 16_000).astype(np.float32) * 0.3
    quiet = [
        np.zeros(160_000, np.float32),
        rng.standard_normal(160_000).astype(np.float32) * 0.05,
        tone,
    ]
    for samples in quiet:
        coder = encoder(layout_of("wav"), 16_000)
        audio = coder.encode(samples) + coder.finish()
        coder.close()
        assert asyncio.run(heard(residents, audio)).segments == ()


def test_word_timestamps_are_in_order_inside_the_audio_and_end_with_the_speech(residents):
    audio = asyncio.run(spoken(residents, " ".join(SENTENCES[:2]), "flac"))
    transcript = asyncio.run(heard(residents, audio, word_timestamps=True, language="en"))
    words = transcript.words
    assert len(words) > 20
    for before, word in pairwise(words):
        assert before.start_s <= before.end_s <= word.start_s
    assert words[0].start_s >= 0
    # Piper ends a sentence with 0.2 s of silence.
    assert abs(words[-1].end_s - (transcript.duration_s - 0.2)) <= 0.5

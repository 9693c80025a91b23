"""Texts of every kind are heard as they should be said.

One sentence of each kind here; `make bench ARGS="--only speech-text"` has all of them.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence

import pytest
from hearing import Sentence, compared, sentences

from myna.audio.codecs import layout_of
from myna.audio.windows import Cutting
from myna.engines.contract.transcriber import DecodingOptions
from myna.scheduling.pieces import Utterance
from myna.scheduling.residents import Residents
from myna.scheduling.voices import voice_named

pytestmark = pytest.mark.models

PIPER, KOKORO = "piper-en_US-joe-medium", "kokoro-v1.0"
SAMPLE = list({sentence.kind: sentence for sentence in reversed(sentences())}.values())
LEFT_TO_THE_VOICE = {"plain", "marks", "unbroken", "controls", "emoji", "lists", "currency"}
"""Kinds that a voice may stumble over. The others come to it as the same plain words, whichever it
is, and Piper says them in a fifth of Kokoro's time."""
MOST_WRONG = 0.06


async def heard_again(residents: Residents, model: str, text: str) -> str:
    speaker = residents.speaker(model, strict=True).service
    utterance = Utterance(text, voice_named("alloy", speaker.engine), 1.0, layout_of("wav"))
    listener = residents.stt.residents[0].service
    with tempfile.TemporaryFile() as file:
        async for part in speaker.speak(utterance):
            file.write(part.data)
        file.flush()
        options = DecodingOptions(language="en")
        transcription = await listener.open(file.fileno(), options, Cutting())
        return (await transcription.run()).text


def check(spoken: Sequence[Sequence[Sentence]], residents: Residents, model: str) -> None:
    """Texts of sentences, each spoken as one request: few words wrong, and no sentence lost."""

    async def everything() -> list[str]:
        texts = ["\n\n".join(sentence.written for sentence in text) for text in spoken]
        return await asyncio.gather(*(heard_again(residents, model, text) for text in texts))

    texts = asyncio.run(everything())
    found = [compared(said, text) for said, text in zip(spoken, texts, strict=True)]
    assert [sentence for one in found for sentence in one.lost] == [], texts
    wrong = sum(one.errors for one in found) / sum(one.words for one in found)
    assert wrong <= MOST_WRONG, texts


@pytest.mark.timeout(900)  # minutes of speech, where the machine has other things to do
def test_a_sentence_of_each_kind_is_heard_as_it_should_be_said(residents):
    check([[sentence] for sentence in SAMPLE], residents, PIPER)


def test_what_is_left_to_the_voice_kokoro_says_too(residents):
    chosen = [sentence for sentence in SAMPLE if sentence.kind in LEFT_TO_THE_VOICE]
    assert len(chosen) == len(LEFT_TO_THE_VOICE)
    check([[sentence] for sentence in chosen], residents, KOKORO)


def test_all_of_them_in_one_text_lose_none(residents):
    check([SAMPLE], residents, PIPER)

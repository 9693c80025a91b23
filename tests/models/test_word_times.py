"""Where real voices say that their words are, against the sound and against what Whisper hears."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

import numpy as np
import pytest

from myna.text.spoken import spoken

pytestmark = pytest.mark.models

PIPER, KOKORO = "piper-en_US-joe-medium", "kokoro-v1.0"

TEXT = (
    "The water was low and very clear. My brother counted eleven fish under the wooden bridge. "
    "In 1984 a farmer gave us bread and cheese for $5. When the rain began, we waited in his "
    "kitchen."
)
SAID = spoken(TEXT, "en-US")
"""Words are those that are said: "five dollars", not "$5"."""
VOICES = [(PIPER, "alloy"), (KOKORO, "af_heart"), (KOKORO, "am_onyx")]


def bare(text):
    return re.sub(r"[^\w$]", "", text).lower()


@pytest.mark.parametrize(("model", "voice"), VOICES)
@pytest.mark.parametrize("speed", [1.0, 2.5])
def test_every_word_is_told_once_in_order_and_has_sound_in_it(studio, model, voice, speed):
    speech = studio.say(model, voice, TEXT, words=True, speed=speed)
    assert "".join(word.text for word in speech.words) == SAID
    last_s = 0.0
    for word in speech.words:
        assert last_s <= word.start_s <= word.end_s
        last_s = word.start_s
        # What is made faster afterwards moves by some hundredths of a second.
        begin, end = max(0.0, word.start_s - 0.03), word.end_s + 0.03
        inside = speech.samples[round(begin * 24_000) : round(end * 24_000)]
        assert np.sqrt(np.mean(np.square(inside))) > 0.003, word
    assert last_s < len(speech.samples) / 24_000


@pytest.mark.parametrize(("model", "voice"), VOICES)
def test_a_sentence_begins_and_ends_where_its_sound_does(studio, model, voice):
    speech = studio.say(model, voice, TEXT, words=True)
    frames = speech.samples[: len(speech.samples) // 240 * 240].reshape(-1, 240)
    power = np.square(frames).mean(axis=1)
    silent = power < power.max() * 10**-3.5
    words = speech.words
    for number, word in enumerate(words[1:], start=1):
        if not words[number - 1].text.endswith("."):
            continue
        middle = round((words[number - 1].end_s + word.start_s) * 50)
        assert silent[middle], "a sentence begins behind a pause"
        onset_s = np.flatnonzero(~silent[middle:])[0] / 100 + middle / 100
        ended_s = (np.flatnonzero(~silent[:middle])[-1] + 1) / 100
        assert word.start_s == pytest.approx(onset_s, abs=0.1)
        assert words[number - 1].end_s == pytest.approx(ended_s, abs=0.25)


@pytest.mark.parametrize(("model", "voice"), VOICES)
def test_whisper_hears_the_same_words_at_about_the_same_times(studio, model, voice):
    """Whisper itself puts words about a tenth of a second early."""
    speech = studio.say(model, voice, TEXT, words=True)
    heard = studio.hear(speech.samples, word_timestamps=True, language="en").words
    ours, theirs = ([bare(word.text) for word in words] for words in (speech.words, heard))
    apart = [
        speech.words[block.a + at].start_s - heard[block.b + at].start_s
        for block in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
        for at in range(block.size)
    ]
    assert len(apart) > 0.7 * len(ours)
    assert np.median(np.abs(apart)) < 0.16
    assert np.percentile(np.abs(np.array(apart) - np.median(apart)), 90) < 0.2

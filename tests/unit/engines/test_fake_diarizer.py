"""The fake engine's voices told apart by their loudness."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from myna.audio.overlap import OverlappingWindows
from myna.engines.contract.diarizer import Diarizer, SpeakerOptions
from myna.engines.contract.samples import SAMPLE_RATE_HZ
from myna.engines.fake import FakeSynthesizer
from myna.engines.fake_diarizer import FakeDiarizer
from myna.text.transcript import Turn

EARS: Diarizer = FakeDiarizer()
SPEAKER = FakeSynthesizer()


def said(*lines: tuple[str, str]) -> np.ndarray:
    voices = {voice.id: voice for voice in SPEAKER.voices}
    blocks = [
        block
        for voice, text in lines
        for stretch in SPEAKER.synthesize(text, voices[voice], 1.0)
        for block in (stretch.samples, np.zeros(12_000, np.float32))
    ]
    return soxr.resample(np.concatenate(blocks), SPEAKER.sample_rate_hz, SAMPLE_RATE_HZ)


def turns(samples: np.ndarray, **options) -> list[Turn]:
    following = EARS.follow(SpeakerOptions(**options))
    windows = OverlappingWindows(EARS.window_s, EARS.step_s)
    found: list[Turn] = []
    for window in [*windows.feed(samples), *windows.finish()]:
        following.add(EARS.hear(window))
        found += following.take()
    following.finish()
    return [*found, *following.take()]


TALK = (("alloy", "who is there tonight"), ("echo", "only me"), ("alloy", "come in"))


@pytest.mark.parametrize("live", [False, True])
def test_every_voice_is_a_speaker_in_order_of_appearance(live):
    found = turns(said(*TALK), live=live)
    order = [turn.speaker for turn in found]
    assert [one for at, one in enumerate(order) if at == 0 or order[at - 1] != one] == [0, 1, 0]


def test_a_known_voice_is_recognised():
    known = EARS.voice(said(("echo", "a word or two")))
    assert known is not None
    found = turns(said(*TALK), known=(known,))
    assert {turn.speaker for turn in found} == {0, 1}
    assert found[0].speaker == 1


def test_there_are_no_more_than_there_may_be():
    assert {turn.speaker for turn in turns(said(*TALK), most=1)} == {0}


def test_silence_has_no_voice_and_no_turns():
    assert EARS.voice(np.zeros(48_000, np.float32)) is None
    assert turns(np.zeros(48_000, np.float32)) == []

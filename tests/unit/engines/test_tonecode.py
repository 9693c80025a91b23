import io
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.engines.contract.samples import SAMPLE_RATE_HZ
from myna.engines.tonecode import decode, encode

RATE_HZ = 24_000
TEXT = "The quick brown fox jumps over the lazy dog, 42 times! Größe 你好世界 😀 zzzz aaaa."


def speech(text=TEXT, voice=0, speed=1.0):
    """float32 at 24 kHz, as loud as the fake synthesizer's voices."""
    return np.float32(0.15 + 0.01 * voice) * np.concatenate(list(encode(text, RATE_HZ, speed)))


def frame(samples):
    pcm = (np.clip(samples, -1, 1) * 32_767).astype(np.int16)
    made = av.AudioFrame.from_ndarray(pcm[None], "s16", "mono")
    made.sample_rate = RATE_HZ
    made.time_base = Fraction(1, RATE_HZ)
    return made


def listened(frames, rate_hz=SAMPLE_RATE_HZ):
    resampler = av.AudioResampler("flt", "mono", rate_hz)
    made = [part.to_ndarray()[0] for one in [*frames, None] for part in resampler.resample(one)]
    return np.concatenate(made)


def recorded(samples):
    """As 16-bit PCM, resampled to 16 kHz."""
    return listened([frame(samples)])


def coded(samples, container, codec, rate_hz, bit_rate):
    """Through a lossy coder and back."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz, layout="mono")
        stream.bit_rate = bit_rate
        output.mux([*stream.encode(frame(samples)), *stream.encode(None)])
    file.seek(0)
    with av.open(file) as source:
        return listened(source.decode(audio=0))


def said(samples):
    return "".join(word.text for word in decode(samples.astype(np.float32))).strip()


@pytest.mark.parametrize("speed", [0.25, 0.7, 1.0, 1.5, 2.37, 4.0])
@pytest.mark.parametrize("voice", [0, 12])
def test_speech_is_understood_at_any_speed_and_voice(speed, voice):
    assert said(recorded(speech(voice=voice, speed=speed))) == TEXT


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
@pytest.mark.parametrize(
    ("container", "codec", "rate_hz", "bit_rate"),
    [
        ("mp3", "libmp3lame", 24_000, 64_000),
        ("ogg", "libopus", 48_000, 64_000),
        ("adts", "aac", 24_000, 64_000),
    ],
)
def test_speech_is_understood_through_lossy_coders(speed, container, codec, rate_hz, bit_rate):
    assert said(coded(speech(speed=speed), container, codec, rate_hz, bit_rate)) == TEXT


def test_speech_is_understood_over_the_telephone():
    narrow = listened([frame(speech())], 8000)
    pcm = av.AudioFrame.from_ndarray((narrow * 32_767).astype(np.int16)[None], "s16", "mono")
    pcm.sample_rate = 8000
    assert said(listened([pcm])) == TEXT


def test_quiet_and_noisy_speech_is_understood():
    samples = recorded(speech())
    noise = np.random.default_rng(7).normal(0, 0.02, len(samples))
    assert said(samples * 0.03) == TEXT
    assert said(samples + noise) == TEXT


def test_speech_between_silences_is_understood():
    silence = np.zeros(8000, np.float32)
    samples = np.concatenate([silence, recorded(speech("one")), silence, recorded(speech("two"))])
    assert said(samples) == "one two"


def test_pieces_spoken_one_after_the_other_are_one_text():
    assert said(recorded(np.concatenate([speech("Hello there."), speech("Bye.")]))) == (
        "Hello there. Bye."
    )


def test_long_words_have_pauses_but_no_spaces():
    text = "https://example.org/" + "abcdefghij" * 9 + " " + "没有空格的文字" * 12
    assert said(recorded(speech(text, speed=4))) == text


@settings(max_examples=30)
@given(st.text(st.characters(codec="utf-8"), max_size=40), st.floats(0.25, 4.0))
def test_any_text_comes_back_with_its_white_space_made_single(text, speed):
    samples = speech(text, speed=speed)
    assert said(recorded(samples)) == " ".join(text.split())


def test_text_that_is_no_utf8_is_spoken_all_the_same():
    assert said(recorded(speech("a\ud800b"))) == "a?b"

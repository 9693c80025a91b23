"""The six formats of speech, checked by decoding them again."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.audio.codecs import CONTENT_TYPES, SPEECH_RATE_HZ, SpeechFormat, layout_of
from myna.audio.encode import encoder, to_pcm, wav_header
from myna.errors import BadRequest

FORMATS: tuple[SpeechFormat, ...] = get_args(SpeechFormat)
LOSSLESS = ("flac", "wav", "pcm")
PIPER_HZ = 22_050

PRIMING = {"mp3": 1105 + 1728, "aac": 1024 + 1024}
"""Samples that an encoder may add: its delay, which the file cannot tell, and the last frame."""


@dataclass
class Decoded:
    samples: np.ndarray
    rate_hz: int
    channels: int
    codec: str


def encoded(
    kind: str,
    samples: np.ndarray,
    rate_hz: int = SPEECH_RATE_HZ,
    block: int | None = None,
    **options: int,
) -> bytes:
    with encoder(layout_of(kind, **options), rate_hz) as stream:
        size = block or max(1, len(samples))
        parts = [stream.encode(samples[at : at + size]) for at in range(0, len(samples), size)]
        return b"".join(parts) + stream.finish()


def decoded(kind: str, data: bytes) -> Decoded:
    if kind == "pcm":
        samples = np.frombuffer(data, "<i2").astype(np.float32) / 32768
        return Decoded(samples, SPEECH_RATE_HZ, 1, "pcm_s16le")
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        to_float = av.AudioResampler(format="flt", layout="mono", rate=stream.rate)
        frames = list(container.decode(stream))
        floats = [out for frame in [*frames, None] for out in to_float.resample(frame)]
        blocks = [frame.to_ndarray()[0] for frame in floats if frame is not None]
        joined = np.concatenate([np.zeros(0, np.float32), *blocks])
        return Decoded(joined, stream.rate, stream.channels, stream.codec_context.name)


def sine(seconds: float, rate_hz: int, hz: float = 440.0, level: float = 0.5) -> np.ndarray:
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def speechlike(seconds: float, rate_hz: int = SPEECH_RATE_HZ) -> np.ndarray:
    """Harmonics of a gliding pitch in syllables, so that a shift in time shows."""
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 0.7 * at)) / rate_hz
    voice = sum(np.sin(k * phase) / k for k in range(1, 12))
    return (0.2 * voice * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * at))).astype(np.float32)


def loudest_hz(samples: np.ndarray, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate_hz / len(samples)


def best_correlation(heard: np.ndarray, said: np.ndarray, up_to: int) -> float:
    """The highest correlation over delays of 0 to `up_to` samples."""
    padded = np.concatenate([heard, np.zeros(up_to + len(said), np.float32)])
    scores = [
        np.dot(padded[lag : lag + len(said)], said)
        / (np.linalg.norm(padded[lag : lag + len(said)]) * np.linalg.norm(said) + 1e-9)
        for lag in range(up_to)
    ]
    return float(max(scores))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rate_hz", [16_000, PIPER_HZ, 24_000])
def test_a_tone_comes_back_with_its_pitch_level_and_length(kind: str, rate_hz: int) -> None:
    heard = decoded(kind, encoded(kind, sine(1.5, rate_hz), rate_hz))

    assert heard.rate_hz == (48_000 if kind == "opus" else 24_000)
    assert heard.channels == 1
    extra_s = PRIMING.get(kind, 0) / SPEECH_RATE_HZ
    assert 1.5 - 0.002 <= len(heard.samples) / heard.rate_hz <= 1.5 + extra_s + 0.002
    middle = heard.samples[heard.rate_hz // 4 : heard.rate_hz]
    assert loudest_hz(middle, heard.rate_hz) == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("kind", ["mp3", "aac", "opus"])
def test_the_lossy_formats_keep_the_shape_of_a_voice(kind: str) -> None:
    said = speechlike(1.0)
    heard = decoded(kind, encoded(kind, said))
    samples = heard.samples[:: heard.rate_hz // SPEECH_RATE_HZ]
    assert best_correlation(samples, said, up_to=2400) > 0.95


@pytest.mark.parametrize("kind", LOSSLESS)
def test_the_lossless_formats_keep_every_sample(kind: str) -> None:
    said = speechlike(0.7)
    heard = decoded(kind, encoded(kind, said))
    assert np.array_equal(np.rint(heard.samples * 32768), to_pcm(said))


MAGIC = {
    "mp3": (b"\xff\xf3", b"\xff\xf2"),
    "opus": (b"OggS",),
    "aac": (b"\xff\xf1", b"\xff\xf9"),
    "flac": (b"fLaC",),
    "wav": (b"RIFF",),
}


@pytest.mark.parametrize("kind", MAGIC)
def test_a_file_begins_with_the_mark_of_its_format(kind: str) -> None:
    data = encoded(kind, sine(0.5, PIPER_HZ), PIPER_HZ)
    assert data.startswith(MAGIC[kind])
    assert kind != "opus" or b"OpusHead" in data[:64]


@pytest.mark.parametrize(
    ("kind", "codec"),
    [("mp3", "mp3float"), ("opus", "opus"), ("aac", "aac"), ("flac", "flac"), ("wav", "pcm_s16le")],
)
def test_a_file_holds_the_codec_that_its_name_promises(kind: str, codec: str) -> None:
    assert decoded(kind, encoded(kind, sine(0.3, 24_000))).codec == codec


def test_the_content_types_are_those_that_clients_choose_decoders_by() -> None:
    assert {f: encoder(layout_of(f), 24_000).content_type for f in FORMATS} == dict(CONTENT_TYPES)
    assert CONTENT_TYPES == {
        "mp3": "audio/mpeg",
        "opus": "audio/opus",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "wav": "audio/wav",
        "pcm": "audio/pcm",
    }


def test_the_wav_header_says_mono_16_bit_24_khz_and_unknown_length() -> None:
    header = encoded("wav", sine(0.1, 24_000))[:44]
    assert header == wav_header()
    assert struct.unpack("<4sI4s4sIHHIIHH4sI", header) == (
        *(b"RIFF", 0xFFFFFFFF, b"WAVE"),
        *(b"fmt ", 16, 1, 1, 24_000, 48_000, 2, 16),
        *(b"data", 0xFFFFFFFF),
    )


def test_wav_is_its_header_and_then_pcm() -> None:
    said = speechlike(0.5)
    assert encoded("wav", said) == wav_header() + encoded("pcm", said)


def test_pcm_is_48000_bytes_a_second() -> None:
    assert len(encoded("pcm", sine(2.0, 24_000))) == 96_000
    assert len(encoded("pcm", sine(2.0, PIPER_HZ), PIPER_HZ)) == pytest.approx(96_000, abs=48)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rate_hz", [PIPER_HZ, 24_000])
def test_the_size_of_the_blocks_does_not_change_the_sound(kind: str, rate_hz: int) -> None:
    said = speechlike(0.8, rate_hz)
    whole = decoded(kind, encoded(kind, said, rate_hz)).samples
    parts = decoded(kind, encoded(kind, said, rate_hz, block=333)).samples
    assert np.array_equal(whole, parts)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, PIPER_HZ, 44_100, 48_000])
def test_a_resampled_tone_has_no_clicks_at_the_joints(rate_hz: int) -> None:
    data = encoded("pcm", sine(1.0, rate_hz, hz=1000), rate_hz, block=441)
    heard = decoded("pcm", data).samples
    wanted = sine(len(heard) / SPEECH_RATE_HZ, SPEECH_RATE_HZ, hz=1000)
    assert np.max(np.abs(heard - wanted)[100:-100]) < 1e-3


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 5000), max_size=8))
def test_any_cutting_into_blocks_even_empty_ones_gives_the_same_pcm(cuts: Sequence[int]) -> None:
    said = speechlike(5000 / PIPER_HZ, PIPER_HZ)
    with encoder(layout_of("pcm"), PIPER_HZ) as stream:
        blocks = np.split(said, sorted(cuts))
        heard = b"".join(stream.encode(block) for block in blocks) + stream.finish()
    assert heard == encoded("pcm", said, PIPER_HZ)


@pytest.mark.parametrize("kind", FORMATS)
def test_sound_leaves_with_the_first_block_and_not_only_at_the_end(kind: str) -> None:
    with encoder(layout_of(kind), PIPER_HZ) as stream:
        first = stream.encode(sine(1.0, PIPER_HZ))
    heard = decoded(kind, first)
    assert len(heard.samples) / heard.rate_hz > 0.7


@pytest.mark.parametrize("kind", ["wav", "opus", "flac"])
def test_the_header_leaves_with_the_first_call_even_without_a_sample(kind: str) -> None:
    with encoder(layout_of(kind), PIPER_HZ) as stream:
        assert stream.encode(np.zeros(0, np.float32)).startswith(MAGIC[kind])
        assert stream.encode(np.zeros(0, np.float32)) == b""


@pytest.mark.parametrize("kind", FORMATS)
def test_an_empty_stream_is_a_valid_file_of_next_to_no_sound(kind: str) -> None:
    heard = decoded(kind, encoded(kind, np.zeros(0, np.float32)))
    assert len(heard.samples) / heard.rate_hz < 0.2
    assert not heard.samples.any()


def test_samples_beyond_full_scale_are_clipped_and_never_wrap_around() -> None:
    loud = np.array([0.0, 1.0, 1.5, -1.0, -7.0, 0.5], np.float32)
    heard = np.frombuffer(encoded("pcm", loud), "<i2")
    assert heard.tolist() == [0, 32767, 32767, -32768, -32768, 16384]


def test_a_square_wave_at_full_scale_survives_the_overshoot_of_the_resampler() -> None:
    square = np.sign(sine(0.5, PIPER_HZ, hz=100)).astype(np.float32)
    heard = decoded("pcm", encoded("pcm", square, PIPER_HZ)).samples
    half = SPEECH_RATE_HZ // 200
    middles = heard[half // 2 :: half][:90]
    assert np.all(np.abs(middles) > 0.9)
    assert np.all(np.sign(middles[1:]) == -np.sign(middles[:-1]))


def test_samples_are_rounded_to_the_nearest_step() -> None:
    steps = np.array([0.4, 0.6, -0.4, -0.6, 100.2, -100.7], np.float32) / 32768
    assert to_pcm(steps).tolist() == [0, 1, 0, -1, 100, -101]


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_no_number_becomes_silence_and_spoils_nothing_else(kind: str) -> None:
    said = sine(1.0, PIPER_HZ)
    said[2000:2100] = np.nan
    said[2100] = np.inf
    heard = decoded(kind, encoded(kind, said, PIPER_HZ))
    assert np.isfinite(heard.samples).all()
    rest = heard.samples[heard.rate_hz // 2 : heard.rate_hz * 9 // 10]
    assert np.sqrt(np.mean(rest**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("kind", FORMATS)
def test_base64_pieces_join_to_the_same_file(kind: str) -> None:
    said = speechlike(0.5, PIPER_HZ)
    with encoder(layout_of(kind), PIPER_HZ) as stream:
        blocks = [stream.encode(block) for block in np.array_split(said, 7)]
        blocks.append(stream.finish())
    pieces = [base64.b64encode(block) for block in blocks]
    joined = b"".join(base64.b64decode(piece) for piece in pieces)
    again = decoded(kind, joined).samples
    assert np.array_equal(again, decoded(kind, encoded(kind, said, PIPER_HZ)).samples)


@pytest.mark.parametrize("kind", ["mp3", "opus", "aac"])
def test_a_lower_bitrate_makes_a_smaller_file(kind: str) -> None:
    said = speechlike(2.0)
    assert len(encoded(kind, said, bitrate=32_000)) < 0.7 * len(encoded(kind, said))


def test_the_streams_of_two_requests_do_not_meet() -> None:
    low, high = sine(0.5, 24_000, hz=300), sine(0.5, 24_000, hz=900)
    with encoder(layout_of("mp3"), 24_000) as one, encoder(layout_of("mp3"), 24_000) as two:
        pairs = zip(np.split(low, 10), np.split(high, 10), strict=True)
        parts = [(one.encode(a), two.encode(b)) for a, b in pairs]
        parts.append((one.finish(), two.finish()))
    assert b"".join(part[0] for part in parts) == encoded("mp3", low)
    assert b"".join(part[1] for part in parts) == encoded("mp3", high)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_finished_or_dropped_stream_takes_nothing_more(kind: str) -> None:
    finished, dropped = (encoder(layout_of(kind), PIPER_HZ) for _ in range(2))
    finished.finish()
    dropped.encode(sine(0.1, PIPER_HZ))
    dropped.close()
    dropped.close()
    for stream in (finished, dropped):
        with pytest.raises(ValueError, match="finished"):
            stream.encode(sine(0.1, PIPER_HZ))
        with pytest.raises(ValueError, match="finished"):
            stream.finish()


RATES = {
    "mp3": (8_000, 11_025, 22_050, 44_100, 48_000),
    "opus": (8_000, 12_000, 16_000, 24_000, 48_000),
    "aac": (8_000, 16_000, 44_100, 48_000),
    "flac": (8_000, 22_050, 30_011, 48_000),
    "wav": (8_000, 16_000, 30_011, 48_000),
    "pcm": (8_000, 16_000, 30_011, 48_000),
}


@pytest.mark.parametrize(("kind", "rate_hz"), [(k, r) for k in RATES for r in RATES[k]])
def test_a_stream_has_the_rate_that_was_asked_for(kind: str, rate_hz: int) -> None:
    data = encoded(kind, sine(1.0, PIPER_HZ), PIPER_HZ, sample_rate=rate_hz)
    if kind == "pcm":
        assert len(data) == pytest.approx(2 * rate_hz, abs=8)
        heard = Decoded(np.frombuffer(data, "<i2") / 32768, rate_hz, 1, "")
    else:
        heard = decoded(kind, data)
    assert heard.rate_hz == (48_000 if kind == "opus" else rate_hz)
    middle = heard.samples[heard.rate_hz // 4 : heard.rate_hz * 3 // 4]
    assert loudest_hz(middle, heard.rate_hz) == pytest.approx(440, abs=3)
    if kind == "wav":
        assert struct.unpack_from("<II", data, 24) == (rate_hz, 2 * rate_hz)
    if kind == "opus":
        assert struct.unpack_from("<I", data, data.index(b"OpusHead") + 12) == (rate_hz,)


@pytest.mark.parametrize(
    ("kind", "bitrate", "rate_hz"),
    [
        ("mp3", 32_000, 24_000),
        ("mp3", 160_000, 24_000),
        ("mp3", 320_000, 44_100),
        ("mp3", 64_000, 8_000),
        ("opus", 16_000, 24_000),
        ("opus", 128_000, 48_000),
        ("aac", 32_000, 24_000),
        ("aac", 64_000, 24_000),
        ("aac", 128_000, 48_000),
    ],
)
def test_a_stream_has_about_the_bitrate_that_was_asked_for(
    kind: str, bitrate: int, rate_hz: int
) -> None:
    noise = np.random.default_rng(5).normal(0, 0.1, 4 * rate_hz).astype(np.float32)
    data = encoded(kind, noise, rate_hz, sample_rate=rate_hz, bitrate=bitrate)
    assert len(data) * 8 / 4 == pytest.approx(bitrate, rel=0.2)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_the_default_may_also_be_asked_for(kind: str) -> None:
    said = speechlike(0.5, PIPER_HZ)
    default = encoded(kind, said, PIPER_HZ)
    asked = encoded(kind, said, PIPER_HZ, sample_rate=24_000, bitrate=layout_of(kind).bitrate)
    # A stream of Ogg has a serial number of its own.
    assert asked == default or (kind == "opus" and len(asked) == len(default))


@pytest.mark.parametrize("kind", ["mp3", "aac", "opus"])
@pytest.mark.parametrize("rate_hz", [8_000, 48_000])
def test_the_usual_bitrate_fits_any_rate(kind: str, rate_hz: int) -> None:
    assert encoded(kind, sine(0.2, 24_000), sample_rate=rate_hz)


@pytest.mark.parametrize(
    ("kind", "asked", "param", "hint"),
    [
        ("opus", {"sample_rate": 44_100}, "sample_rate", "8000, 12000, 16000, 24000, 48000"),
        ("mp3", {"sample_rate": 23_000}, "sample_rate", "22050, 24000"),
        ("pcm", {"sample_rate": 7_999}, "sample_rate", "from 8000 to 48000"),
        ("flac", {"sample_rate": 96_000}, "sample_rate", "from 8000 to 48000"),
        ("wav", {"sample_rate": 0}, "sample_rate", "from 8000 to 48000"),
        ("flac", {"bitrate": 64_000}, "bitrate", "mp3, opus, aac"),
        ("mp3", {"bitrate": 192_000}, "bitrate", "8000 to 160000"),
        ("mp3", {"bitrate": 192_000, "sample_rate": 8_000}, "bitrate", "8000 to 64000"),
        ("mp3", {"bitrate": 0}, "bitrate", "8000 to 160000"),
        ("opus", {"bitrate": 510_000}, "bitrate", "6000 to 256000"),
        ("aac", {"bitrate": -1}, "bitrate", "16000 to 96000"),
    ],
)
def test_what_a_format_does_not_allow_is_refused_with_what_it_does(
    kind: str, asked: dict[str, int], param: str, hint: str
) -> None:
    with pytest.raises(BadRequest, match=hint) as refusal:
        layout_of(kind, **asked)
    assert refusal.value.param == param

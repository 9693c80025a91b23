"""What the six formats of `/audio/speech` are made with, and what each of them allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from myna.errors import BadRequest

SpeechFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]

SPEECH_RATE_HZ = 24_000
"""Rate of what leaves unless asked otherwise. Clients play headerless pcm at it without asking."""

LEAST_RATE_HZ, MOST_RATE_HZ = 8_000, 48_000

CONTENT_TYPES: Mapping[SpeechFormat, str] = MappingProxyType(
    {
        "mp3": "audio/mpeg",
        "opus": "audio/opus",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "wav": "audio/wav",
        "pcm": "audio/pcm",
    }
)
"""Content type of each format: what clients choose their decoder by."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How one compressed format is set up."""

    name: str
    """libavcodec's encoder."""
    container: str
    """libavformat's muxer."""
    bitrate: int | None
    """Bits per second unless asked otherwise, None for lossless."""
    tuning: Mapping[str, str]
    """Options of the encoder."""
    muxing: Mapping[str, str]
    """Options of the muxer."""
    silent_if_empty: bool
    """Whether decoders refuse a file without a frame."""


CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        # No Xing frame: its counts can only be filled in by seeking back to it. LAME's level 7
        # costs two thirds of its default 5, which a voice at 96 kbit/s has no use for.
        "mp3": Codec(
            name="libmp3lame",
            container="mp3",
            bitrate=96_000,
            tuning={"compression_level": "7"},
            muxing={"write_xing": "0", "id3v2_version": "0"},
            silent_if_empty=True,
        ),
        # A page every 100 ms (in microseconds here) instead of every second: bytes leave early at
        # a cost of 2 kbit/s. Complexity 5 of 10 halves the time and is meant for speech. Bit-exact,
        # else the stream's serial number is random, and the same sound never the same file.
        "opus": Codec(
            name="libopus",
            container="ogg",
            bitrate=64_000,
            tuning={"compression_level": "5"},
            muxing={"page_duration": "100000", "fflags": "+bitexact"},
            silent_if_empty=True,
        ),
        "aac": Codec(
            name="aac",
            container="adts",
            bitrate=96_000,
            tuning={},
            muxing={},
            silent_if_empty=True,
        ),
        # The muxer's 8 kB of padding for tags would only delay the first sound.
        "flac": Codec(
            name="flac",
            container="flac",
            bitrate=None,
            tuning={},
            muxing={"metadata_header_padding": "0"},
            silent_if_empty=False,
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Layout:
    """A format with what the stream in it is like. Mono, always."""

    format: SpeechFormat = "mp3"
    rate_hz: int = SPEECH_RATE_HZ
    bitrate: int | None = None
    """Bits per second; None for a lossless format."""


def layout_of(
    format: SpeechFormat,  # noqa: A002 - the word of OpenAI's field, and of every caller
    sample_rate: int | None = None,
    bitrate: int | None = None,
) -> Layout:
    """A format as a request asks for it; what it leaves open is filled in.

    Without a `bitrate`, in bits per second, a lossy format has one at which speech is transparent.

    Raises:
        BadRequest: with param `sample_rate` or `bitrate`, naming what the format allows.
    """
    rate_hz = sample_rate if sample_rate is not None else SPEECH_RATE_HZ
    rates = _rates_hz(format)
    if rate_hz not in rates:
        allowed = (
            f"a whole number from {rates[0]} to {rates[-1]}"
            if isinstance(rates, range)
            else f"one of {', '.join(map(str, rates))}"
        )
        raise BadRequest(
            f"Invalid 'sample_rate': {format} has no {rate_hz} Hz; give {allowed}.",
            param="sample_rate",
        )
    return Layout(format, rate_hz, _bitrate(format, rate_hz, bitrate))


def _bitrate(format: SpeechFormat, rate_hz: int, asked: int | None) -> int | None:  # noqa: A002
    usual = CODECS[format].bitrate if format in CODECS else None
    if usual is None:
        if asked is not None:
            lossy = ", ".join(name for name, codec in CODECS.items() if codec.bitrate)
            raise BadRequest(
                f"Invalid 'bitrate': {format} is lossless and has none to choose; leave it out, "
                f"or take one of {lossy}.",
                param="bitrate",
            )
        return None
    least, most = _bitrates(format, rate_hz)
    if asked is None:
        return min(max(usual, least), most)
    if not least <= asked <= most:
        raise BadRequest(
            f"Invalid 'bitrate': {format} at {rate_hz} Hz takes {least} to {most} bits per "
            f"second, not {asked}.",
            param="bitrate",
        )
    return asked


_MPEG_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def _rates_hz(format: SpeechFormat) -> Sequence[int]:  # noqa: A002
    if format in ("mp3", "aac"):
        return _MPEG_RATES_HZ
    if format == "opus":
        return (8_000, 12_000, 16_000, 24_000, 48_000)  # RFC 6716, 2: the five bandwidths
    return range(LEAST_RATE_HZ, MOST_RATE_HZ + 1)


def _bitrates(format: SpeechFormat, rate_hz: int) -> tuple[int, int]:  # noqa: A002
    """Least and most bits per second. Of MP3 (ISO/IEC 11172-3 and 13818-3, and what LAME makes of
    MPEG-2.5) the nearest step is taken; libavcodec's AAC encoder cannot use more than about four
    bits a sample."""
    if format == "opus":
        return 6_000, 256_000
    if format == "aac":
        return 16_000, 4 * rate_hz
    if rate_hz >= 32_000:
        return 32_000, 320_000
    return 8_000, 160_000 if rate_hz >= 16_000 else 64_000

"""Samples to the six formats of `/audio/speech`: streamed, in memory, no subprocess.

Every format is mono, at 24 kHz unless asked otherwise (Opus counts in 48 kHz as its specification
asks). One encoder serves one stream and is called from one thread at a time; nothing here touches
the event loop.
"""

# PyAV's packets and overloads are typed in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from myna.audio.codecs import CODECS, CONTENT_TYPES, SPEECH_RATE_HZ, Codec, Layout
from myna.audio.frames import frame_of
from myna.audio.resample import Resampler
from myna.engines.contract.samples import Samples

_UNKNOWN_SIZE = 0xFFFF_FFFF
"""What a RIFF size field holds where the end is not known while the header leaves."""

_SHORTEST_S = 0.05
"""Silence that an empty stream becomes in formats that have no valid file without a frame."""


def encoder(layout: Layout, source_rate_hz: int) -> SpeechEncoder:
    """An encoder for one stream of mono samples at `source_rate_hz`."""
    sink: _Sink
    if layout.format == "pcm":
        sink = _Pcm()
    elif layout.format == "wav":
        sink = _Pcm(header=wav_header(layout.rate_hz))
    else:
        sink = _Muxed(CODECS[layout.format], layout)
    resampler = Resampler(source_rate_hz, layout.rate_hz)
    return SpeechEncoder(CONTENT_TYPES[layout.format], sink, resampler)


class SpeechEncoder:
    """Float samples in, bytes out, in the order `encode`*, then `finish` or `close`.

    A context manager: leaving the block frees the codec, whether the stream was finished or not.
    """

    def __init__(self, content_type: str, sink: _Sink, resampler: Resampler) -> None:
        self.content_type = content_type
        """For the HTTP header."""
        self._sink = sink
        self._resampler = resampler
        self._closed = False

    def encode(self, samples: Samples) -> bytes:
        """Take samples of shape (n,), any n; return the bytes that are ready, perhaps none yet.

        The file's header comes with the first call. Values outside [-1, 1] are clipped, and what
        is no number becomes silence. Raises ValueError once finished or closed.
        """
        if self._closed:
            raise ValueError("the stream is finished")
        return self._sink.write(self._resampler.push(_finite(samples)))

    def finish(self) -> bytes:
        """The rest of the file. The encoder is closed afterwards."""
        if self._closed:
            raise ValueError("the stream is finished")
        try:
            return self._sink.write(self._resampler.flush()) + self._sink.finish()
        finally:
            self.close()

    def close(self) -> None:
        """Free the codec; a stream that was not finished is dropped. May be called twice."""
        if not self._closed:
            self._closed = True
            self._sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def wav_header(rate_hz: int = SPEECH_RATE_HZ) -> bytes:
    """The 44 bytes before mono 16-bit PCM of unknown length: RIFF, fmt, and the head of data."""
    size = _UNKNOWN_SIZE.to_bytes(4, "little")
    fields = (
        (1).to_bytes(2, "little"),  # PCM
        (1).to_bytes(2, "little"),  # channels
        rate_hz.to_bytes(4, "little"),
        (rate_hz * 2).to_bytes(4, "little"),  # bytes per second
        (2).to_bytes(2, "little"),  # bytes per frame
        (16).to_bytes(2, "little"),  # bits per sample
    )
    fmt = b"".join(fields)
    chunk = b"fmt " + len(fmt).to_bytes(4, "little") + fmt
    return b"RIFF" + size + b"WAVE" + chunk + b"data" + size


def to_pcm(samples: Samples) -> NDArray[np.int16]:
    """Float samples as 16-bit integers, rounded and clipped; k / 32768 comes back as k."""
    scaled = np.rint(samples * np.float32(32768))
    return np.clip(scaled, -32768, 32767).astype("<i2")


def _finite(samples: Samples) -> Samples:
    """Float32 in [-1, 1]: one NaN would silence a whole lossy stream, or break its encoder."""
    clipped = np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False)
    # A sum is a NaN where any number is; looking at each one takes as long as the clipping.
    return np.nan_to_num(clipped) if np.isnan(clipped.sum()) else clipped


class _Sink(Protocol):
    """Samples at the rate of the stream to the bytes of one format."""

    def write(self, samples: Samples) -> bytes: ...

    def finish(self) -> bytes: ...

    def close(self) -> None: ...


class _Pcm:
    """Little-endian 16-bit samples after an optional header."""

    def __init__(self, header: bytes = b"") -> None:
        self._header = header

    def write(self, samples: Samples) -> bytes:
        header, self._header = self._header, b""
        return header + to_pcm(samples).tobytes()

    def finish(self) -> bytes:
        return b""

    def close(self) -> None:
        pass


class _Outbox:
    """The file that a muxer writes to. Without `seek`, so it does not try to come back."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


class _Muxed:
    """A libavcodec encoder and its muxer."""

    def __init__(self, codec: Codec, layout: Layout) -> None:
        self._codec = codec
        self._rate_hz = layout.rate_hz
        self._outbox = _Outbox()
        self._written = 0
        self._container = av.open(
            self._outbox,
            "w",
            format=codec.container,
            options={**codec.muxing, "flush_packets": "1"},
        )
        stream = self._container.add_stream(
            codec.name, rate=layout.rate_hz, layout="mono", options=dict(codec.tuning)
        )
        self._stream = cast("AudioStream", stream)
        if layout.bitrate is not None:
            self._stream.bit_rate = layout.bitrate
        self._container.start_encoding()

    def write(self, samples: Samples) -> bytes:
        if len(samples):
            self._mux(frame_of(samples, self._rate_hz, self._written))
            self._written += len(samples)
        return self._outbox.take()

    def finish(self) -> bytes:
        if not self._written and self._codec.silent_if_empty:
            self.write(np.zeros(round(_SHORTEST_S * self._rate_hz), np.float32))
        self._mux(None)
        self._container.close()
        return self._outbox.take()

    def close(self) -> None:
        self._container.close()

    def _mux(self, frame: av.AudioFrame | None) -> None:
        self._container.mux(self._stream.encode(frame))

"""A file as windows: what is decoded, searched for speech and cut, a stretch at a time."""

from __future__ import annotations

from collections.abc import Callable

from myna.audio.activity import SpeechProbabilities
from myna.audio.decode import PcmStream
from myna.audio.windows import Cutting, Windower
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples, Window
from myna.errors import AudioTooShort

MINIMUM_S = 0.1
"""The hosted API refuses shorter audio."""
_READ_S = 16.0
"""How much is looked at in one call: bounded memory, few calls."""
_BLOCK_S = 2.0
"""How much is read at a time, which is what the decoding process sends: it decodes the next while
speech is looked for in this."""


class WindowStream:
    """A recording as windows, produced when asked for: decode, find speech, cut.

    `next` blocks (decoding and voice activity are work), so it is called from a thread.
    """

    def __init__(
        self,
        pcm: PcmStream,
        speech: SpeechProbabilities,
        cutting: Cutting,
        listener: Callable[[Samples], None] | None = None,
    ) -> None:
        """`listener` is given all audio block by block, an empty block at its end."""
        self._pcm = pcm
        self._speech = speech
        self._listener = listener
        self._windower = Windower(cutting)
        self.samples_read = 0
        """Samples decoded so far, 16 kHz."""
        self.finished = False

    @property
    def seconds_read(self) -> float:
        """Audio decoded so far, in seconds."""
        return self.samples_read / SAMPLE_RATE_HZ

    @property
    def declared_s(self) -> float | None:
        """How long the container says the audio is, in seconds."""
        return self._pcm.declared_s

    def next(self) -> list[Window]:
        """The first windows that the next stretch of audio completes, if any; `finished` tells the
        end."""
        until_s = self.seconds_read + _READ_S
        windows: list[Window] = []
        while not windows and not self.finished and self.seconds_read < until_s:
            windows = self._read()
        return windows

    def _read(self) -> list[Window]:
        block = self._pcm.read(int(_BLOCK_S * SAMPLE_RATE_HZ))
        self.samples_read += len(block)
        if self._listener is not None:
            self._listener(block)
        if len(block):
            return self._windower.feed(block, self._speech.probabilities(block))
        self.finished = True
        if self.seconds_read < MINIMUM_S:
            raise AudioTooShort(MINIMUM_S)
        return self._windower.finish(self._speech.flush())

    def close(self) -> None:
        """Stop decoding; from any thread."""
        self._pcm.close()

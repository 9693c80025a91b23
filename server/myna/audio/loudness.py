"""Speech at one loudness: ITU-R BS.1770-4 by FFmpeg's `ebur128`, peaks held by a limiter.

The gain of a stream is decided by its first piece, or by what its voice said before where not even
that is made yet. It never changes, so that nothing pumps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from myna.audio.frames import frame_of
from myna.engines.contract.samples import Samples

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

CEILING_DBTP = -1.0
"""Highest true peak that leaves: EBU R 128's maximum, which leaves lossy coders their overshoot."""

MOST_GAIN_DB = 20.0
"""Nothing is made louder or softer by more than this: near-silence stays what it is."""

LEAST_S = 1.0
"""How much of a voice is to be heard before it is judged by that: less may be one loud word."""

LEARNT_S = 30.0
"""What it said longer ago weighs less and less."""

_BLOCK_S = 0.4
"""BS.1770 measures in blocks of this length; what is shorter is measured over and over."""

_SILENT_LUFS = -60.0
"""Below it nobody speaks, and no gain is decided. BS.1770's own gate is at -70."""

_ATTACK_S, _RELEASE_S = 0.005, 0.05
"""How long before a peak the limiter begins to turn down, and how long after it lets go."""

_LIMITINGS = 4
"""Passes at most; speech takes one or two: a gain that changes moves the curve between samples."""

_SAFE = 0.5
"""A sample peak up to which no true peak of a voice comes near the ceiling: 5 dB below it."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """What was measured of a stretch of sound."""

    lufs: float
    """Integrated, -70 for silence. A sine at full scale in one channel is -3.01."""
    true_peak: float
    """Linear; 1 is full scale."""


class VoiceLoudness:
    """How loud a voice speaks, learnt from what it says. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seconds = 0.0
        self._power = 0.0
        """Mean of 10 ** (lufs / 10), by seconds."""

    def hear(self, lufs: float, seconds: float) -> None:
        """Something was as loud as that."""
        with self._lock:
            self._seconds = min(self._seconds + seconds, LEARNT_S)
            self._power += (10 ** (lufs / 10) - self._power) * seconds / self._seconds

    def listen(self, samples: Samples, rate_hz: int) -> float:
        """Hear what was said, shape (n_samples,), unless it is silence; how loud it is, in LUFS."""
        lufs = integrated(samples, rate_hz)
        if lufs > _SILENT_LUFS:
            self.hear(lufs, len(samples) / rate_hz)
        return lufs

    @property
    def lufs(self) -> float | None:
        """None while too little is known."""
        with self._lock:
            return 10 * math.log10(self._power) if self._seconds >= LEAST_S else None


def measured(samples: Samples, rate_hz: int) -> Loudness:
    """Integrated loudness and true peak of mono samples, shape (n_samples,)."""
    return _measured(samples, rate_hz, "metadata=1:peak=true:framelog=quiet")


def integrated(samples: Samples, rate_hz: int) -> float:
    """The loudness alone, in LUFS: a fourth of the work."""
    return _measured(samples, rate_hz, "metadata=1:framelog=quiet").lufs


def _measured(samples: Samples, rate_hz: int, options: str) -> Loudness:
    last = Loudness(-70.0, 0.0)
    if not len(samples):
        return last
    block = round(_BLOCK_S * rate_hz)
    if len(samples) < block:
        samples = np.tile(samples, -(-block // len(samples)))
    # The filter tells its figures at the end of each tenth of a second.
    whole = np.pad(samples, (0, -len(samples) % (rate_hz // 10)))
    for frame in _filtered(whole, rate_hz, "ebur128", options):
        told = frame.metadata
        if "lavfi.r128.I" in told:
            peak = float(told.get("lavfi.r128.true_peak", 0.0))
            last = Loudness(float(told["lavfi.r128.I"]), peak)
    return last


def true_peak(samples: Samples) -> float:
    """The largest magnitude of the curve through the samples, where that is more than half of full
    scale; else that of the samples. Linear. For sound whose loud parts are well below half its
    rate, as a voice's are: 4 points to a sample, as BS.1770-4's Annex 2, looked at near loud ones.
    """
    _, peaks = _peaks(samples)
    return float(max(np.abs(samples).max(initial=0.0), peaks.max(initial=0.0)))


def _peaks(samples: Samples) -> tuple[NDArray[np.intp], Samples]:
    """The samples that loud parts of the curve begin at (-1 is before the first), and how far from
    zero each comes up to the next sample. Shape (n_loud,) each."""
    around = np.pad(samples, _TAPS)
    loud = (around > _SAFE) | (around < -_SAFE)
    starts = np.flatnonzero(loud[:-1] | loud[1:])
    windows = around[starts[:, None] + np.arange(1 - _TAPS // 2, 1 + _TAPS // 2)]
    between = np.abs(windows @ _BETWEEN).max(axis=1, initial=0.0)
    ends = np.abs(windows[:, _TAPS // 2 - 1 : _TAPS // 2 + 1]).max(axis=1, initial=0.0)
    return starts - _TAPS, np.maximum(between, ends)


def _between() -> NDArray[np.float32]:
    """Weights of the samples around a gap at a quarter, half and three quarters of it: a sinc under
    a Kaiser window. Shape (_TAPS, 3)."""
    at = np.arange(1 - _TAPS // 2, 1 + _TAPS // 2)[:, None] - np.array([0.25, 0.5, 0.75])
    window = np.i0(6.0 * np.sqrt(1 - (2 * at / (_TAPS + 1)) ** 2)) / np.i0(6.0)
    return (np.sinc(at) * window).astype(np.float32)


_TAPS = 24
_BETWEEN = _between()


class Leveller:
    """Brings the pieces of one stream to a loudness."""

    def __init__(
        self,
        target_lufs: float | None,
        rate_hz: int,
        *,
        gain_db: float = 0.0,
        voice: VoiceLoudness | None = None,
    ) -> None:
        """`target_lufs` None leaves the loudness as it is; `gain_db` comes on top of either.
        `voice` is what is known of who speaks, and learns from it."""
        self._target_lufs = target_lufs
        self._rate_hz = rate_hz
        self._extra_db = gain_db
        self._voice = voice or VoiceLoudness()
        self._gain: np.float32 | None = None

    def level(self, samples: Samples, *, beginning: bool = False) -> Samples:
        """A piece at the stream's gain, its true peaks below the ceiling where it is brought to a
        loudness. The first piece with sound in it decides the gain; where that is no more than the
        `beginning` of something, what is known of the voice does. Shape (n_samples,) in and out.
        """
        if self._target_lufs is None:
            return samples * _linear(self._extra_db)
        if self._gain is None:
            lufs = self._lufs(samples, beginning=beginning)
            if lufs <= _SILENT_LUFS:
                return samples
            wanted_db = min(MOST_GAIN_DB, max(-MOST_GAIN_DB, self._target_lufs - lufs))
            self._gain = _linear(wanted_db + self._extra_db)
        return held(samples * self._gain, self._rate_hz)

    def _lufs(self, samples: Samples, *, beginning: bool) -> float:
        known = self._voice.lufs if beginning else None
        return self._voice.listen(samples, self._rate_hz) if known is None else known


def held(samples: Samples, rate_hz: int) -> Samples:
    """The samples with true peaks above the ceiling turned down, over some milliseconds around each
    of them. Shape (n_samples,) in and out."""
    ceiling = float(_linear(CEILING_DBTP))
    for _ in range(_LIMITINGS):
        starts, peaks = _peaks(samples)
        over = peaks > ceiling
        if not over.any():
            break
        samples = samples * _turned_down(starts[over], ceiling / peaks[over], len(samples), rate_hz)
    return samples


def _turned_down(
    starts: NDArray[np.intp], needs: Samples, length: int, rate_hz: int
) -> NDArray[np.float32]:
    """Gains, of shape (length,), of which those at each start and behind it are at most what is
    needed there, and rise in a straight line to 1 on either side."""
    before, after = round(_ATTACK_S * rate_hz), round(_RELEASE_S * rate_hz)
    rise, fall = np.linspace(0, 1, before + 1), np.linspace(1, 0, after + 1)
    share = np.concatenate([rise, fall]).astype(np.float32)
    gains = np.ones(before + 1 + length + 1 + after, np.float32)
    for at in np.argsort(needs).tolist():  # the most first: what is around it is mostly done then
        need, first = needs[at], int(starts[at]) + 1
        near = gains[first : first + len(share)]
        if near[before : before + 2].max() > need:
            np.minimum(near, 1 - (1 - need) * share, out=near)
    return gains[before + 1 : before + 1 + length]


def _filtered(samples: Samples, rate_hz: int, name: str, options: str) -> Iterator[AudioFrame]:
    """What one of FFmpeg's filters makes of samples, as mono `flt` frames."""
    from av.error import BlockingIOError, EOFError  # noqa: A004, PLC0415 - PyAV's own
    from av.filter import Graph  # noqa: PLC0415

    graph = Graph()
    nodes = [
        graph.add_abuffer(
            sample_rate=rate_hz, format="flt", layout="mono", time_base=Fraction(1, rate_hz)
        ),
        graph.add(name, options),
        graph.add("aformat", f"sample_fmts=flt:channel_layouts=mono:sample_rates={rate_hz}"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    nodes[0].push(frame_of(samples, rate_hz, 0))
    nodes[0].push(None)
    while True:
        try:
            yield cast("AudioFrame", nodes[-1].pull())
        except (EOFError, BlockingIOError):
            return


def _linear(db: float) -> np.float32:
    return np.float32(10 ** (db / 20))

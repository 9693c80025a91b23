"""Speech at one loudness: ITU-R BS.1770-4 by FFmpeg's `ebur128`, peaks held by its `alimiter`.

The gain of a stream is decided by its first piece and never changes, so that nothing pumps and
nothing waits for what is not made yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np

from myna.audio.frames import frame_of, samples_of
from myna.engines.contract import Samples

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

CEILING_DBTP = -1.0
"""Highest true peak that leaves: EBU R 128's maximum, which leaves lossy coders their overshoot."""

MOST_GAIN_DB = 20.0
"""Nothing is made louder or softer by more than this: near-silence stays what it is."""

_BLOCK_S = 0.4
"""BS.1770 measures in blocks of this length; what is shorter is measured over and over."""

_SILENT_LUFS = -60.0
"""Below it nobody speaks, and no gain is decided. BS.1770's own gate is at -70."""

_LIMITINGS = 4
"""Passes at most; speech takes one."""

_SAFE = 0.5
"""A sample peak up to which no true peak of a voice comes near the ceiling: 5 dB below it."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """What was measured of a stretch of sound."""

    lufs: float
    """Integrated, -70 for silence. A sine at full scale in one channel is -3.01."""
    true_peak: float
    """Linear; 1 is full scale."""


def measured(samples: Samples, rate_hz: int) -> Loudness:
    """Integrated loudness and true peak of mono samples, shape (n_samples,)."""
    last = Loudness(-70.0, 0.0)
    if not len(samples):
        return last
    block = round(_BLOCK_S * rate_hz)
    if len(samples) < block:
        samples = np.tile(samples, -(-block // len(samples)))
    # The filter tells its figures at the end of each tenth of a second.
    whole = np.pad(samples, (0, -len(samples) % (rate_hz // 10)))
    for frame in _filtered(whole, rate_hz, "ebur128", "metadata=1:peak=true:framelog=quiet"):
        told = frame.metadata
        if "lavfi.r128.I" in told:
            last = Loudness(float(told["lavfi.r128.I"]), float(told["lavfi.r128.true_peak"]))
    return last


class Leveller:
    """Brings the pieces of one stream to a loudness."""

    def __init__(self, target_lufs: float | None, rate_hz: int, *, gain_db: float = 0.0) -> None:
        """`target_lufs` None leaves the loudness as it is; `gain_db` comes on top of either."""
        self._target_lufs = target_lufs
        self._rate_hz = rate_hz
        self._extra_db = gain_db
        self._gain: np.float32 | None = None

    def level(self, samples: Samples) -> Samples:
        """A piece at the stream's gain, its true peaks below the ceiling where it is brought to a
        loudness. The first piece with sound in it decides the gain. Shape (n_samples,) in and out.
        """
        if self._target_lufs is None:
            return samples * _linear(self._extra_db)
        if self._gain is None:
            lufs = measured(samples, self._rate_hz).lufs
            if lufs <= _SILENT_LUFS:
                return samples
            wanted_db = min(MOST_GAIN_DB, max(-MOST_GAIN_DB, self._target_lufs - lufs))
            self._gain = _linear(wanted_db + self._extra_db)
        return held(samples * self._gain, self._rate_hz)


def held(samples: Samples, rate_hz: int) -> Samples:
    """The samples with true peaks above the ceiling turned down, over some milliseconds around each
    of them. Shape (n_samples,) in and out."""
    limit = ceiling = float(_linear(CEILING_DBTP))
    for _ in range(_LIMITINGS):
        peak = float(np.abs(samples).max(initial=0.0))
        if peak <= _SAFE:
            return samples
        true_peak = measured(samples, rate_hz).true_peak
        if true_peak <= ceiling:
            return samples
        # The filter sees samples only: what peaks between them needs a lower limit.
        limit = min(limit, ceiling * peak / true_peak)
        options = f"limit={limit:.5f}:attack=5:release=50:level=disabled:latency=1"
        samples = samples_of(_filtered(samples, rate_hz, "alimiter", options))[: len(samples)]
    return samples


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

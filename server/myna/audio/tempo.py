"""The tempo of finished sound, changed without its pitch."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, cast

from myna.engines.contract.samples import Samples

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame


def hastened(samples: Samples, rate_hz: int, tempo: float) -> Samples:
    """The same sound `tempo` times as fast at the same pitch (0.5 and up), by overlapping waves."""
    if abs(tempo - 1) < 0.01 or not len(samples):
        return samples
    from av.error import BlockingIOError, EOFError  # noqa: A004, PLC0415 - PyAV's own
    from av.filter import Graph  # noqa: PLC0415 - only fast speech needs it

    from myna.audio.frames import frame_of, samples_of  # noqa: PLC0415 - imports PyAV

    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=rate_hz, format="flt", layout="mono", time_base=Fraction(1, rate_hz)
    )
    sink = graph.add("abuffersink")
    graph.link_nodes(source, graph.add("atempo", f"tempo={tempo:.4f}"), sink).configure()
    graph.push(frame_of(samples, rate_hz, 0))
    graph.push(None)
    frames: list[AudioFrame] = []
    while True:
        try:
            frames.append(cast("AudioFrame", graph.pull()))
        except (EOFError, BlockingIOError):
            return samples_of(frames)

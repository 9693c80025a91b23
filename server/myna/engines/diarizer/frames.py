"""The segmentation network's grid of frames: how frames, samples and seconds come together."""

from __future__ import annotations

from myna.engines.contract.samples import SAMPLE_RATE_HZ

FRAME_SAMPLES = 270
"""From one frame to the next: 16.875 ms. Product of the network's strides (10, 3, 3, 3)."""
RECEPTIVE_SAMPLES = 991
"""What one frame hears."""
WINDOW_SAMPLES = 10 * SAMPLE_RATE_HZ
"""What the network was trained on."""
WINDOW_FRAMES = (WINDOW_SAMPLES - RECEPTIVE_SAMPLES) // FRAME_SAMPLES + 1
"""589"""
STEP_FRAMES = 296
"""From one window to the next: as good as 5 s, and a whole number of frames, so that the windows'
grids are one. Steps of 2.5 s cost twice as much for under half a point of error."""
STEP_SAMPLES = STEP_FRAMES * FRAME_SAMPLES

FRAME_S = FRAME_SAMPLES / SAMPLE_RATE_HZ
_CENTRE_S = RECEPTIVE_SAMPLES / 2 / SAMPLE_RATE_HZ
"""Where the first frame's middle is: 31 ms."""


def frames(seconds: float) -> int:
    """How many frames a stretch of time is."""
    return round(seconds / FRAME_S)


def seconds(frame: int) -> float:
    """Where in the recording an edge before this frame lies."""
    return frame * FRAME_S + _CENTRE_S if frame else 0.0


def sample(frame: int) -> int:
    """The first sample that belongs to a frame of a window more than to its neighbours."""
    return frame * FRAME_SAMPLES + (RECEPTIVE_SAMPLES - FRAME_SAMPLES) // 2

"""Which device and number format an engine runs on: pure choices, what is there is an argument."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

DeviceChoice = Literal["auto", "cpu", "cuda"]
Device = Literal["cpu", "cuda"]
SpeechComputeTypeChoice = Literal["auto", "float32", "bfloat16"]
SpeechComputeType = Literal["float32", "bfloat16", "quicker"]
"""`quicker`: whichever of the two a trial finds to be so."""

_PREFERRED = {
    "cpu": ("int8", "int8_float32", "float32"),
    "cuda": ("float16", "int8_float16", "bfloat16", "float32"),
}


def choose_device(asked: DeviceChoice, cuda_devices: int) -> Device:
    """`auto` takes a GPU where one is found.

    Raises:
        ValueError: `cuda` was asked for and there is none.
    """
    if asked == "cuda" and cuda_devices == 0:
        raise ValueError(
            "device is set to cuda but no CUDA device is found; "
            "install the extra myna[cuda] and a driver, or use --device cpu"
        )
    if asked == "auto":
        return "cuda" if cuda_devices else "cpu"
    return asked


def choose_compute_type(asked: str, device: Device, supported: set[str]) -> str:
    """`auto` takes the fastest format of good accuracy that the device supports.

    Raises:
        ValueError: the format asked for is not supported there.
    """
    if asked == "auto":
        return next(
            name for name in (*_PREFERRED[device], "default") if name in {*supported, "default"}
        )
    if asked not in supported:
        raise ValueError(
            f"compute type {asked} is not supported on {device}; "
            f"it takes {', '.join(sorted(supported))}"
        )
    return asked


def choose_speech_compute_type(
    asked: SpeechComputeTypeChoice,
    device: Device,
    *,
    quick: bool,
    has_torch: Callable[[], bool],
) -> SpeechComputeType:
    """`auto` tries bfloat16 where it may be `quick`, on a processor that multiplies it: some do so
    at no more than the rate of float32. `has_torch` says whether that can be had, without which
    there is no bfloat16; it is asked only if it matters, as it takes a second.

    Raises:
        ValueError: bfloat16 was asked for and cannot be had.
    """
    if asked == "auto":
        return "quicker" if quick and device == "cpu" and has_torch() else "float32"
    if asked == "bfloat16" and device != "cpu":
        raise ValueError(f"tts_compute_type is set to bfloat16, which is not for {device}")
    if asked == "bfloat16" and not has_torch():
        raise ValueError(
            "tts_compute_type is set to bfloat16, which needs torch; install the extra "
            "myna[torch], or see the log for why it cannot be loaded"
        )
    return asked


def choose_threads(asked: int) -> int:
    """0 means every core that this process may use."""
    if asked > 0:
        return asked
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choose_workers(device: Device, threads: int) -> int:
    """How many calls of `threads` cores each there may be at a time; a GPU takes one."""
    return 1 if device == "cuda" else max(1, choose_threads(0) // threads)

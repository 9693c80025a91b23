"""The network in onnxruntime: in two halves where it can be taken apart, else whole."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.samples import Samples
from myna.engines.devices import Device
from myna.engines.onnx_graph import UnfitError
from myna.engines.piper.halves import DURATIONS, Halves, halved
from myna.engines.sessions import onnx_session

if TYPE_CHECKING:
    import onnxruntime

EARLY_FRAMES = 32
"""What is made first where sound is wanted soon: a third of a second, in which the rest is made."""

_LEAST_FRAMES = 20
"""Less is not left for a second part."""

_log = logging.getLogger(__name__)

Feed = Mapping[str, NDArray[Any]]
"""The network's inputs: numbers of phonemes, how many, scales, and who speaks where there are
several."""
Frames = NDArray[Any]
"""How many frames each number of `Feed` takes, shape (n_ids,)."""


class Vocoder(Protocol):
    """What makes sound of numbers of phonemes. Any number of threads may call it."""

    times: bool
    """Whether `speak` tells how long each is."""

    def speak(self, feed: Feed) -> tuple[Samples, Frames | None]:
        """One run."""
        ...

    def begin(self, feed: Feed) -> Iterator[tuple[Samples, bool]]:
        """One run in parts that belong together, the first as soon as it can be had; and of each,
        whether it is the last."""
        ...


def load_vocoder(file: Path, device: Device, threads: int) -> Vocoder:
    """The network of an .onnx file; `threads` is how many cores one run uses.

    Raises EngineFailure where the device cannot be used, and onnxruntime's own errors on a file
    that is no network.
    """
    try:
        halves = halved(file.read_bytes(), lean=device == "cpu")
    except UnfitError as reason:
        _log.info("%s is run whole: %s", file.name, reason)
        return WholeVocoder(onnx_session(file, device, threads, also=DURATIONS))
    front = onnx_session(halves.front, device, threads)
    return SplitVocoder(halves, front, onnx_session(halves.decoder, device, threads))


class WholeVocoder:
    """A network that is run in one go."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.times = len(session.get_outputs()) > 1
        self._session = session

    def speak(self, feed: Feed) -> tuple[Samples, Frames | None]:
        """One run."""
        made = self._session.run(None, dict(feed))
        frames = np.asarray(made[1]).reshape(-1) if self.times else None
        return np.asarray(made[0], np.float32).reshape(-1), frames

    def begin(self, feed: Feed) -> Iterator[tuple[Samples, bool]]:
        """All at once."""
        yield self.speak(feed)[0], True


class SplitVocoder:
    """A network in two halves, of which the second can begin before the end."""

    def __init__(
        self,
        halves: Halves,
        front: onnxruntime.InferenceSession,
        decoder: onnxruntime.InferenceSession,
    ) -> None:
        self.times = halves.times
        self._halves = halves
        self._front = front
        self._decoder = decoder

    def speak(self, feed: Feed) -> tuple[Samples, Frames | None]:
        """One run."""
        latent, frames, conditions = self._latent(feed)
        return self._decode(latent, conditions), frames

    def begin(self, feed: Feed) -> Iterator[tuple[Samples, bool]]:
        """First EARLY_FRAMES, then the rest; together what `speak` makes."""
        latent, _, conditions = self._latent(feed)
        count, context = latent.shape[-1], self._halves.context
        if count < EARLY_FRAMES + _LEAST_FRAMES:
            yield self._decode(latent, conditions), True
            return
        ahead = min(count, EARLY_FRAMES + context)
        made = self._decode(latent[..., :ahead], conditions)
        hop = len(made) // ahead
        yield made[: EARLY_FRAMES * hop], False
        back = max(0, EARLY_FRAMES - context)
        rest = self._decode(latent[..., back:], conditions)
        yield rest[(EARLY_FRAMES - back) * hop :], True

    def _latent(self, feed: Feed) -> tuple[NDArray[np.float32], Frames | None, Feed]:
        made = [np.asarray(each) for each in self._front.run(None, dict(feed))]
        frames = made[1].reshape(-1) if self.times else None
        conditions = made[2 if self.times else 1 :]
        names = self._halves.conditions
        return made[0], frames, dict(zip(names, map(_planar, conditions), strict=True))

    def _decode(self, latent: NDArray[np.float32], conditions: Feed) -> Samples:
        feed = {self._halves.latent: _planar(latent), **conditions}
        return np.asarray(self._decoder.run(None, feed)[0], np.float32).reshape(-1)


def _planar(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape (1, n_channels, n) to (1, n_channels, 1, n)."""
    return np.ascontiguousarray(values[:, :, None, :])

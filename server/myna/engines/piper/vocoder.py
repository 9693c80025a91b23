"""The network in onnxruntime, in two halves where it can be taken apart, else whole; or the second
half in torch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from myna.engines.bfloat16 import Bfloat16Network
from myna.engines.contract.samples import Samples
from myna.engines.devices import Device, SpeechComputeType
from myna.engines.onnx.blocks import in_blocks
from myna.engines.onnx.convolutions import in_eight_bits, in_phases, in_products
from myna.engines.onnx.graph import Network
from myna.engines.onnx.tensor import UnfitError
from myna.engines.onnx.transposes import with_few_transposes
from myna.engines.piper.attention import with_short_attention
from myna.engines.piper.halves import DURATIONS, Halves, halved
from myna.engines.piper.idioms import with_idioms
from myna.engines.piper.spline import with_short_splines
from myna.engines.sessions import onnx_session
from myna.machine import keep_freed_memory

if TYPE_CHECKING:
    import onnxruntime

EARLY_FRAMES = 32
"""What is made first where sound is wanted soon: a third of a second, in which the rest is made."""

MOST_FRAMES = 250
"""What is made at a time in bfloat16: three seconds."""

_FINE, _COARSE = 16, 32
"""Steps of the lengths that are made in bfloat16, up to two of the second and beyond."""

_EIGHT_BITS = "/enc"
"""What is in the names of the convolutions, a third of all work, that read the phonemes and make a
latent of random numbers. With 8 bits the latent comes out with an error 35 dB below it, and one
symbol in twenty is a frame longer or shorter: the random numbers, from which a voice speaks a
sentence another way each time, do ten times as much. In the decoder 8 bits were heard as noise."""

_LEAST_FRAMES = 20
"""Less is not left for a second part."""

_TRIALS = 5
"""Of each number format; the first prepares for the length."""

_TRIAL_FRAMES = 64
"""Two thirds of a second: with less, what is saved does not show, and most of speech is made in
longer parts."""

_log = logging.getLogger(__name__)

Feed = Mapping[str, NDArray[Any]]
"""The network's inputs: numbers of phonemes, how many, scales, and who speaks where there are
several."""
Decode = Callable[[Feed], NDArray[np.float32]]
"""The second half: what `Halves.decoder` takes, to its sound."""
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


def load_vocoder(
    file: Path, device: Device, threads: int, compute_type: SpeechComputeType = "float32"
) -> Vocoder:
    """The network of an .onnx file; `threads` is how many cores one run uses, `compute_type` the
    decoder's number format.

    Raises EngineFailure where the device cannot be used, ImportError where bfloat16 is wanted
    without torch, and onnxruntime's own errors on a file that is no network.
    """
    try:
        halves = halved(file.read_bytes())
        front = shortened(halves.front)
        if device == "cpu":
            front = with_few_transposes(in_products(in_eight_bits(front, _EIGHT_BITS)))
        decode = quick = None
        if compute_type != "float32":
            decode = quick = _in_bfloat16(halves, threads)
        if decode is None or compute_type == "quicker":
            exact = _in_onnxruntime(halves, device, threads)
            decode = _quicker(halves, exact, quick) if quick else exact
    except UnfitError as reason:
        _log.info("%s is run whole: %s", file.name, reason)
        return WholeVocoder(onnx_session(file, device, threads, also=DURATIONS))
    session = onnx_session(front.written(), device, threads)
    if decode is quick:
        _log.info("speech is made in bfloat16, by torch")
    return SplitVocoder(halves, session, decode, most=MOST_FRAMES if decode is quick else None)


def shortened(front: Network) -> Network:
    """What comes before the decoder, for one text at a time, with less than a third of the
    operators: the same up to rounding."""
    return with_idioms(with_short_attention(with_short_splines(front)))


def _quicker(halves: Halves, exact: Decode, quick: Decode) -> Decode:
    """Whichever of the two takes less time. They take turns, so that neither has all of the
    machine's better moments."""
    try:
        feed = _noise(halves)
    except UnfitError as reason:
        _log.info("number formats cannot be compared: %s", reason)
        return exact
    # As it will be when something is said. While models are loaded it is not, and torch would have
    # its memory from the kernel anew each time.
    keep_freed_memory()
    took_s = [(_seconds(exact, feed), _seconds(quick, feed)) for _ in range(_TRIALS)]
    exact_s, quick_s = (min(column) for column in zip(*took_s, strict=True))
    if quick_s < exact_s:
        return quick
    _log.info("bfloat16 is not used: it is no quicker here (%.2f x)", quick_s / exact_s)
    return exact


def _noise(halves: Halves) -> Feed:
    """What the decoder takes, for _TRIAL_FRAMES. Raises UnfitError where its shape is not known."""
    numbers = np.random.default_rng(0)

    def noise(name: str, frames: int) -> NDArray[np.float32]:
        return numbers.normal(size=(1, halves.channels(name), 1, frames)).astype(np.float32)

    conditions = {name: noise(name, 1) for name in halves.conditions}
    return {halves.latent: noise(halves.latent, _TRIAL_FRAMES), **conditions}


def _seconds(decode: Decode, feed: Feed) -> float:
    begun_s = time.perf_counter()
    decode(feed)
    return time.perf_counter() - begun_s


def _in_onnxruntime(halves: Halves, device: Device, threads: int) -> Decode:
    network = in_phases(in_blocks(halves.decoder)) if device == "cpu" else halves.decoder
    session = onnx_session(network.written(), device, threads)
    return lambda feed: np.asarray(session.run(None, dict(feed))[0], np.float32)


def _in_bfloat16(halves: Halves, threads: int) -> Decode | None:
    """None where the decoder has something in it that is not known in bfloat16."""
    latent = halves.latent
    try:
        network = Bfloat16Network(halves.decoder, threads)
    except UnfitError as reason:
        _log.info("speech is not made in bfloat16: %s", reason)
        return None

    def decode(feed: Feed) -> NDArray[np.float32]:
        count = feed[latent].shape[-1]
        length = roomy(count)
        # The last frame goes on, which is as silent as what is at the end.
        edges = [(0, 0), (0, 0), (0, 0), (0, length - count)]
        sound = network.run({**feed, latent: np.pad(feed[latent], edges, mode="edge")})
        return sound[..., : sound.shape[-1] // length * count]

    return decode


def roomy(length: int) -> int:
    """The least of the lengths in frames that are made in bfloat16 that has room for one."""
    step = _FINE if length <= 2 * _COARSE else _COARSE
    return -(-length // step) * step


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
        decode: Decode,
        *,
        most: int | None = None,
    ) -> None:
        """`most` is how many frames are decoded at a time, beside those around them; None for any
        number."""
        self.times = halves.times
        self._latent_name = halves.latent
        self._conditions = halves.conditions
        self._context = halves.context
        self._front = front
        self._decode = decode
        self._most = most

    def speak(self, feed: Feed) -> tuple[Samples, Frames | None]:
        """One run."""
        latent, frames, conditions = self._latent(feed)
        return self._sound(latent, conditions, 0, latent.shape[-1]), frames

    def begin(self, feed: Feed) -> Iterator[tuple[Samples, bool]]:
        """First EARLY_FRAMES, then the rest; together what `speak` makes."""
        latent, _, conditions = self._latent(feed)
        count, early = latent.shape[-1], 0
        if count >= EARLY_FRAMES + _LEAST_FRAMES:
            early = EARLY_FRAMES
            yield self._sound(latent, conditions, 0, early), False
        yield self._sound(latent, conditions, early, count), True

    def _latent(self, feed: Feed) -> tuple[NDArray[np.float32], Frames | None, Feed]:
        made = [np.asarray(each) for each in self._front.run(None, dict(feed))]
        frames = made[1].reshape(-1) if self.times else None
        conditions = made[2 if self.times else 1 :]
        named = zip(self._conditions, map(_planar, conditions), strict=True)
        return made[0], frames, dict(named)

    def _sound(
        self, latent: NDArray[np.float32], conditions: Feed, begin: int, end: int
    ) -> Samples:
        """That of some frames."""
        parts = max(1, -(-(end - begin) // self._most)) if self._most else 1
        bounds = np.linspace(begin, end, 1 + parts, dtype=int).tolist()
        made = [self._part(latent, conditions, *part) for part in pairwise(bounds)]
        return np.concatenate(made)

    def _part(self, latent: NDArray[np.float32], conditions: Feed, begin: int, end: int) -> Samples:
        """The same, decoded at once with the frames around them that have a part in it."""
        first = max(0, begin - self._context)
        frames = latent[..., first : end + self._context]
        sound = self._decode({self._latent_name: _planar(frames), **conditions}).reshape(-1)
        hop = len(sound) // frames.shape[-1]
        return sound[(begin - first) * hop : (end - first) * hop]


def _planar(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape (1, n_channels, n) to (1, n_channels, 1, n)."""
    return np.ascontiguousarray(values[:, :, None, :])

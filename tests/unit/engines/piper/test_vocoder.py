"""A network as Piper builds them, but small: in halves, and whole where it has none."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from myna.conversion.graph import Graph
from myna.engines.devices import SpeechComputeType
from myna.engines.onnx.graph import Network
from myna.engines.onnx.tensor import Tensor, UnfitError
from myna.engines.piper import vocoder
from myna.engines.piper.halves import halved
from myna.engines.piper.vocoder import (
    EARLY_FRAMES,
    Decode,
    Feed,
    SplitVocoder,
    WholeVocoder,
    load_vocoder,
    roomy,
)
from myna.onnx_messages import FLOAT
from myna.protobuf import data, integer, text

CHANNELS, HOP = 4, 8
RANDOM = np.random.default_rng(5)


def weights(*shape: int) -> np.ndarray:
    return (RANDOM.normal(size=shape) / 4).astype(np.float32)


def network(*, spoken_by: bool = False, pads: tuple[int, int] = (6, 6), read: bool = True) -> bytes:
    """`latent`, as it is given, and what a decoder with two levels makes of it; `read` says whether
    who speaks is read by a convolution, as in Piper's."""
    graph = Graph("voice")
    given = graph.input("given", (1, CHANNELS, "frames"))
    latent = graph.node("Tanh", given)
    nodes = {}
    spread = {"kernel_shape": [7], "strides": [1], "dilations": [1], "pads": [3, 3]}
    at = nodes["conv_pre/Conv"] = graph.node(
        "Conv", latent, graph.constant(weights(CHANNELS, CHANNELS, 7)), **spread
    )
    if spoken_by:
        who = graph.node("Tanh", graph.input("who", (1, CHANNELS, 1)))
        if read:
            one = {"kernel_shape": [1], "strides": [1], "dilations": [1], "pads": [0, 0]}
            who = nodes["cond/Conv"] = graph.node(
                "Conv", who, graph.constant(weights(CHANNELS, CHANNELS, 1)), **one
            )
        at = nodes["Add"] = graph.node("Add", at, who)
    up = {"kernel_shape": [16], "strides": [HOP], "dilations": [1], "pads": [4, 4]}
    at = nodes["ups.0/ConvTranspose"] = graph.node(
        "ConvTranspose", at, graph.constant(weights(CHANNELS, CHANNELS, 16)), **up
    )
    wide = {"kernel_shape": [5], "strides": [1], "dilations": [3], "pads": list(pads)}
    at = nodes["Conv"] = graph.node("Conv", at, graph.constant(weights(1, CHANNELS, 5)), **wide)
    at = nodes["Tanh"] = graph.node("Tanh", at)
    graph.output(at, "output", (1, 1, "samples"))
    file = graph.serialised()
    for name, node in nodes.items():
        file = _renamed(file, node, f"/dec/{name}")
    return file


def _renamed(file: bytes, node: str, name: str) -> bytes:
    """The same with another name for a node, by way of `Network`: names are its third field."""
    read = Network.read(file)
    nodes = [
        replace(one, name=name, rest=one.rest.replace(text(3, node), text(3, name)))
        if one.name == node
        else one
        for one in read.nodes
    ]
    return replace(read, nodes=tuple(nodes)).written()


def loaded(folder: Path, file: bytes) -> SplitVocoder:
    (folder / "voice.onnx").write_bytes(file)
    vocoder = load_vocoder(folder / "voice.onnx", "cpu", 1)
    assert isinstance(vocoder, SplitVocoder)
    return vocoder


def feed(frames: int, **more: np.ndarray) -> dict[str, np.ndarray]:
    return {"given": weights(1, CHANNELS, frames), **more}


def test_the_decoder_looks_no_further_than_it_says() -> None:
    # 3 frames, 1 for what is between two frames, and 6 of 8 samples a frame.
    assert halved(network()).context == 5


@pytest.mark.parametrize("frames", [1, 30, EARLY_FRAMES + 19, EARLY_FRAMES + 20, 300])
@pytest.mark.parametrize("spoken_by", [False, True])
def test_parts_are_together_what_one_run_makes(
    tmp_path: Path, frames: int, *, spoken_by: bool
) -> None:
    vocoder = loaded(tmp_path, network(spoken_by=spoken_by))
    asked = feed(frames, **({"who": weights(1, CHANNELS, 1)} if spoken_by else {}))
    whole, told = vocoder.speak(asked)
    parts = list(vocoder.begin(asked))
    assert told is None
    assert len(whole) == frames * HOP
    assert [last for _, last in parts] == [False] * (len(parts) - 1) + [True]
    assert len(parts) == (2 if frames >= EARLY_FRAMES + 20 else 1)
    assert np.allclose(np.concatenate([part for part, _ in parts]), whole, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 37, 133, 900])
def test_in_bfloat16_it_is_nearly_the_same(tmp_path: Path, frames: int) -> None:
    exact = loaded(tmp_path, network(spoken_by=True))
    quick = load_vocoder(tmp_path / "voice.onnx", "cpu", 1, "bfloat16")
    asked = feed(frames, who=weights(1, CHANNELS, 1))
    made = quick.speak(asked)[0]
    assert made.shape == (frames * HOP,)
    assert made.dtype == np.float32
    # At its very end it goes on into a frame that is repeated instead of into nothing.
    inner = max(0, frames - 5) * HOP
    assert np.allclose(made[:inner], exact.speak(asked)[0][:inner], atol=0.02)


@pytest.mark.parametrize(("exact_s", "quick_s"), [(0.02, 0.01), (0.01, 0.02)])
@pytest.mark.parametrize("spoken_by", [False, True])
def test_of_two_number_formats_the_quicker_one_is_kept(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    exact_s: float,
    quick_s: float,
    *,
    spoken_by: bool,
) -> None:
    clock = 0.0
    used: list[str] = []

    def timed(name: str, seconds: float, make: Callable[..., Decode]) -> Callable[..., Decode]:
        def decode(made: Decode, asked: Feed) -> np.ndarray:
            nonlocal clock
            clock += seconds
            used.append(name)
            return made(asked)

        return lambda *given: partial(decode, make(*given))

    for name, seconds in (("_in_onnxruntime", exact_s), ("_in_bfloat16", quick_s)):
        made = timed(name, seconds, getattr(vocoder, name))
        monkeypatch.setattr(vocoder, name, made)
    monkeypatch.setattr("time.perf_counter", lambda: clock)
    (tmp_path / "voice.onnx").write_bytes(network(spoken_by=spoken_by))
    kept = load_vocoder(tmp_path / "voice.onnx", "cpu", 1, "quicker")
    assert {*used} == {"_in_onnxruntime", "_in_bfloat16"}
    used.clear()
    more = {"who": weights(1, CHANNELS, 1)} if spoken_by else {}
    assert len(kept.speak(feed(30, **more))[0]) == 30 * HOP
    assert used == ["_in_bfloat16" if quick_s < exact_s else "_in_onnxruntime"]


def test_formats_that_cannot_be_compared_leave_it_as_it_is(tmp_path: Path) -> None:
    file = network(spoken_by=True, read=False)
    exact = loaded(tmp_path, file)
    kept = load_vocoder(tmp_path / "voice.onnx", "cpu", 1, "quicker")
    asked = feed(40, who=weights(1, CHANNELS, 1))
    assert np.array_equal(kept.speak(asked)[0], exact.speak(asked)[0])


def test_few_lengths_are_made() -> None:
    lengths = range(1, 289)
    made = [roomy(length) for length in lengths]
    assert all(length <= room < length + 32 for length, room in zip(lengths, made, strict=True))
    assert len(set(made)) == 11


def test_a_decoder_that_bfloat16_cannot_have_is_still_split(tmp_path: Path) -> None:
    (tmp_path / "voice.onnx").write_bytes(network(pads=(5, 7)))
    assert isinstance(load_vocoder(tmp_path / "voice.onnx", "cpu", 1, "bfloat16"), SplitVocoder)


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16"])
def test_weights_that_cannot_be_read_are_run_as_they_are(
    tmp_path: Path, compute_type: SpeechComputeType
) -> None:
    """Number by number instead of byte by byte, as some writers of networks do."""
    read = Network.read(network())
    tensors = {
        name: Tensor(one.shape, integer(2, FLOAT) + text(8, name) + data(4, one.numbers.tobytes()))
        for name, one in read.tensors.items()
    }
    (tmp_path / "voice.onnx").write_bytes(replace(read, tensors=tensors).written())
    vocoder = load_vocoder(tmp_path / "voice.onnx", "cpu", 1, compute_type)
    assert isinstance(vocoder, WholeVocoder)
    assert len(vocoder.speak(feed(40))[0]) == 40 * HOP


def test_no_weights_are_kept_but_those_that_are_used(tmp_path: Path) -> None:
    def networks() -> int:
        gc.collect()
        return sum(type(one) is Network for one in gc.get_objects())

    (tmp_path / "voice.onnx").write_bytes(network())
    before = networks()
    vocoder = load_vocoder(tmp_path / "voice.onnx", "cpu", 1, "bfloat16")
    assert networks() == before
    assert vocoder.speak(feed(40))[0].size


def test_the_halves_make_what_the_network_makes(tmp_path: Path) -> None:
    file = network()
    (tmp_path / "whole.onnx").write_bytes(file.replace(b"/dec/", b"/xyz/"))
    whole = load_vocoder(tmp_path / "whole.onnx", "cpu", 1)
    assert isinstance(whole, WholeVocoder)
    asked = feed(50)
    made = whole.speak(asked)[0]
    assert np.allclose(made, loaded(tmp_path, file).speak(asked)[0], atol=1e-6)
    ((begun, last),) = whole.begin(asked)
    assert last
    assert np.array_equal(begun, made)


def test_a_network_without_a_decoder_is_not_halved() -> None:
    with pytest.raises(UnfitError, match="no decoder"):
        halved(network().replace(b"/dec/", b"/xyz/"))

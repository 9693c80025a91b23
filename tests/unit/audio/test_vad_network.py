"""Silero's network as lines of one picture says what it says as it is shipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import faster_whisper
import numpy as np
import onnxruntime
import pytest

from myna.audio.activity import FRAME
from myna.audio.vad import CONTEXT_SAMPLES, STATE_SHAPE, VadModel
from myna.audio.vad_network import in_one_picture
from myna.engines.onnx.graph import Network
from myna.engines.onnx.tensor import UnfitError

SHIPPED = Path(faster_whisper.__file__).parent / "assets" / "silero_vad_v6.onnx"


def said(file: bytes, n_frames: int) -> list[np.ndarray]:
    """Probabilities and state."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(n_frames)
    frames = random.normal(0, 0.1, (n_frames, CONTEXT_SAMPLES + FRAME)).astype(np.float32)
    state = random.normal(0, 0.1, (2, *STATE_SHAPE)).astype(np.float32)
    return session.run(None, {"input": frames, "h": state[0], "c": state[1]})


@pytest.mark.parametrize("n_frames", [1, 2, 62, 1_024])
def test_it_is_the_same_up_to_rounding(n_frames):
    shipped = SHIPPED.read_bytes()
    for ours, theirs in zip(
        said(in_one_picture(shipped), n_frames), said(shipped, n_frames), strict=True
    ):
        assert ours.shape == theirs.shape
        assert np.allclose(ours, theirs, atol=1e-4)


def changed(change) -> bytes:
    """The shipped file with some of its operators changed or, where that gives None, left out."""
    network = Network.read(SHIPPED.read_bytes())
    nodes = [one for one in map(change, network.nodes) if one is not None]
    return replace(network, nodes=tuple(nodes)).written()


def without(operator):
    return changed(lambda node: None if node.operator == operator else node)


def with_another_kernel(node):
    return replace(node, inputs=(node.inputs[0], "h")) if node.operator == "Conv" else node


def with_another_slice(node):
    inputs = (*node.inputs[:3], node.inputs[4]) if node.operator == "Slice" else node.inputs
    return replace(node, inputs=inputs)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"no network",
        without("Unsqueeze"),
        without("Transpose"),
        changed(with_another_kernel),
        changed(with_another_slice),
    ],
)
def test_one_that_is_built_otherwise_is_left_alone(file):
    with pytest.raises(UnfitError):
        in_one_picture(file)


def test_a_network_that_is_left_alone_still_finds_speech(monkeypatch, caplog):
    def unfit(file: bytes) -> bytes:
        raise UnfitError("it is another one")

    frames = np.random.default_rng(0).normal(0, 0.1, (30, CONTEXT_SAMPLES + FRAME))
    asked = (frames.astype(np.float32), *np.zeros((2, *STATE_SHAPE), np.float32))
    expected = VadModel().run(*asked)[0]
    monkeypatch.setattr("myna.audio.vad.in_one_picture", unfit)
    with caplog.at_level("INFO"):
        assert np.allclose(VadModel().run(*asked)[0], expected, atol=1e-4)
    assert "it is another one" in caplog.text

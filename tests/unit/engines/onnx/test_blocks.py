"""A network whose channels stay in blocks makes what it made before."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from myna.conversion.graph import Graph
from myna.engines.onnx.blocks import in_blocks
from myna.engines.onnx.convolutions import in_phases
from myna.engines.onnx.graph import Network

CHANNELS = 32
RANDOM = np.random.default_rng(3)


def weights(*shape: int) -> np.ndarray:
    return (RANDOM.normal(size=shape) / 8).astype(np.float32)


def decoder() -> Network:
    """Upsampling, then a block of two convolutions around which its input is added."""
    graph = Graph("decoder")
    at = graph.input("sound", (1, CHANNELS, "frames"))
    usual = {"strides": [1], "dilations": [1], "pads": [1, 1], "kernel_shape": [3]}

    def convolved(source: str) -> str:
        return graph.node("Conv", source, graph.constant(weights(CHANNELS, CHANNELS, 3)), **usual)

    at = graph.node("LeakyRelu", at)
    up = {"kernel_shape": [8], "strides": [4], "dilations": [1], "pads": [2, 2]}
    kernel = graph.constant(weights(CHANNELS, CHANNELS, 8))
    at = graph.node("ConvTranspose", at, kernel, **up)
    once = convolved(graph.node("LeakyRelu", at))
    at = graph.node("Add", convolved(graph.node("LeakyRelu", once)), at)
    at = graph.node("Tanh", graph.node("LeakyRelu", at))
    graph.output(at, "made", (1, CHANNELS, "samples"))
    return Network.read(graph.serialised()).part({"sound": 4}, (at,)).planar()


def run(network: Network, frames: int) -> np.ndarray:
    session = onnxruntime.InferenceSession(network.written(), providers=["CPUExecutionProvider"])
    sound = np.random.default_rng(frames).normal(size=(1, CHANNELS, 1, frames))
    return session.run(None, {"sound": sound.astype(np.float32)})[0]


@pytest.mark.parametrize("frames", [1, 7, 100])
def test_it_makes_the_same(frames: int) -> None:
    before = decoder()
    for after in (in_blocks(before), in_phases(in_blocks(before))):
        assert np.allclose(run(after, frames), run(before, frames), atol=1e-5)


def test_what_follows_an_upsampling_and_each_activation_has_a_convolution_by_ones() -> None:
    before, after = decoder(), in_blocks(decoder())
    by_ones = [node.inputs[0] for node in after.nodes if node.groups == CHANNELS]
    (upsampled,) = (node.outputs[0] for node in before.nodes if node.operator == "ConvTranspose")
    # The input's channels are not known, and the second activation joins the convolution before it.
    assert len(by_ones) == 3
    assert by_ones[0] == upsampled
    assert after.outputs == before.outputs


def test_an_upsampling_that_is_the_end_keeps_its_name() -> None:
    graph = Graph("end")
    up = {"kernel_shape": [8], "strides": [4], "dilations": [1], "pads": [2, 2]}
    sound = graph.input("sound", (1, CHANNELS, "frames"))
    made = graph.node("ConvTranspose", sound, graph.constant(weights(CHANNELS, CHANNELS, 8)), **up)
    graph.output(made, "made", (1, CHANNELS, "samples"))
    planar = Network.read(graph.serialised()).part({"sound": 4}, (made,)).planar()
    assert np.array_equal(run(in_blocks(planar), 9), run(planar, 9))

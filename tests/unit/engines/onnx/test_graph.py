"""Networks taken apart: small ones made here, run by onnxruntime whole and in parts."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from myna import protobuf
from myna.conversion.graph import Graph
from myna.engines.onnx.graph import Network
from myna.engines.onnx.tensor import Tensor, UnfitError
from myna.onnx_messages import UINT8

RANDOM = np.random.default_rng(7)


def weights(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def small() -> bytes:
    """Two convolutions with a residual: `sound` to `made`."""
    graph = Graph("small")
    at = graph.input("sound", (1, 3, "length"))
    spread = {"kernel_shape": [5], "strides": [1], "dilations": [2], "pads": [4, 4]}
    first = graph.node("Conv", at, graph.constant(weights(3, 3, 5)), **spread)
    middle = graph.node("Tanh", graph.node("Add", first, at))
    up = {"kernel_shape": [4], "strides": [2], "dilations": [1], "pads": [1, 1]}
    last = graph.node("ConvTranspose", middle, graph.constant(weights(3, 2, 4)), **up)
    graph.output(last, "made", (1, 2, "longer"))
    return graph.serialised()


SMALL = small()


def run(file: bytes, **inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, inputs)[0])


def test_what_is_read_is_written_again_and_makes_the_same() -> None:
    network, sound = Network.read(SMALL), weights(1, 3, 20)
    assert network.outputs == ("made",)
    assert list(network.inputs) == ["sound"]
    assert np.array_equal(run(network.written(), sound=sound), run(SMALL, sound=sound))


def test_two_parts_make_together_what_the_whole_makes() -> None:
    network, sound = Network.read(SMALL), weights(1, 3, 20)
    middle = next(node for node in network.nodes if node.operator == "Tanh").outputs[0]
    front = network.part({}, [middle])
    back = network.part({middle: 3}, ["made"])
    assert [node.operator for node in front.nodes] == ["Conv", "Add", "Tanh"]
    assert len(front.tensors) == len(back.tensors) == 1
    between = run(front.written(), sound=sound)
    assert np.array_equal(run(back.written(), **{middle: between}), run(SMALL, sound=sound))


def test_a_part_without_all_that_it_needs_is_refused() -> None:
    network = Network.read(SMALL)
    nodes = [node for node in network.nodes if node.operator == "ConvTranspose"]
    (missing,) = network.crossing(nodes)
    with pytest.raises(UnfitError, match=missing):
        network.part({}, nodes[0].outputs, of=nodes)


def test_on_pictures_of_height_1_it_makes_the_same() -> None:
    network, sound = Network.read(SMALL), weights(1, 3, 20)
    nodes = [node for node in network.nodes if node.operator != "Identity"]
    flat = network.part({"sound": 4}, nodes[-1].outputs, of=nodes).planar()
    made = run(flat.written(), sound=sound[:, :, None, :])
    assert made.shape == (1, 2, 1, 40)
    assert np.allclose(made[:, :, 0], run(SMALL, sound=sound), atol=1e-5)


def test_what_looks_at_places_does_not_become_planar() -> None:
    graph = Graph("biased")
    at = graph.input("sound", (1, 3, "length"))
    graph.output(graph.node("Add", at, graph.constant(weights(3, 1))), "made", (1, 3, "length"))
    biased = Network.read(graph.serialised())
    with pytest.raises(UnfitError, match="numbers for each place"):
        Network(biased.nodes[:1], biased.tensors, {}, (), b"").planar()
    with pytest.raises(UnfitError, match="Identity"):
        Network(biased.nodes[1:], biased.tensors, {}, (), b"").planar()


@pytest.mark.parametrize("file", [b"not a network", b"\x3a\x05abc"])
def test_what_is_no_network_is_unfit(file: bytes) -> None:
    with pytest.raises(UnfitError, match="not to be read"):
        Network.read(file)


def test_eight_bits_are_read_however_they_are_written() -> None:
    raw = Tensor.new("raw", np.array([[1, -2], [3, 127]], np.int8))
    assert raw.eight_bits.tolist() == [[1, -2], [3, 127]]
    listed = protobuf.integer(2, UINT8) + protobuf.data(5, bytes([7, 0xC8, 0x01]))
    assert Tensor((2,), listed).eight_bits.tolist() == [7, 200]
    with pytest.raises(UnfitError, match="not of 8 bits"):
        _ = Tensor.new("floats", weights(2)).eight_bits


def test_attributes_that_are_one_integer_may_be_negative():
    graph = Graph("axes")
    at = graph.input("sound", (1, 3, "length"))
    graph.output(graph.node("Softmax", at, axis=-2), "made", (1, 3, "length"))
    softmax = Network.read(graph.serialised()).nodes[0]
    assert (softmax.integer("axis", 5), softmax.integer("other", 5)) == (-2, 5)


def test_whole_numbers_are_read_in_a_line():
    assert Tensor.new("sizes", np.array([[1, -2], [3, 1 << 40]])).integers == (1, -2, 3, 1 << 40)
    with pytest.raises(UnfitError):
        _ = Tensor.new("weights", weights(3)).integers


def test_a_part_is_kept_to_itself_unless_others_are_given_what_it_makes():
    network = Network.read(SMALL)
    first, added, *_ = network.nodes
    assert network.keeps([first], first.outputs)
    assert not network.keeps([first], ())
    assert network.keeps([first, added], added.outputs)


def test_a_domain_of_operators_is_named_once():
    network = Network.read(SMALL)
    once = network.importing("com.example")
    assert once.importing("com.example") == once
    assert len(once.about) > len(network.about)
    assert once.about.count(b"com.example") == 1

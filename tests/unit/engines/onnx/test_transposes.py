"""Transposes, and back: small networks made here, run by onnxruntime as they were and as they
are then."""

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.engines.onnx.networks import Write, network, operators, run

from myna import protobuf
from myna.conversion.graph import Graph
from myna.engines.onnx.drawing import TRANSPOSITION
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.transposes import with_few_transposes

RANDOM = np.random.default_rng(9)
SOUND = RANDOM.normal(size=(1, 6, 11)).astype(np.float32)
SCALAR = np.array(0.3, np.float32)


def transposed(graph: Graph, at: str) -> str:
    return graph.node("Transpose", at, perm=TRANSPOSITION)


def product(graph: Graph, at: str, inner: int = 6, outer: int = 6) -> str:
    """As a convolution is written: transposed, multiplied, and transposed again."""
    kernel = graph.constant(RANDOM.normal(size=(inner, outer)).astype(np.float32))
    return transposed(graph, graph.node("MatMul", transposed(graph, at), kernel))


def checked(write: Write) -> list[str]:
    """The operators that are left, once what they make has been found to be the same."""
    whole = network(write)
    short = with_few_transposes(whole)
    assert short.outputs == ("made",)
    assert np.allclose(run(short, SOUND), run(whole, SOUND), atol=1e-5)
    return operators(short)


def test_between_products_nothing_is_transposed():
    def write(graph: Graph, at: str) -> str:
        return product(graph, product(graph, at))

    assert checked(write) == ["Transpose", "MatMul", "MatMul", "Transpose"]


def test_what_is_done_to_each_number_is_done_to_what_is_transposed():
    def write(graph: Graph, at: str) -> str:
        at = graph.node("Tanh", product(graph, at))
        at = graph.node("Mul", at, graph.constant(SCALAR))
        other = graph.node("Sigmoid", at)
        return product(graph, graph.node("Add", at, other))

    left = checked(write)
    assert left.count("Transpose") == 2
    assert left == ["Transpose", "MatMul", "Tanh", "Mul", "Sigmoid", "Add", "MatMul", "Transpose"]


@pytest.mark.parametrize("axis", [1, -2])
def test_channels_are_taken_apart_and_put_together_transposed(axis):
    def write(graph: Graph, at: str) -> str:
        at = product(graph, at)
        ends = [(0, 2), (2, 6)]
        parts = [
            graph.node("Slice", at, *(graph.integers(one) for one in (*end, axis))) for end in ends
        ]
        return product(graph, graph.node("Concat", *parts[::-1], axis=axis))

    assert checked(write).count("Transpose") == 2


def test_a_split_that_says_no_sizes_is_done_as_it_was():
    def write(graph: Graph, at: str) -> str:
        whole = graph.node("Split", product(graph, at), axis=1, num_outputs=1)
        return product(graph, whole)

    network_18 = replace(network(write), about=opset(18))
    assert operators(with_few_transposes(network_18)).count("Transpose") == 4
    assert np.allclose(
        run(with_few_transposes(network_18), SOUND), run(network_18, SOUND), atol=1e-5
    )


def opset(version: int) -> bytes:
    return protobuf.integer(1, 8) + protobuf.data(8, protobuf.integer(2, version))


def test_what_is_backwards_is_backwards_transposed():
    def write(graph: Graph, at: str) -> str:
        at = product(graph, at)
        least = np.iinfo(np.int64).min + 1
        backwards = (graph.integers(one) for one in (-1, least, 1, -1))
        return product(graph, graph.node("Slice", at, *backwards))

    assert checked(write).count("Transpose") == 2


def test_what_cannot_be_done_transposed_is_done_as_it_was():
    def write(graph: Graph, at: str) -> str:
        softened = graph.node("Softmax", product(graph, at), axis=1)
        return product(graph, softened)

    assert checked(write) == [
        *("Transpose", "MatMul", "Transpose"),
        "Softmax",
        *("Transpose", "MatMul", "Transpose"),
    ]


def test_what_is_there_only_as_it_was_is_not_transposed_for_a_sum():
    def write(graph: Graph, at: str) -> str:
        return graph.node("Add", graph.node("Tanh", at), product(graph, at))

    assert checked(write).count("Transpose") == 2


def test_numbers_for_each_channel_are_added_as_they_were():
    def write(graph: Graph, at: str) -> str:
        bias = graph.constant(RANDOM.normal(size=(1, 6, 1)).astype(np.float32))
        return product(graph, graph.node("Add", product(graph, at), bias))

    assert checked(write).count("Transpose") == 4


def test_quantized_numbers_are_transposed_and_their_scale_is_one_for_all():
    def write(graph: Graph, at: str) -> str:
        at = product(graph, at)
        numbers = graph.node("DynamicQuantizeLinear", at)
        return graph.node("Cast", transposed(graph, numbers), to=1)

    graph = Graph("quantized")
    made = write(graph, graph.input("sound", (1, 6, "length")))
    graph.output(made, "made", (1, "one", "other"))
    whole = Network.read(graph.serialised())
    (index,) = (n for n, node in enumerate(whole.nodes) if "Quantize" in node.operator)
    short = with_few_transposes(with_all_outputs(whole, index))
    assert operators(short) == ["Transpose", "MatMul", "DynamicQuantizeLinear", "Cast"]
    assert np.array_equal(run(short, SOUND), run(with_all_outputs(whole, index), SOUND))


def with_all_outputs(network: Network, index: int) -> Network:
    """What `Graph` writes has one output; this one has three."""
    node = network.nodes[index]
    node = replace(node, outputs=(*node.outputs, "scale", "zero"))
    return replace(network, nodes=(*network.nodes[:index], node, *network.nodes[index + 1 :]))


def test_an_output_may_be_called_as_what_makes_it():
    """Nodes that are drawn are, and onnxruntime takes no two of one name."""
    whole = network(lambda graph, at: graph.node("Tanh", product(graph, at)))
    tanh = replace(Node.new("Tanh", whole.nodes[-2].inputs, ("made",)), outputs=("made",))
    whole = replace(whole, nodes=(*whole.nodes[:-2], tanh))
    short = with_few_transposes(whole)
    assert np.allclose(run(short, SOUND), run(whole, SOUND), atol=1e-6)


def test_a_network_that_only_transposes_still_does():
    assert checked(transposed) == ["Transpose"]


def test_transposed_twice_is_as_it_was():
    assert checked(lambda graph, at: transposed(graph, transposed(graph, at))) == []

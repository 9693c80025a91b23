"""What Piper's export says with several operators: small networks made here, run by onnxruntime as
they were and as they are then."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from tests.unit.engines.onnx.networks import network, operators, run

from myna import protobuf
from myna.conversion.graph import Graph
from myna.engines.onnx.graph import Network
from myna.engines.piper.idioms import with_idioms
from myna.onnx_messages import tensor

RANDOM = np.random.default_rng(5)
SOUND = RANDOM.normal(size=(1, 6, 19)).astype(np.float32)
LEAST = np.array(1e-5, np.float32)


def numbers(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def stays(network: Network) -> bool:
    return operators(with_idioms(network)) == operators(network)


def same(network: Network) -> bool:
    """Whether as much is made, which is not all alike."""
    before, after = run(network, SOUND), run(with_idioms(network), SOUND)
    return bool(before.std() > 0.1) and np.allclose(before, after, atol=1e-5)


def normalized(graph: Graph, at: str, *, axis: int = -1, power: float = 2) -> str:
    apart = graph.node("Sub", at, graph.node("ReduceMean", at, axes=[axis]))
    squares = graph.node("Pow", apart, graph.constant(np.array(power, np.float32)))
    variance = graph.node("ReduceMean", squares, axes=[-1])
    root = graph.node("Sqrt", graph.node("Add", variance, graph.constant(LEAST)))
    share = graph.node("Div", apart, root)
    scaled = graph.node("Mul", share, graph.constant(numbers(19)))
    return graph.node("Add", scaled, graph.constant(numbers(19)))


def test_normalization_is_one_operator():
    whole = network(lambda graph, at: normalized(graph, graph.node("Tanh", at)))
    assert operators(with_idioms(whole)) == ["Tanh", "LayerNormalization"]
    assert same(whole)


@pytest.mark.parametrize("other", [{"axis": 1}, {"power": 4.0}])
def test_what_is_like_normalization_and_is_none_stays(other):
    assert stays(network(lambda graph, at: normalized(graph, at, **other)))


def gelu(graph: Graph, at: str, *, half: float = 0.5) -> str:
    shrunk = graph.node("Div", at, graph.constant(np.array(2**0.5, np.float32)))
    more = graph.node("Add", graph.node("Erf", shrunk), graph.constant(np.array(1, np.float32)))
    return graph.node("Mul", graph.node("Mul", at, more), graph.constant(np.float32(half)))


def test_gelu_is_one_operator():
    whole = network(gelu)
    assert operators(with_idioms(whole)) == ["Gelu"]
    assert same(whole)


def test_what_is_like_gelu_and_is_none_stays():
    assert stays(network(lambda graph, at: gelu(graph, at, half=0.6)))


def padded(sizes: tuple[int, ...], *, value: float = 0, pads: tuple[int, int] = (0, 0)) -> Network:
    def write(graph: Graph, at: str) -> str:
        silence = graph.constant(np.array(value, np.float32))
        at = graph.node("Pad", at, graph.integers(*sizes), silence)
        inner = 6 + sizes[1] + sizes[4]
        kernel = graph.constant(numbers(2, inner, 3))
        over = {"kernel_shape": [3], "strides": [1], "dilations": [1], "pads": list(pads)}
        return graph.node("Conv", at, kernel, **over)

    return network(write)


@pytest.mark.parametrize("sizes", [(0, 0, 1, 0, 0, 1), (0, 0, 2, 0, 0, 0)])
def test_a_convolution_sees_to_the_silence_around_what_it_hears(sizes):
    whole = padded(sizes)
    assert operators(with_idioms(whole)) == ["Conv"]
    assert same(whole)


@pytest.mark.parametrize(
    "whole",
    [
        padded((0, 1, 1, 0, 0, 1)),
        padded((0, 0, -1, 0, 0, 1)),
        padded((0, 0, 1, 0, 0, 1), value=1),
        padded((0, 0, 1, 0, 0, 1), pads=(1, 1)),
    ],
    ids=["channels", "cut", "not silent", "more of it"],
)
def test_padding_that_is_more_than_silence_around_stays(whole):
    assert stays(whole)


def mask(graph: Graph, at: str) -> str:
    """As VITS has it: places before a length. Here that is what there is."""
    shape = graph.node("Shape", at)
    length = graph.node("Gather", shape, graph.integers(2))
    number = graph.node("Squeeze", length)
    zero, one = (graph.constant(np.array(value, np.int64)) for value in (0, 1))
    places = graph.node("Unsqueeze", graph.node("Range", zero, number, one), graph.integers(0))
    before = graph.node("Less", places, graph.node("Unsqueeze", length, graph.integers(1)))
    return graph.node("Cast", graph.node("Unsqueeze", before, graph.integers(1)), to=1)


@pytest.mark.parametrize("turned", [False, True])
def test_of_one_text_nothing_is_masked(turned):
    def write(graph: Graph, at: str) -> str:
        hidden = mask(graph, at)
        factors = (graph.node("Tanh", at), hidden)
        once = graph.node("Mul", *(factors[::-1] if turned else factors))
        return graph.node("Relu", graph.node("Mul", once, hidden))

    whole = network(write)
    assert operators(with_idioms(whole)) == ["Tanh", "Relu"]
    assert same(whole)


def test_a_length_that_only_masks_were_made_of_can_still_be_given():
    graph = Graph("masked")
    at, length = graph.input("sound", (1, 6, "length")), graph.input("count", (1,))
    limit = graph.node("Unsqueeze", graph.node("Cast", length, to=7), graph.integers(1))
    number = graph.node("Squeeze", graph.node("Gather", graph.node("Shape", at), graph.integers(2)))
    zero, one = (graph.constant(np.array(value, np.int64)) for value in (0, 1))
    places = graph.node("Unsqueeze", graph.node("Range", zero, number, one), graph.integers(0))
    before = graph.node("Unsqueeze", graph.node("Less", places, limit), graph.integers(1))
    made = graph.node("Mul", graph.node("Tanh", at), graph.node("Cast", before, to=1))
    graph.output(graph.node("Relu", made), "made", (1, 6, "length"))
    short = with_idioms(Network.read(graph.serialised()))
    assert operators(short) == ["Tanh", "Relu"]
    session = onnxruntime.InferenceSession(short.written(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"sound": SOUND, "count": np.array([19], np.float32)})[0]
    assert np.allclose(found, np.maximum(np.tanh(SOUND), 0), atol=1e-6)


def test_masks_of_masks_stay_as_their_shape_is_needed():
    def write(graph: Graph, at: str) -> str:
        hidden = mask(graph, at)
        return graph.node("Sub", at, graph.node("Mul", hidden, hidden))

    assert operators(with_idioms(network(write)))[-2:] == ["Mul", "Sub"]
    assert same(network(write))


def zeros(graph: Graph, at: str) -> str:
    return graph.node("ConstantOfShape", graph.node("Shape", at))


def test_zeros_are_not_added_and_their_powers_no_factors():
    def write(graph: Graph, at: str) -> str:
        more = graph.node("Add", graph.node("Tanh", at), zeros(graph, at))
        one = graph.node("Exp", graph.node("Neg", zeros(graph, more)))
        return graph.node("Relu", graph.node("Mul", more, one))

    assert operators(with_idioms(network(write))) == ["Tanh", "Relu"]
    assert same(network(write))


def test_what_is_like_zeros_and_is_none_is_added():
    def write(graph: Graph, at: str) -> str:
        return graph.node("Relu", graph.node("Add", at, zeros(graph, at)))

    whole = network(write)
    # AttributeProto: a name, a tensor, and that it is one.
    value = protobuf.text(1, "value") + protobuf.data(5, tensor("", np.array([2], np.float32)))
    twos = protobuf.data(5, value + protobuf.integer(20, 4))
    nodes = [
        replace(node, rest=node.rest + twos) if node.operator == "ConstantOfShape" else node
        for node in whole.nodes
    ]
    whole = replace(whole, nodes=tuple(nodes))
    assert stays(whole)
    assert np.allclose(run(whole, SOUND), np.maximum(SOUND + 2, 0))


def test_an_output_is_called_as_it_was():
    whole = network(lambda graph, at: graph.node("Mul", at, mask(graph, at)))
    assert with_idioms(whole).outputs == ("made",)
    assert same(whole)

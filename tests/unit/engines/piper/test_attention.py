"""The attention of Piper's text encoder, beside the same by its formula in 64 bits."""

import numpy as np
import pytest

from myna import protobuf
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.piper.attention import Attention, drawn, places_of, with_short_attention
from myna.engines.sessions import onnx_session
from myna.onnx_messages import float_value

HEADS, SIZE, NEAR = 2, 6, 3
CHANNELS = HEADS * SIZE

numbers = np.random.default_rng(3)


def attention() -> Attention:
    return Attention(
        "sound",
        "made",
        *(numbers.normal(size=shape).astype(np.float32) / 2 for shape in SHAPES),
    )


SHAPES = ((3 * CHANNELS, CHANNELS), (3 * CHANNELS,), *((2 * NEAR + 1, SIZE),) * 2)


def run(attention: Attention, sound: np.ndarray) -> np.ndarray:
    parts = (places_of(attention), drawn(attention))
    network = Network(
        tuple(node for part in parts for node in part.nodes),
        {name: tensor for part in parts for name, tensor in part.tensors.items()},
        {"sound": float_value("sound", (1, CHANNELS, "n"))},
        ("made",),
        protobuf.integer(1, 8) + protobuf.data(8, protobuf.integer(2, 15)),
    )
    session = onnx_session(network.written(), "cpu", 1)
    return session.run(None, {"sound": sound[None].astype(np.float32)})[0][0]


def formula(attention: Attention, sound: np.ndarray) -> np.ndarray:
    """Shaw et al. (2018), equations 3 to 5; what is farther than NEAR has no embedding."""
    made = np.zeros_like(sound)
    seen = attention.weights.astype(np.float64) @ sound + attention.bias[:, None]
    queries, keys, values = seen.reshape(3, HEADS, SIZE, -1)
    length = sound.shape[1]
    for head in range(HEADS):
        for here in range(length):
            found = keys[head].T @ queries[head, :, here]
            for there in near(here, length):
                found[there] += attention.keys[there - here + NEAR] @ queries[head, :, here]
            shares = np.exp(found - found.max())
            shares /= shares.sum()
            place = values[head] @ shares
            for there in near(here, length):
                place += shares[there] * attention.values[there - here + NEAR]
            made[head * SIZE : (head + 1) * SIZE, here] = place
    return made


def near(here: int, length: int) -> range:
    return range(max(0, here - NEAR), min(length, here + NEAR + 1))


@pytest.mark.parametrize("length", [1, 2, NEAR, NEAR + 1, 2 * NEAR + 1, 40])
def test_each_position_finds_what_the_formula_says(length):
    layer, sound = attention(), numbers.normal(size=(CHANNELS, length))
    assert np.allclose(run(layer, sound), formula(layer, sound), atol=1e-4)


def test_a_network_without_attention_stays_as_it_is():
    network = Network(
        (Node.new("Softmax", ("values",), ("made",)),),
        {},
        {"values": float_value("values", ("n",))},
        ("made",),
        b"",
    )
    assert with_short_attention(network) == network


def test_what_is_called_attention_and_is_none_stays_as_it_is():
    layer = "/enc_p/encoder/attn_layers.0"
    nodes = [
        *(Node.new("Abs", ("values",), (f"{layer}/conv_{one}/Conv",)) for one in "qkv"),
        Node.new("Abs", ("values",), (f"{layer}/Where",)),
        Node.new("Abs", ("values",), (f"{layer}/conv_o/Conv",)),
    ]
    network = Network(tuple(nodes), {}, {}, (nodes[-1].name,), b"")
    assert with_short_attention(network) == network

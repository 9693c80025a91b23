"""Convolutions written otherwise: small networks made here, run by onnxruntime as they were and as
they are then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest

from myna import protobuf
from myna.conversion.graph import IR_VERSION, OPSET, Graph
from myna.engines.onnx.convolutions import (
    PHASES,
    STEPS,
    in_eight_bits,
    in_phases,
    in_products,
    in_rows,
)
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor, UnfitError
from myna.onnx_messages import float_value

RANDOM = np.random.default_rng(11)
SOUND = RANDOM.normal(size=(1, 6, 23)).astype(np.float32)


def weights(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def one(operator: str, kernel: np.ndarray, *, bias: bool = False, **attributes: Any) -> Network:
    """A network of one operator, which makes the last but one of its tensors."""
    graph = Graph("one")
    at = graph.input("sound", (1, 6, "length"))
    outer = kernel.shape[1 if operator == "ConvTranspose" else 0]
    more = [graph.constant(weights(outer))] if bias else []
    made = graph.node(operator, at, graph.constant(kernel), *more, **attributes)
    graph.output(made, "made", (1, outer, "longer"))
    return Network.read(graph.serialised())


def over(length: int, *, stride: int = 1, pads: Sequence[int], apart: int = 1) -> dict[str, Any]:
    return {
        "kernel_shape": [length],
        "strides": [stride],
        "dilations": [apart],
        "pads": list(pads),
    }


def run(network: Network, sound: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(network.written(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"sound": sound})[0])


def planar(network: Network) -> Network:
    nodes = [node for node in network.nodes if node.operator != "Identity"]
    return network.part({"sound": 4}, nodes[-1].outputs, of=nodes).planar()


def operators(network: Network) -> list[str]:
    return [node.operator for node in network.nodes]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("stride", [2, 8])
def test_upsampling_in_phases_makes_the_same(stride: int, *, bias: bool) -> None:
    about = over(2 * stride, stride=stride, pads=(stride // 2, stride // 2))
    before = planar(one("ConvTranspose", weights(6, 5, 2 * stride), bias=bias, **about))
    after = in_phases(before)
    made = run(after, SOUND[:, :, None])
    assert "ConvTranspose" not in operators(after)
    assert made.shape == (1, 5, 1, 23 * stride)
    assert np.allclose(made, run(before, SOUND[:, :, None]), atol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
def test_a_single_channel_in_phases_is_the_same(*, bias: bool) -> None:
    graph = Graph("sound")
    at = graph.input("sound", (1, 6, "length"))
    ups = over(2 * PHASES, stride=PHASES, pads=(PHASES // 2, PHASES // 2))
    wide = graph.node("ConvTranspose", at, graph.constant(weights(6, 4, 2 * PHASES)), **ups)
    more = [graph.constant(weights(1))] if bias else []
    last = graph.node("Conv", wide, graph.constant(weights(1, 4, 7)), *more, **over(7, pads=(3, 3)))
    graph.output(last, "made", (1, 1, "longer"))
    before = planar(Network.read(graph.serialised()))
    after = in_phases(before)
    assert any(node.attributes.get("strides") == [1, PHASES] for node in after.nodes)
    made = run(after, SOUND[:, :, None])
    assert made.shape == (1, 1, 1, 23 * PHASES)
    assert np.allclose(made, run(before, SOUND[:, :, None]), atol=1e-5)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(
            one("ConvTranspose", weights(6, 5, 6), **over(6, stride=2, pads=(2, 2))),
            id="a kernel of three strides",
        ),
        pytest.param(
            one("ConvTranspose", weights(6, 5, 4), **over(4, stride=2, pads=(0, 2))),
            id="more cut off behind than before",
        ),
        pytest.param(
            one("ConvTranspose", weights(6, 5, 6), **over(6, stride=3, pads=(1, 1))),
            id="a stride without a middle",
        ),
        pytest.param(
            one("ConvTranspose", weights(6, 5, 4), group=2, **over(4, stride=2, pads=(1, 1))),
            id="channels in groups",
        ),
        pytest.param(
            one("Conv", weights(1, 6, 7), **over(7, pads=(3, 3))),
            id="one channel of any length",
        ),
    ],
)
def test_what_does_not_fit_the_phases_stays(network: Network) -> None:
    before = planar(network)
    assert in_phases(before) == before


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("length", "about"),
    [
        (1, over(1, pads=(0, 0))),
        (5, over(5, pads=(2, 2))),
        (3, over(3, pads=(4, 0), apart=2)),
    ],
)
def test_eight_bits_make_nearly_the_same(length: int, about: dict[str, Any], *, bias: bool) -> None:
    before = one("Conv", weights(32, 6, length), bias=bias, **about)
    after = in_eight_bits(before, "Conv")
    assert "Conv" not in operators(after)
    was, made = run(before, SOUND), run(after, SOUND)
    assert made.shape == was.shape
    assert 10 * np.log10(np.sum(was**2) / np.sum((made - was) ** 2)) > 30


@pytest.mark.parametrize("sound", [SOUND * 0, SOUND[..., :1]], ids=["silence", "one frame"])
def test_eight_bits_take_what_is_nothing_or_short(sound: np.ndarray) -> None:
    kernel = weights(8, 6, 5)
    kernel[3] = 0
    before = one("Conv", kernel, bias=True, **over(5, pads=(2, 2)))
    made, was = run(in_eight_bits(before, "Conv"), sound), run(before, sound)
    assert np.allclose(made, was, atol=0.05 * np.abs(was).max())


@pytest.mark.parametrize(
    ("within", "about"),
    [
        ("elsewhere", over(3, pads=(1, 1))),
        ("Conv", over(3, pads=(1, 1), stride=2)),
        ("Conv", {"group": 2, **over(3, pads=(1, 1))}),
    ],
)
def test_other_convolutions_keep_their_bits(within: str, about: dict[str, Any]) -> None:
    before = one("Conv", weights(4, 6 // about.get("group", 1), 3), **about)
    assert in_eight_bits(before, within) == before


@pytest.mark.parametrize(
    ("operator", "change"),
    [
        ("ConvTranspose", in_phases),
        ("Conv", lambda network: in_eight_bits(network, "Conv")),
    ],
)
def test_weights_that_are_no_floats_are_unfit(
    operator: str, change: Callable[[Network], Network]
) -> None:
    whole = np.ones((6, 6, 3), np.int64)
    with pytest.raises(UnfitError, match="not float32"):
        change(one(operator, whole, **over(3, pads=(1, 1))))


SIGNED = RANDOM.integers(-STEPS, STEPS + 1, size=(5, 6, 3)).astype(np.int8)
"""Weights that no processor's sums overflow with."""
UNSIGNED = (SIGNED.astype(np.int16) + 128).astype(np.uint8)


def quantised(kernel: np.ndarray, *zero: np.ndarray, **attributes: Any) -> Network:
    """A convolution of 8-bit numbers, which the sound is turned into."""
    names = ["zero"] if zero else []
    held = dict(zip(["kernel", *names], [kernel, *zero], strict=True))
    return Network(
        nodes=(
            Node.new("DynamicQuantizeLinear", ["sound"], ["numbers", "step", "silence"]),
            Node.new(
                "ConvInteger", ["numbers", "kernel", "silence", *names], ["made"], **attributes
            ),
        ),
        tensors={name: Tensor.new(name, numbers) for name, numbers in held.items()},
        inputs={"sound": float_value("sound", (1, 6, "length"))},
        outputs=("made",),
        about=protobuf.integer(1, IR_VERSION) + protobuf.data(8, protobuf.integer(2, OPSET)),
    )


@pytest.mark.parametrize(
    ("kernel", "zero"),
    [
        pytest.param(SIGNED, np.array(3, np.int8), id="signed"),
        pytest.param(UNSIGNED, np.array(130, np.uint8), id="unsigned"),
        pytest.param(UNSIGNED, np.array([126], np.uint8), id="a zero in a list"),
    ],
)
@pytest.mark.parametrize(
    ("length", "about"),
    [
        (1, over(1, pads=(0, 0))),
        (3, over(3, pads=(1, 1))),
        (3, over(3, pads=(4, 0), apart=2)),
        (2, {"kernel_shape": [2]}),
    ],
)
def test_in_rows_every_number_is_the_same(
    kernel: np.ndarray, zero: np.ndarray, length: int, about: dict[str, Any]
) -> None:
    before = quantised(kernel[..., :length], zero, **about)
    after = in_rows(before)
    assert "ConvInteger" not in operators(after)
    made, was = run(after, SOUND + 0.5), run(before, SOUND + 0.5)
    assert made.dtype == was.dtype
    assert np.array_equal(made, was)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(
            quantised(UNSIGNED, np.array(130, np.uint8), **over(3, pads=(1, 1), stride=2)),
            id="some places only",
        ),
        pytest.param(
            quantised(UNSIGNED[:4, :3], np.array(130, np.uint8), group=2, **over(3, pads=(1, 1))),
            id="channels in groups",
        ),
        pytest.param(quantised(SIGNED, **over(3, pads=(1, 1))), id="no zero"),
        pytest.param(
            quantised(UNSIGNED, np.full(5, 130, np.uint8), **over(3, pads=(1, 1))),
            id="a zero for each channel",
        ),
        pytest.param(
            quantised(UNSIGNED[..., None], np.array(130, np.uint8), kernel_shape=[3, 1]),
            id="pictures",
        ),
        pytest.param(one("Conv", weights(4, 6, 3), **over(3, pads=(1, 1))), id="floats"),
    ],
)
def test_what_does_not_fit_rows_stays(network: Network) -> None:
    assert in_rows(network) == network


@pytest.mark.parametrize("bias", [False, True])
def test_convolutions_of_each_place_by_itself_are_products(bias: bool) -> None:
    whole = one("Conv", weights(5, 6, 1), bias=bias, **over(1, pads=(0, 0)))
    short = in_products(whole)
    assert "MatMul" in operators(short)
    assert "Conv" not in operators(short)
    assert np.allclose(run(short, SOUND), run(whole, SOUND), atol=1e-5)


@pytest.mark.parametrize(
    "whole",
    [
        one("Conv", weights(5, 6, 3), **over(3, pads=(1, 1))),
        one("Conv", weights(5, 6, 1), **over(1, stride=2, pads=(0, 0))),
        one("Conv", weights(5, 6, 1), **over(1, pads=(1, 1))),
        one("Conv", weights(6, 1, 1), group=6, **over(1, pads=(0, 0))),
    ],
    ids=["longer", "with strides", "beyond the ends", "in groups"],
)
def test_other_convolutions_are_no_products(whole: Network) -> None:
    assert operators(in_products(whole)) == operators(whole)

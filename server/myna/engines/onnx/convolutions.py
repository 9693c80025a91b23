"""Convolutions over time written otherwise, for less work on a CPU.

`in_rows` makes the same as before to the last bit, `in_phases` and `in_products` up to rounding,
`in_eight_bits` nearly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from myna.engines.onnx.drawing import TRANSPOSITION, Drawing, with_drawings
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor, UnfitError

PHASES = 16
"""Neighbours made at a time where a convolution has one channel: onnxruntime makes channels in
blocks of that size, and throws away what nobody wants."""

_OPERATORS = ("Conv", "ConvTranspose", "ConvInteger")

STEPS = 63
"""The largest 8-bit weight. Half of what there is room for: processors without VNNI add two
products of 8 bits in 16, which with larger ones overflow."""


def in_phases(network: Network) -> Network:
    """A planar network whose upsampling, and what makes a single channel, are convolutions that
    make several neighbours at a time, as channels, which are then put in line."""
    ups = [node for node in network.nodes if node.operator == "ConvTranspose"]
    longer = prod(node.attributes["strides"][-1] for node in ups)

    def change(node: Node, draft: _Draft) -> bool:
        if node.operator == "ConvTranspose":
            return _upsampled(node, draft)
        return node.operator == "Conv" and longer % PHASES == 0 and _single(node, draft)

    return _redrawn(network, change)


def in_eight_bits(network: Network, within: str) -> Network:
    """A network whose convolutions with `within` in their names, over shape (n, channels, length),
    are products of matrices of 8-bit numbers: weights in STEPS steps on either side of 0 for each
    channel that comes out, what goes in in 255 from the least to the largest that there is."""

    def change(node: Node, draft: _Draft) -> bool:
        return node.operator == "Conv" and within in node.name and _eight_bit(node, draft)

    return _redrawn(network, change)


def in_products(network: Network) -> Network:
    """A network whose convolutions of one place to the next, each place by itself, over shape (n,
    channels, length), are products of matrices."""

    def change(node: Node, draft: _Draft) -> bool:
        return node.operator == "Conv" and _by_place(node, draft)

    return _redrawn(network, change)


def in_rows(network: Network) -> Network:
    """A network whose convolutions of 8-bit numbers, over shape (n, channels, length), are products
    of matrices, the weights on the right and signed: what onnxruntime has its fastest code for.

    Half the work or less on processors with VNNI. Those without add two products in 16 bits, which
    a weight above STEPS can overflow.
    """

    def change(node: Node, draft: _Draft) -> bool:
        return node.operator == "ConvInteger" and _integer(node, draft)

    return _redrawn(network, change)


class _Draft(Drawing):
    """What takes an operator's place, under construction."""

    def __init__(self, node: Node, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(node.outputs[0])
        self._inputs = node.inputs
        self._network = tensors

    def weights(self) -> NDArray[np.float32] | None:
        """Those of the convolution that was there; None where they come from elsewhere."""
        kernel = self._network.get(self._inputs[1]) if len(self._inputs) > 1 else None
        return None if kernel is None else kernel.numbers

    def eight_bits(self, place: int) -> NDArray[np.uint8 | np.int8] | None:
        """What one of its inputs is; None where it comes from elsewhere."""
        held = self._network.get(self._inputs[place])
        return None if held is None else held.eight_bits

    def bias(self, times: int) -> tuple[str, ...]:
        """Its bias, if there is one, so many times over."""
        if len(self._inputs) < 3 or not self._inputs[2]:
            return ()
        if self._inputs[2] not in self._network:
            raise UnfitError(f"the bias of {self.name} is no constant")
        return (self.constant(np.tile(self._network[self._inputs[2]].numbers, times)),)

    def in_line(self, places: str, outer: int) -> None:
        """Finish: shape (n, outer, length, neighbours) to one picture of height 1."""
        self.add("Reshape", places, self.integers(0, outer, 1, -1), output=self.name)


def _redrawn(network: Network, change: Callable[[Node, _Draft], bool]) -> Network:
    """The network with what `change` drew where it says that it did."""

    def draw(node: Node) -> Drawing | None:
        draft = _Draft(node, network.tensors)
        fits = node.operator in _OPERATORS and node.groups == 1
        return draft if fits and change(node, draft) else None

    return with_drawings(network, draw)


def _upsampled(node: Node, draft: _Draft) -> bool:
    """Where a kernel is two strides long, the first half of a stride hears the frame before and its
    own, the second half its own and the one behind: two convolutions of two taps each."""
    weights, stride = draft.weights(), node.attributes["strides"][-1]
    if weights is None or weights.shape[-1] != 2 * stride or stride % 2:
        return False
    half, (inner, outer, _, length) = stride // 2, weights.shape
    usual = {"pads": (0, half, 0, half), "output_padding": (0, 0), "dilations": (1, 1)}
    if any(tuple(node.attributes.get(key, one)) != one for key, one in usual.items()):
        return False
    taps = np.zeros((stride, outer, inner, 1, 3), np.float32)
    for place in range(stride):
        for frame in range(3):
            at = place + half - (frame - 1) * stride
            if 0 <= at < length:
                taps[place, ..., 0, frame] = weights[:, :, 0, at].T
    shape, bias = (half * outer, inner, 1, 2), draft.bias(half)
    first = draft.constant(taps[:half, ..., :2].reshape(shape))
    second = draft.constant(taps[half:, ..., 1:].reshape(shape))
    before, behind = (
        draft.add("Conv", node.inputs[0], kernel, *bias, kernel_shape=(1, 2), pads=pads)
        for kernel, pads in ((first, (0, 1, 0, 0)), (second, (0, 0, 0, 1)))
    )
    both = draft.add("Concat", before, behind, axis=1)
    apart = draft.add("Reshape", both, draft.integers(0, stride, outer, -1))
    draft.in_line(draft.add("Transpose", apart, perm=(0, 2, 3, 1)), outer)
    return True


def _single(node: Node, draft: _Draft) -> bool:
    """With one channel, PHASES places at a time, each of its own shift of the kernel."""
    weights, pads = draft.weights(), node.attributes.get("pads", (0,))
    steps = {*node.attributes.get("strides", ()), *node.attributes.get("dilations", ())}
    if weights is None or len(weights) != 1 or steps - {1} or sum(pads) != weights.shape[-1] - 1:
        return False
    _, inner, _, length = weights.shape
    taps = np.zeros((PHASES, inner, 1, length + PHASES - 1), np.float32)
    for phase in range(PHASES):
        taps[phase, ..., phase : phase + length] = weights[0]
    phases = draft.add(
        "Conv",
        node.inputs[0],
        draft.constant(taps),
        *draft.bias(PHASES),
        kernel_shape=taps.shape[-2:],
        strides=(1, PHASES),
        pads=tuple(pads),
    )
    draft.in_line(draft.add("Transpose", phases, perm=(0, 2, 3, 1)), 1)
    return True


def _eight_bit(node: Node, draft: _Draft) -> bool:
    """The taps of each place side by side, times a matrix."""
    weights = draft.weights()
    if weights is None or weights.ndim != 3 or not _dense(node):
        return False
    scale = np.abs(weights).max(axis=(1, 2)) / STEPS
    scale = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float32)
    kernel = np.rint(weights / scale[:, None, None]).astype(np.int8)
    numbers, step, zero = (f"{draft.name}/{name}" for name in ("numbers", "step", "zero"))
    draft.nodes.append(Node.new("DynamicQuantizeLinear", node.inputs[:1], (numbers, step, zero)))
    sums = draft.add("Cast", _product(node, draft, (numbers, zero), kernel), to=1)
    made = draft.add("Mul", sums, draft.add("Mul", step, draft.constant(scale)))
    if bias := draft.bias(1):
        made = draft.add("Add", made, *bias)
    draft.add("Transpose", made, output=draft.name, perm=TRANSPOSITION)
    return True


def _by_place(node: Node, draft: _Draft) -> bool:
    """Places in lines, times a matrix."""
    weights = draft.weights()
    if weights is None or weights.ndim != 3 or weights.shape[-1] != 1 or not is_full(node):
        return False
    rows = draft.add("Transpose", node.inputs[0], perm=TRANSPOSITION)
    made = draft.add("MatMul", rows, draft.constant(np.ascontiguousarray(weights[..., 0].T)))
    if bias := draft.bias(1):
        made = draft.add("Add", made, *bias)
    draft.add("Transpose", made, output=draft.name, perm=TRANSPOSITION)
    return True


def _integer(node: Node, draft: _Draft) -> bool:
    """What has 8 bits already: unsigned weights become signed ones, and their zero moves along."""
    weights = draft.eight_bits(1)
    if weights is None or weights.ndim != 3 or not _dense(node) or len(node.inputs) != 4:
        return False
    zeros = draft.eight_bits(3)
    if zeros is None or zeros.size != 1:
        return False
    shift = 128 if weights.dtype == np.uint8 else 0
    kernel = (weights.astype(np.int16) - shift).astype(np.int8)
    zero = (zeros.reshape(()).astype(np.int16) - shift).astype(np.int8)
    sound = (node.inputs[0], node.inputs[2])
    sums = _product(node, draft, sound, kernel, draft.constant(zero))
    draft.add("Transpose", sums, output=draft.name, perm=TRANSPOSITION)
    return True


def _product(
    node: Node, draft: _Draft, sound: tuple[str, str], kernel: NDArray[np.int8], *zero: str
) -> str:
    """Sums, shape (n, places, outer), of what a convolution hears, numbers of 8 bits and their
    zero, and of a kernel, shape (outer, inner, length), with its own zero if that is not 0."""
    outer, inner, length = kernel.shape
    before, behind = node.attributes.get("pads", (0, 0))
    (apart,) = node.attributes.get("dilations", (1,))
    numbers, silence = sound
    rows = draft.add("Transpose", numbers, perm=TRANSPOSITION)
    if before or behind:
        rows = draft.add("Pad", rows, draft.integers(0, before, 0, 0, behind, 0), silence)
    axis = draft.integers(1)
    taps: list[str] = []
    for tap in range(length if length > 1 else 0):
        left = (length - 1 - tap) * apart
        end = draft.integers(-left if left else np.iinfo(np.int64).max)
        taps.append(draft.add("Slice", rows, draft.integers(tap * apart), end, axis))
    wide = draft.add("Concat", *taps, axis=2) if length > 1 else rows
    matrix = draft.constant(kernel.transpose(2, 1, 0).reshape(length * inner, outer))
    return draft.add("MatMulInteger", wide, matrix, silence, *zero)


def _dense(node: Node) -> bool:
    """Whether a convolution hears at every place, and says how far beyond the ends."""
    strides = tuple(node.attributes.get("strides", (1,)))
    return strides == (1,) and node.word("auto_pad", "NOTSET") == "NOTSET"


def is_full(convolution: Node) -> bool:
    """Whether it hears at every place, and at none beyond the ends."""
    return _dense(convolution) and not any(convolution.attributes.get("pads", ()))

"""What Piper's export says with several operators, in one, or in none.

Each that is known is replaced by what makes the same up to rounding; all others stay.

- Masks and zeros: of one text there is nothing to hide. In a VITS network neither has more numbers
  than what it is multiplied with or added to.
- Silence around what a convolution hears: it can see to that by itself.
- Normalization over channels, and GELU.
"""

from __future__ import annotations

import math
from dataclasses import replace

from myna.engines.onnx.drawing import MICROSOFT, Drawing, with_drawings
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor, UnfitError

_ROOT_OF_TWO = math.sqrt(2)


def with_idioms(network: Network) -> Network:
    """The network, for one text at a time. It can still be given what only masks were made of."""
    plain = _unmasked(network)
    short = with_drawings(plain, _Reader(plain).drawn)
    gelu = any(node.operator == "Gelu" for node in short.nodes)
    return short.importing(MICROSOFT) if gelu else short


def _unmasked(network: Network) -> Network:
    """Without factors that are 1 and summands that are 0 where there is one text."""
    reader = _Reader(network)
    nodes, instead = list[Node](), dict[str, str]()
    for node in network.nodes:
        inputs = tuple(instead.get(name, name) for name in node.inputs)
        kept = None if node.outputs[0] in network.outputs else reader.all_that_matters(node)
        if kept is None:
            nodes.append(replace(node, inputs=inputs))
        else:
            instead[node.outputs[0]] = instead.get(kept, kept)
    return network.redrawn(nodes, {}).pruned()


class _Reader:
    """Knows idioms by what makes what."""

    def __init__(self, network: Network) -> None:
        self._makers = {name: node for node in network.nodes for name in node.outputs}
        self._tensors = network.tensors

    def all_that_matters(self, node: Node) -> str | None:
        """The one input that is not changed by the other; None where there is none."""
        if node.operator not in ("Add", "Mul") or len(node.inputs) != 2:
            return None
        idle = self._is_zero if node.operator == "Add" else self._is_one
        (first, second), (none, nor) = node.inputs, (idle(name) for name in node.inputs)
        if none == nor:
            return None
        return second if none else first

    def drawn(self, node: Node) -> Drawing | None:
        """The idiom that an operator ends; None where it ends none."""
        drawing = Drawing(node.outputs[0])
        try:
            known = (
                self._normalization(node, drawing)
                or self._gelu(node, drawing)
                or self._padded(node, drawing)
            )
        except UnfitError:
            return None
        return drawing if known else None

    def _normalization(self, node: Node, drawing: Drawing) -> bool:
        """Over the last axis, times gamma, plus beta."""
        if node.operator != "Add" or node.inputs[1] not in self._tensors:
            return False
        scaled = self._maker(node.inputs[0], "Mul")
        share = self._maker(scaled.inputs[0], "Div")
        apart = self._maker(share.inputs[0], "Sub")
        variance = self._maker(self._maker(share.inputs[1], "Sqrt").inputs[0], "Add")
        squares = self._maker(self._mean(variance.inputs[0]), "Pow")
        values = self._mean(apart.inputs[1])
        same = squares.inputs[0] == share.inputs[0] and apart.inputs[0] == values
        if not same or self._number(squares.inputs[1]) != 2:
            return False
        given = (values, scaled.inputs[1], node.inputs[1])
        shapes = {self._tensor(name).shape for name in given[1:]}
        if len(shapes) != 1 or any(len(shape) != 1 or shape == (1,) for shape in shapes):
            return False
        epsilon = self._number(variance.inputs[1])
        drawing.add("LayerNormalization", *given, output=drawing.name, axis=-1, epsilon=epsilon)
        return True

    def _gelu(self, node: Node, drawing: Drawing) -> bool:
        """Half of x (1 + erf(x / sqrt 2)), of Hendrycks and Gimpel (2016)."""
        if node.operator != "Mul" or node.inputs[1] not in self._tensors:
            return False
        product = self._maker(node.inputs[0], "Mul")
        more = self._maker(product.inputs[1], "Add")
        shrunk = self._maker(self._maker(more.inputs[0], "Erf").inputs[0], "Div")
        numbers = [self._number(one.inputs[1]) for one in (node, more, shrunk)]
        known = [0.5, 1, _ROOT_OF_TWO]
        near = (math.isclose(*pair, rel_tol=1e-6) for pair in zip(numbers, known, strict=True))
        if shrunk.inputs[0] != product.inputs[0] or not all(near):
            return False
        drawing.add("Gelu", product.inputs[0], output=drawing.name, domain=MICROSOFT)
        return True

    def _padded(self, node: Node, drawing: Drawing) -> bool:
        """A convolution over time of what has silence put around it."""
        if node.operator != "Conv" or any(node.attributes.get("pads", (1,))):
            return False
        pad = self._maker(node.inputs[0], "Pad")
        if len(pad.inputs) < 2 or len(sizes := self._tensor(pad.inputs[1]).integers) != 6:
            return False
        silent = all(not name or self._number(name) == 0 for name in pad.inputs[2:])
        if any((*sizes[:2], *sizes[3:5])) or min(sizes) < 0 or not silent:
            return False
        if pad.word("mode", "constant") != "constant":
            return False
        attributes = {**node.attributes, "pads": (sizes[2], sizes[5])}
        inputs = (pad.inputs[0], *node.inputs[1:])
        drawing.nodes.append(replace(node, inputs=inputs, attributes=attributes))
        return True

    def _is_one(self, name: str) -> bool:
        return self._is_mask(name) or self._is_power_of_zero(name)

    def _is_mask(self, name: str) -> bool:
        """Whether it says which places are before a text's end: with one text, all."""
        try:
            less = self._maker(self._maker(self._of(name, "Cast"), "Unsqueeze").inputs[0], "Less")
            places, ends = (self._of(side, "Unsqueeze") for side in less.inputs)
            self._maker(places, "Range")
        except _OtherwiseError:
            return False
        return ends != places

    def _is_power_of_zero(self, name: str) -> bool:
        try:
            power = self._of(name, "Exp")
            return self._is_zero(self._of(power, "Neg"))
        except _OtherwiseError:
            return False

    def _is_zero(self, name: str) -> bool:
        """Whether it is zeros in the shape of something."""
        try:
            zeros = self._maker(name, "ConstantOfShape")
            self._maker(zeros.inputs[0], "Shape")
            value = zeros.tensor("value")
            return value is None or not value.numbers.any()
        except UnfitError:
            return False

    def _mean(self, name: str) -> str:
        """What is averaged over the last axis."""
        mean = self._maker(name, "ReduceMean")
        if tuple(mean.attributes.get("axes", ())) != (-1,) or not mean.integer("keepdims", 1):
            raise _OtherwiseError
        return mean.inputs[0]

    def _of(self, name: str, operator: str) -> str:
        """What goes into the operator that makes it."""
        return self._maker(name, operator).inputs[0]

    def _maker(self, name: str, operator: str) -> Node:
        made = self._makers.get(name)
        if made is None or made.operator != operator:
            raise _OtherwiseError
        return made

    def _tensor(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise _OtherwiseError
        return self._tensors[name]

    def _number(self, name: str) -> float:
        return self._tensor(name).number


class _OtherwiseError(UnfitError):
    """It is not what was looked for."""

"""A network that keeps its numbers as its products of matrices want them.

Such a product has places in lines and channels in columns, a convolution the other way round, so
all numbers are transposed in front of each product, and behind it again. What is done to each
number alone does not mind, nor does what takes channels apart or puts them together. Here they are
done to what is there transposed already, and nothing is transposed before somebody wants it
otherwise. The same numbers come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from myna.engines.onnx.drawing import TRANSPOSITION
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor, UnfitError

_QUANTIZATION = "DynamicQuantizeLinear"
_EACH = frozenset(
    (_QUANTIZATION, "Add", "Sub", "Mul", "Div", "Neg", "Exp", "Relu", "Tanh", "Sigmoid", "Gelu")
)
"""What is done to each number alone, or to those in the same place."""
_MOVED = {1: 2, 2: 1, -1: -2, -2: -1}
"""Axes, and where they are once transposed."""

_Side = tuple[str, bool]
"""A tensor by the name that it was first given, and whether that is transposed."""


def with_few_transposes(network: Network) -> Network:
    """The network with as few of them as it needs."""
    transposer = _Transposer(network)
    for node in network.nodes:
        transposer.take(node)
    transposer.finish(network.outputs)
    return network.redrawn(transposer.nodes, transposer.tensors)


class _Transposer:
    """Takes a network's operators one after the other."""

    def __init__(self, network: Network) -> None:
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self._constants = network.tensors
        self._sides: dict[str, _Side] = {}
        """What names mean, where it is not what they say."""
        self._made: dict[_Side, str] = {
            (name, False): name for name in (*network.inputs, *network.tensors, "")
        }

    def take(self, node: Node) -> None:
        """The next operator."""
        if node.operator == "Transpose" and tuple(node.attributes.get("perm", ())) == TRANSPOSITION:
            self._sides[node.outputs[0]] = _transposed(self._side(node.inputs[0]))
            return
        if (drawn := self._on_transposed(node)) is not None:
            self.nodes.append(drawn)
        else:
            inputs = tuple(self._wanted(name) for name in node.inputs)
            self.nodes.append(replace(node, inputs=inputs))
        for name, made in zip(node.outputs, self.nodes[-1].outputs, strict=True):
            self._made[name, name != made] = made

    def finish(self, outputs: Sequence[str]) -> None:
        """Make what the network is asked for, by its name."""
        for name in outputs:
            if (made := self._wanted(name)) != name:
                # Not called as what it makes: another node may be.
                identity = Node.new("Identity", (made,), (f"{name}/identity",))
                self.nodes.append(replace(identity, outputs=(name,)))

    def _side(self, name: str) -> _Side:
        return self._sides.get(name, (name, False))

    def _wanted(self, name: str) -> str:
        """What a tensor is called now; it is transposed if it has to be."""
        side = self._side(name)
        if side not in self._made:
            made = f"{side[0]}/{'transposed' if side[1] else 'straight'}"
            self.nodes.append(
                Node.new("Transpose", (self._made[_transposed(side)],), (made,), perm=TRANSPOSITION)
            )
            self._made[side] = made
        return self._made[side]

    def _on_transposed(self, node: Node) -> Node | None:
        """The operator done to what is transposed; None where that is not there, or cannot be."""
        sound = self._sound(node)
        sides = [self._side(name) for name in sound]
        others = [self._made.get(_transposed(side)) for side in sides]
        if all(side in self._made for side in sides) or None in others:
            return None
        instead = dict(zip(sound, (other for other in others if other), strict=True))
        inputs = tuple(instead.get(name, name) for name in node.inputs)
        outputs = tuple(f"{name}/transposed" for name in node.outputs)
        if node.operator in _EACH:
            return replace(node, inputs=inputs, outputs=(outputs[0], *node.outputs[1:]))
        return self._by_channels(node, inputs, outputs)

    def _sound(self, node: Node) -> Sequence[str]:
        """What has to be transposed for an operator to work on it so; none where it never can."""
        if node.operator in _EACH:
            return [name for name in node.inputs if not self._is_number(name)]
        if node.operator in ("Split", "Slice"):
            return node.inputs[:1]
        return node.inputs if node.operator == "Concat" else ()

    def _is_number(self, name: str) -> bool:
        """Whether it is one number, of no more axes than there are."""
        shape = self._constants[name].shape if name in self._constants else None
        return shape is not None and prod(shape) == 1 and len(shape) <= len(TRANSPOSITION)

    def _by_channels(
        self, node: Node, inputs: Sequence[str], outputs: Sequence[str]
    ) -> Node | None:
        """What takes channels apart, or puts them together. A Split is to say its sizes."""
        if node.operator != "Slice":
            axis = _MOVED.get(node.integer("axis", 0))
            said = node.operator == "Concat" or len(node.inputs) == 2
            return Node.new(node.operator, inputs, outputs, axis=axis) if axis and said else None
        moved = [_MOVED.get(axis) for axis in self._axes(node)]
        if not moved or None in moved:
            return None
        name = f"{outputs[0]}/axes"
        self.tensors[name] = Tensor.new(name, np.array(moved, np.int64))
        return Node.new("Slice", (*inputs[:3], name, *inputs[4:]), outputs)

    def _axes(self, node: Node) -> Sequence[int]:
        """Of a Slice; none where they are not known."""
        axes = self._constants.get(node.inputs[3]) if len(node.inputs) > 3 else None
        try:
            return () if axes is None else axes.integers
        except UnfitError:
            return ()


def _transposed(side: _Side) -> _Side:
    name, transposed = side
    return name, not transposed

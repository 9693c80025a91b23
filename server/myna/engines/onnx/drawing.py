"""Operators of an ONNX network drawn one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor
from myna.onnx_messages import Attribute

MICROSOFT = "com.microsoft"
"""The domain of operators that are onnxruntime's own."""

TRANSPOSITION = (0, 2, 1)
"""Permutation of axes, from (n, channels, places) to (n, places, channels) and back."""


class Drawing:
    """A network, or a part of one, under construction. `add` and `constant` give names, which all
    begin with `name`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}

    def constant(self, numbers: NDArray[Any]) -> str:
        """Numbers that do not change: of float32, int8, uint8 or int64."""
        name = f"{self.name}/constant_{len(self.tensors)}"
        self.tensors[name] = Tensor.new(name, numbers)
        return name

    def add(
        self,
        operator: str,
        *inputs: str,
        output: str | None = None,
        domain: str = "",
        **attributes: Attribute,
    ) -> str:
        """What an operator makes; it is called `output`, if that is said."""
        name = output or f"{self.name}/{operator}_{len(self.nodes)}"
        self.nodes.append(Node.new(operator, inputs, (name,), domain, **attributes))
        return name

    def number(self, number: float) -> str:
        """One of float32."""
        return self.constant(np.array(number, np.float32))

    def integers(self, *numbers: int) -> str:
        """Sizes, places or axes."""
        return self.constant(np.array(numbers, np.int64))

    def split(self, values: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Parts of these sizes."""
        first = f"{self.name}/Split_{len(self.nodes)}"
        names = [f"{first}_{part}" for part in range(len(sizes))]
        inputs = (values, self.integers(*sizes))
        self.nodes.append(Node.new("Split", inputs, names, axis=axis))
        return names


def with_drawings(network: Network, draw: Callable[[Node], Drawing | None]) -> Network:
    """The network with what `draw` makes in the place of operators, and without those that nobody
    wants then; where it makes nothing, the same."""
    nodes, tensors, drawn = list[Node](), dict[str, Tensor](), False
    for node in network.nodes:
        drawing = draw(node)
        if drawing is None:
            nodes.append(node)
            continue
        nodes += drawing.nodes
        tensors |= drawing.tensors
        drawn = True
    if not drawn:
        return network
    return network.redrawn(nodes, tensors).pruned()

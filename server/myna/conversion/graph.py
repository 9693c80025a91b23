"""ONNX graphs, written down node by node and serialised as the protocol buffers they are.

Field numbers are those of `onnx.proto3` (IR version 8), whose meaning is fixed for good. Only what
the networks that are built here need is here: tensors of a few types, and attributes that are an
integer, a float, a text or a list of integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from myna import protobuf
from myna.onnx_messages import Attribute, attribute, float_value, tensor

IR_VERSION, OPSET = 8, 17


class Graph:
    """A network under construction. Every method that adds a value returns its name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []

    def input(self, name: str, shape: Sequence[int | str]) -> str:
        """A float input; a dimension that varies has a name instead of a size."""
        self._inputs.append(float_value(name, shape))
        return name

    def constant(self, numbers: NDArray[Any]) -> str:
        """A tensor of float32, int64 or int8; other numbers become float32."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(tensor(name, numbers))
        return name

    def integers(self, *numbers: int) -> str:
        """A constant int64 vector: a shape, or axes."""
        return self.constant(np.array(numbers, np.int64))

    def node(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Apply an operator; the name of its first result. An empty name skips an input."""
        name = f"{operator}_{len(self._nodes)}"
        written = b"".join(protobuf.text(1, each) for each in inputs)
        written += protobuf.text(2, name) + protobuf.text(3, name) + protobuf.text(4, operator)
        for key, value in attributes.items():
            written += protobuf.data(5, attribute(key, value))
        self._nodes.append(written)
        return name

    def output(self, value: str, name: str, shape: Sequence[int | str]) -> None:
        """Give a value to the outside under a name of its own."""
        node = (
            protobuf.text(1, value)
            + protobuf.text(2, name)
            + protobuf.text(3, name)
            + protobuf.text(4, "Identity")
        )
        self._nodes.append(node)
        self._outputs.append(float_value(name, shape))

    def serialised(self) -> bytes:
        """The file's bytes: a ModelProto."""
        graph = b"".join(
            (
                protobuf.each(1, self._nodes),
                protobuf.text(2, self._name),
                protobuf.each(5, self._constants),
                protobuf.each(11, self._inputs),
                protobuf.each(12, self._outputs),
            )
        )
        opset = protobuf.data(8, protobuf.integer(2, OPSET))
        return b"".join(
            (
                protobuf.integer(1, IR_VERSION),
                protobuf.text(2, "myna"),
                protobuf.data(7, graph),
                opset,
            )
        )

"""ONNX graphs, written down node by node and serialised as the protocol buffers they are.

Field numbers are those of `onnx.proto3` (IR version 8, opset 17), whose meaning is fixed for good.
Only what the converted networks need is here: float tensors, int64 tensors for shapes, and
attributes that are an integer, a float, a text or a list of integers.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from myna import protobuf

IR_VERSION, OPSET = 8, 17

_FLOAT, _INT64 = 1, 7
"""TensorProto.DataType"""
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_STRING, _ATTRIBUTE_INTS = 1, 2, 3, 7
"""AttributeProto.AttributeType"""

Attribute = float | int | str | Sequence[int]


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
        self._inputs.append(_value(name, shape))
        return name

    def constant(self, numbers: NDArray[Any]) -> str:
        """A float32 or int64 tensor."""
        name = f"constant_{len(self._constants)}"
        kind = _INT64 if numbers.dtype == np.int64 else _FLOAT
        raw = np.ascontiguousarray(numbers, "<i8" if kind == _INT64 else "<f4").tobytes()
        dims = b"".join(protobuf.integer(1, size) for size in numbers.shape)
        tensor = dims + protobuf.integer(2, kind) + protobuf.text(8, name) + protobuf.data(9, raw)
        self._constants.append(tensor)
        return name

    def integers(self, *numbers: int) -> str:
        """A constant int64 vector: a shape, or axes."""
        return self.constant(np.array(numbers, np.int64))

    def node(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Apply an operator; the name of its first result. An empty name skips an input."""
        name = f"{operator}_{len(self._nodes)}"
        written = (
            b"".join(protobuf.text(1, each) for each in inputs)
            + protobuf.text(2, name)
            + protobuf.text(3, name)
        )
        written += protobuf.text(4, operator)
        for key, value in attributes.items():
            written += protobuf.data(5, _attribute(key, value))
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
        self._outputs.append(_value(name, shape))

    def serialised(self) -> bytes:
        """The file's bytes: a ModelProto."""
        graph = (
            protobuf.each(1, self._nodes)
            + protobuf.text(2, self._name)
            + protobuf.each(5, self._constants)
        )
        graph += protobuf.each(11, self._inputs) + protobuf.each(12, self._outputs)
        opset = protobuf.data(8, protobuf.integer(2, OPSET))
        return (
            protobuf.integer(1, IR_VERSION)
            + protobuf.text(2, "myna")
            + protobuf.data(7, graph)
            + opset
        )


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    """ValueInfoProto of a float tensor."""
    dims = [
        protobuf.text(2, size) if isinstance(size, str) else protobuf.integer(1, size)
        for size in shape
    ]
    tensor = protobuf.integer(1, _FLOAT) + protobuf.data(2, protobuf.each(1, dims))
    return protobuf.text(1, name) + protobuf.data(2, protobuf.data(1, tensor))


def _attribute(key: str, value: Attribute) -> bytes:
    """AttributeProto."""
    if isinstance(value, str):
        return (
            protobuf.text(1, key)
            + protobuf.data(4, value.encode())
            + protobuf.integer(20, _ATTRIBUTE_STRING)
        )
    if isinstance(value, int):
        return (
            protobuf.text(1, key)
            + protobuf.integer(3, value)
            + protobuf.integer(20, _ATTRIBUTE_INT)
        )
    if isinstance(value, float):
        number = protobuf.four_bytes(2, struct.pack("<f", value))
        return protobuf.text(1, key) + number + protobuf.integer(20, _ATTRIBUTE_FLOAT)
    return (
        protobuf.text(1, key)
        + b"".join(protobuf.integer(8, one) for one in value)
        + protobuf.integer(20, _ATTRIBUTE_INTS)
    )

"""ONNX graphs, written down node by node and serialised as the protocol buffers they are.

Field numbers are those of `onnx.proto3` (IR version 8, opset 17), whose meaning is fixed for good.
Only what the converted networks need is here: float tensors, int64 tensors for shapes, and
attributes that are an integer, a float, a text or a list of integers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        dims = b"".join(_integer(1, size) for size in numbers.shape)
        tensor = dims + _integer(2, kind) + _text(8, name) + _bytes(9, raw)
        self._constants.append(tensor)
        return name

    def integers(self, *numbers: int) -> str:
        """A constant int64 vector: a shape, or axes."""
        return self.constant(np.array(numbers, np.int64))

    def node(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Apply an operator; the name of its first result. An empty name skips an input."""
        name = f"{operator}_{len(self._nodes)}"
        written = b"".join(_text(1, each) for each in inputs) + _text(2, name) + _text(3, name)
        written += _text(4, operator)
        for key, value in attributes.items():
            written += _bytes(5, _attribute(key, value))
        self._nodes.append(written)
        return name

    def output(self, value: str, name: str, shape: Sequence[int | str]) -> None:
        """Give a value to the outside under a name of its own."""
        node = _text(1, value) + _text(2, name) + _text(3, name) + _text(4, "Identity")
        self._nodes.append(node)
        self._outputs.append(_value(name, shape))

    def serialised(self) -> bytes:
        """The file's bytes: a ModelProto."""
        graph = _each(1, self._nodes) + _text(2, self._name) + _each(5, self._constants)
        graph += _each(11, self._inputs) + _each(12, self._outputs)
        opset = _bytes(8, _integer(2, OPSET))
        return _integer(1, IR_VERSION) + _text(2, "myna") + _bytes(7, graph) + opset


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    """ValueInfoProto of a float tensor."""
    dims = [_text(2, size) if isinstance(size, str) else _integer(1, size) for size in shape]
    tensor = _integer(1, _FLOAT) + _bytes(2, _each(1, dims))
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _attribute(key: str, value: Attribute) -> bytes:
    """AttributeProto."""
    if isinstance(value, str):
        return _text(1, key) + _bytes(4, value.encode()) + _integer(20, _ATTRIBUTE_STRING)
    if isinstance(value, int):
        return _text(1, key) + _integer(3, value) + _integer(20, _ATTRIBUTE_INT)
    if isinstance(value, float):
        number = _varint(2 << 3 | 5) + struct.pack("<f", value)
        return _text(1, key) + number + _integer(20, _ATTRIBUTE_FLOAT)
    return (
        _text(1, key) + b"".join(_integer(8, one) for one in value) + _integer(20, _ATTRIBUTE_INTS)
    )


def _each(field: int, messages: Iterable[bytes]) -> bytes:
    return b"".join(_bytes(field, message) for message in messages)


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _bytes(field: int, data: bytes) -> bytes:
    """Wire type 2: length, then that many bytes."""
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _integer(field: int, number: int) -> bytes:
    """Wire type 0; negative numbers in two's complement of 64 bits."""
    return _varint(field << 3) + _varint(number % (1 << 64))


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)

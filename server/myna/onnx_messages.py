"""The messages of ONNX files that are written here, as protocol buffers.

Field numbers are those of `onnx.proto3`, whose meaning is fixed for good.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from myna import protobuf

FLOAT, UINT8, INT8, INT64 = 1, 2, 3, 7
"""TensorProto.DataType"""
_TYPES = {
    "float32": (FLOAT, "<f4"),
    "uint8": (UINT8, "u1"),
    "int8": (INT8, "i1"),
    "int64": (INT64, "<i8"),
}
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_STRING, _ATTRIBUTE_INTS = 1, 2, 3, 7
"""AttributeProto.AttributeType"""

Attribute = float | int | str | Sequence[int]


def float_value(name: str, shape: Sequence[int | str]) -> bytes:
    """ValueInfoProto of a float tensor; a dimension that varies has a name instead of a size."""
    dims = [
        protobuf.text(2, size) if isinstance(size, str) else protobuf.integer(1, size)
        for size in shape
    ]
    tensor = protobuf.integer(1, FLOAT) + protobuf.data(2, protobuf.each(1, dims))
    return protobuf.text(1, name) + protobuf.data(2, protobuf.data(1, tensor))


def tensor(name: str, numbers: NDArray[Any]) -> bytes:
    """TensorProto of float32, int64, int8 or uint8; other numbers become float32."""
    kind, order = _TYPES.get(numbers.dtype.name, _TYPES["float32"])
    dims = b"".join(protobuf.integer(1, size) for size in numbers.shape)
    raw = np.ascontiguousarray(numbers, order).data.cast("B")
    return dims + protobuf.integer(2, kind) + protobuf.text(8, name) + protobuf.data(9, raw)


def attribute(key: str, value: Attribute) -> bytes:
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

"""Numbers that an ONNX network was trained to: TensorProto, read and written.

Field numbers are those of `onnx.proto3`, whose meaning is fixed for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from myna import protobuf
from myna.onnx_messages import FLOAT, INT8, INT64, UINT8, tensor


class UnfitError(ValueError):
    """The network has something in it that cannot be taken apart."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Numbers that the network was trained to."""

    shape: tuple[int, ...]
    rest: bytes
    """All fields but the shape, as they were."""

    @classmethod
    def new(cls, name: str, numbers: NDArray[Any]) -> Tensor:
        """One of float32, int8, uint8 or int64."""
        return read_tensor(memoryview(tensor(name, numbers)))[1]

    @property
    def numbers(self) -> NDArray[np.float32]:
        """What is in it. Raises UnfitError where that is not float32, byte by byte."""
        found = dict(protobuf.fields(self.rest))
        if found.get(2) != FLOAT or not isinstance(raw := found.get(9), memoryview):
            raise UnfitError("it has weights that are not float32")
        return np.frombuffer(raw, "<f4").reshape(self.shape)

    @property
    def number(self) -> float:
        """The one that is in it. Raises UnfitError where there are others, or it is no float32."""
        numbers = self.numbers
        if numbers.size != 1:
            raise UnfitError(f"there are {numbers.size} numbers where one should be")
        return float(numbers.item())

    @property
    def eight_bits(self) -> NDArray[np.uint8 | np.int8]:
        """What is in it. Raises UnfitError where those are not numbers of 8 bits."""
        found = dict(protobuf.fields(self.rest))
        if found.get(2) not in (UINT8, INT8):
            raise UnfitError("it has weights that are not of 8 bits")
        kind = np.uint8 if found[2] == UINT8 else np.int8
        if isinstance(raw := found.get(9), memoryview):
            return np.frombuffer(raw, kind).reshape(self.shape)
        return np.array(protobuf.integers(found.get(5, memoryview(b""))), kind).reshape(self.shape)

    @property
    def integers(self) -> tuple[int, ...]:
        """What is in it, in a line. Raises UnfitError where that is not int64, byte by byte."""
        found = dict(protobuf.fields(self.rest))
        if found.get(2) != INT64 or not isinstance(raw := found.get(9), memoryview):
            raise UnfitError("it has numbers that are not int64")
        return tuple(np.frombuffer(raw, "<i8").tolist())

    def written(self) -> bytes:
        """TensorProto."""
        return b"".join(protobuf.integer(1, size) for size in self.shape) + self.rest


def read_tensor(message: memoryview) -> tuple[str, Tensor]:
    """Its name, and the tensor. Raises UnfitError where its numbers are in another file."""
    shape: list[int] = []
    rest: list[bytes | memoryview] = []
    name = ""
    for number, value in protobuf.fields(message):
        if number == 1:
            shape += protobuf.integers(value)
        elif number == 13:
            raise UnfitError("it has tensors in other files")
        else:
            rest += protobuf.parts(number, value)
            name = read_text(value) if number == 8 else name
    return name, Tensor(tuple(shape), b"".join(rest))


def read_text(value: protobuf.Value) -> str:
    """A field that is a text. Raises UnfitError where it is a number."""
    return str(read_message(value), "utf-8")


def read_message(value: protobuf.Value) -> memoryview:
    """A field that is a message, or bytes. Raises UnfitError where it is a number."""
    if isinstance(value, int):
        raise UnfitError("a number where a message should be")
    return value

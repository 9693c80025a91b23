"""An operator of an ONNX network: NodeProto, read and written.

Field numbers are those of `onnx.proto3`, whose meaning is fixed for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from myna import protobuf
from myna.engines.onnx.tensor import Tensor, UnfitError, read_message, read_tensor, read_text
from myna.onnx_messages import Attribute, attribute


@dataclass(frozen=True, slots=True)
class Node:
    """An operator, and what goes in and out by name."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Sequence[int]]
    """Those that are lists of integers."""
    rest: bytes
    """All fields but inputs, outputs and those attributes, as they were."""

    @classmethod
    def new(
        cls,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        domain: str = "",
        /,
        **attributes: Attribute,
    ) -> Node:
        """One that is called as what it makes; of ONNX's own operators, if no `domain` is said."""
        written = protobuf.text(3, outputs[0]) + protobuf.text(4, operator)
        written += protobuf.text(7, domain) if domain else b""
        written += protobuf.each(5, (attribute(key, one) for key, one in attributes.items()))
        return replace(read_node(memoryview(written)), inputs=tuple(inputs), outputs=tuple(outputs))

    @property
    def groups(self) -> int:
        """In how many groups of channels a convolution works, each by itself."""
        return cast("int", self._attribute("group").get(3, 1))

    def integer(self, name: str, default: int) -> int:
        """An attribute that is one integer, which may be negative."""
        found = cast("int", self._attribute(name).get(3, default))
        return found - (1 << 64) if found >= 1 << 63 else found

    def number(self, name: str, default: float) -> float:
        """An attribute that is one floating-point number."""
        found = self._attribute(name).get(2)
        return default if found is None else float(np.frombuffer(read_message(found), "<f4")[0])

    def word(self, name: str, default: str) -> str:
        """An attribute that is one text."""
        found = self._attribute(name).get(4)
        return default if found is None else read_text(found)

    def tensor(self, name: str) -> Tensor | None:
        """An attribute that is a tensor, if it is given."""
        found = self._attribute(name).get(5)
        return None if found is None else read_tensor(read_message(found))[1]

    def _attribute(self, name: str) -> dict[int, protobuf.Value]:
        """AttributeProto, if there is one of that name that is no list of integers."""
        for number, value in protobuf.fields(self.rest):
            about = dict(protobuf.fields(read_message(value))) if number == 5 else {}
            if about and read_text(about[1]) == name:
                return about
        return {}

    def written(self) -> bytes:
        """NodeProto."""
        edges = _texts(1, self.inputs) + _texts(2, self.outputs)
        lists = [attribute(name, values) for name, values in self.attributes.items()]
        return edges + self.rest + protobuf.each(5, lists)


def read_node(message: memoryview) -> Node:
    """The operator. Raises UnfitError where it has subgraphs."""
    inputs: list[str] = []
    outputs: list[str] = []
    attributes: dict[str, Sequence[int]] = {}
    rest = bytearray()
    name = operator = ""
    for number, value in protobuf.fields(message):
        if number == 1:
            inputs.append(read_text(value))
        elif number == 2:
            outputs.append(read_text(value))
        elif number == 5 and (found := _attribute(read_message(value))):
            attributes |= found
        else:
            rest += protobuf.field(number, value)
            name = read_text(value) if number == 3 else name
            operator = read_text(value) if number == 4 else operator
    return Node(name, operator, tuple(inputs), tuple(outputs), attributes, bytes(rest))


def _attribute(message: memoryview) -> dict[str, Sequence[int]]:
    """An attribute that is a list of integers, else none."""
    name = ""
    values: list[int] = []
    for number, value in protobuf.fields(message):
        if number == 1:
            name = read_text(value)
        elif number == 8:
            values += protobuf.integers(value)
        elif number in (6, 11):
            raise UnfitError("it has subgraphs")
    return {name: values} if values else {}


def _texts(number: int, texts: Iterable[str]) -> bytes:
    return b"".join(protobuf.text(number, each) for each in texts)

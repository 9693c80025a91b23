"""ONNX networks taken apart: a part of one as a network of its own, and with one axis more.

Field numbers are those of `onnx.proto3`, whose meaning is fixed for good.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from myna import protobuf
from myna.onnx_messages import FLOAT, INT8, INT64, UINT8, Attribute, attribute, float_value, tensor

_GRAPH = 7
"""ModelProto"""
_NODE, _NAME, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE = 1, 2, 5, 11, 12, 15
"""GraphProto"""

_CONVOLUTIONS = ("Conv", "ConvTranspose")
_ELEMENTWISE = ("Add", "Sub", "Mul", "Div", "LeakyRelu", "Relu", "Tanh", "Sigmoid")
_SPREAD = {"kernel_shape": 1, "strides": 1, "dilations": 1, "output_padding": 0, "output_shape": 1}
"""Attributes of a convolution with a number for each axis, and what they say of an axis of size 1
that is left alone."""


class UnfitError(ValueError):
    """The network has something in it that cannot be taken apart."""


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
        return replace(_node(memoryview(written)), inputs=tuple(inputs), outputs=tuple(outputs))

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
        return default if found is None else float(np.frombuffer(_message(found), "<f4")[0])

    def word(self, name: str, default: str) -> str:
        """An attribute that is one text."""
        found = self._attribute(name).get(4)
        return default if found is None else _text(found)

    def tensor(self, name: str) -> Tensor | None:
        """An attribute that is a tensor, if it is given."""
        found = self._attribute(name).get(5)
        return None if found is None else _tensor(_message(found))[1]

    def _attribute(self, name: str) -> dict[int, protobuf.Value]:
        """AttributeProto, if there is one of that name that is no list of integers."""
        for number, value in protobuf.fields(self.rest):
            about = dict(protobuf.fields(_message(value))) if number == 5 else {}
            if about and _text(about[1]) == name:
                return about
        return {}

    def written(self) -> bytes:
        """NodeProto."""
        edges = _texts(1, self.inputs) + _texts(2, self.outputs)
        lists = [attribute(name, values) for name, values in self.attributes.items()]
        return edges + self.rest + protobuf.each(5, lists)


@dataclass(frozen=True, slots=True)
class Tensor:
    """Numbers that the network was trained to."""

    shape: tuple[int, ...]
    rest: bytes
    """All fields but the shape, as they were."""

    @classmethod
    def new(cls, name: str, numbers: NDArray[Any]) -> Tensor:
        """One of float32, int8, uint8 or int64."""
        return _tensor(memoryview(tensor(name, numbers)))[1]

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


@dataclass(frozen=True, slots=True)
class Network:
    """A network, its operators in an order in which they can be run."""

    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    inputs: Mapping[str, bytes]
    """ValueInfoProto of each."""
    outputs: tuple[str, ...]
    about: bytes
    """The fields of the ModelProto that are not the graph: versions, and where it comes from."""

    @classmethod
    def read(cls, file: bytes) -> Network:
        """The network of an .onnx file. Raises UnfitError where it is none, or has subgraphs."""
        try:
            return _network(file)
        except (ValueError, TypeError, UnicodeDecodeError) as error:
            raise UnfitError(f"not to be read as ONNX: {error}") from error

    def part(
        self, inputs: Mapping[str, int], outputs: Sequence[str], *, of: Sequence[Node] | None = None
    ) -> Network:
        """What makes `outputs` of `inputs`, floats with so many axes, and of the network's own
        inputs; with no nodes but `of`, if those are said.

        Raises UnfitError where that does not suffice.
        """
        wanted, nodes = set(outputs) - set(inputs), list[Node]()
        for node in reversed(self.nodes if of is None else of):
            if wanted & set(node.outputs):
                nodes.append(node)
                wanted = (wanted - set(node.outputs)) | ({*node.inputs} - {*inputs, ""})
        if missing := wanted - set(self.inputs) - set(self.tensors):
            raise UnfitError(f"nothing there makes {', '.join(sorted(missing))}")
        own = {name: value for name, value in self.inputs.items() if name in wanted}
        return Network(
            tuple(reversed(nodes)),
            {name: tensor for name, tensor in self.tensors.items() if name in wanted},
            own | {name: float_value(name, _sizes(name, axes)) for name, axes in inputs.items()},
            tuple(outputs),
            self.about,
        )

    def redrawn(self, nodes: Sequence[Node], drawn: Mapping[str, Tensor]) -> Network:
        """With other operators, and of its tensors and `drawn` those that they are given."""
        used = {name for node in nodes for name in node.inputs}
        tensors = {**self.tensors, **drawn}
        kept = {name: tensor for name, tensor in tensors.items() if name in used}
        return replace(self, nodes=tuple(nodes), tensors=kept)

    def pruned(self) -> Network:
        """Without what none of its outputs needs, but with all of its inputs."""
        return replace(self.part({}, self.outputs), inputs=self.inputs)

    def importing(self, domain: str) -> Network:
        """With leave to have operators of a domain, in their first version. ModelProto's field 8,
        whose fields are 1 and 2."""
        known = protobuf.data(8, protobuf.text(1, domain) + protobuf.integer(2, 1))
        return self if known in self.about else replace(self, about=self.about + known)

    def keeps(self, nodes: Sequence[Node], outputs: Sequence[str]) -> bool:
        """Whether nothing that these make but `outputs` is given to its other nodes, or is its
        output."""
        made = {name for node in nodes for name in node.outputs}
        others = (node for node in self.nodes if made.isdisjoint(node.outputs))
        wanted = {*self.outputs, *(name for node in others for name in node.inputs)}
        return made.difference(outputs).isdisjoint(wanted)

    def crossing(self, nodes: Collection[Node]) -> list[str]:
        """What goes into `nodes` that none of them makes and no tensor is."""
        made = {name for node in nodes for name in node.outputs} | {*self.tensors, ""}
        found = {name: None for node in nodes for name in node.inputs if name not in made}
        return list(found)

    def planar(self) -> Network:
        """The same on pictures of height 1: (n, channels, length) becomes (n, channels, 1, length),
        for which onnxruntime has the better convolutions. Its inputs are to have four axes.

        Raises UnfitError where not all is convolutions and what is done to each number alone.
        """
        tensors = dict(self.tensors)
        nodes = [self._planar(node, tensors) for node in self.nodes]
        return replace(self, nodes=tuple(nodes), tensors=tensors)

    def _planar(self, node: Node, tensors: dict[str, Tensor]) -> Node:
        if node.operator in _ELEMENTWISE:
            if any(prod(tensors[name].shape) != 1 for name in node.inputs if name in tensors):
                raise UnfitError(f"{node.name} has numbers for each place")
            return node
        return planar_convolution(node, self.tensors, tensors)

    def written(self) -> bytes:
        """ModelProto: the file's bytes."""
        fields = (
            protobuf.each(_NODE, (node.written() for node in self.nodes)),
            protobuf.text(_NAME, "part"),
            protobuf.each(_INITIALIZER, (tensor.written() for tensor in self.tensors.values())),
            protobuf.each(_INPUT, self.inputs.values()),
            # Their types are for onnxruntime to work out.
            protobuf.each(_OUTPUT, (protobuf.text(1, name) for name in self.outputs)),
        )
        return b"".join(
            (self.about, protobuf.opening(_GRAPH, sum(len(field) for field in fields)), *fields)
        )


def planar_convolution(
    node: Node, before: Mapping[str, Tensor], tensors: dict[str, Tensor]
) -> Node:
    """A convolution over (n, channels, length), over (n, channels, lines, length): each line by
    itself. Its kernel, as it was in `before`, goes into `tensors` with the axis. Raises UnfitError
    where it is none, or its kernel is not there."""
    kernel = before.get(node.inputs[1]) if node.operator in _CONVOLUTIONS else None
    if kernel is None or len(kernel.shape) != 3 or "pads" not in node.attributes:
        raise UnfitError(f"{node.name} is a {node.operator}")
    outer, inner, length = kernel.shape
    tensors[node.inputs[1]] = replace(kernel, shape=(outer, inner, 1, length))
    spread = {
        name: (0, values[0], 0, values[1]) if name == "pads" else (_SPREAD[name], *values)
        for name, values in node.attributes.items()
    }
    return replace(node, attributes=spread)


def _network(file: bytes) -> Network:
    about, graph = bytearray(), memoryview(b"")
    for number, value in protobuf.fields(file):
        if number == _GRAPH:
            graph = _message(value)
        else:
            about += protobuf.field(number, value)
    nodes: list[Node] = []
    tensors: dict[str, Tensor] = {}
    inputs: dict[str, bytes] = {}
    outputs: list[str] = []
    for number, value in protobuf.fields(graph):
        if number == _NODE:
            nodes.append(_node(_message(value)))
        elif number == _INITIALIZER:
            name, tensor = _tensor(_message(value))
            tensors[name] = tensor
        elif number == _INPUT:
            inputs[_name(_message(value))] = bytes(_message(value))
        elif number == _OUTPUT:
            outputs.append(_name(_message(value)))
        elif number == _SPARSE:
            raise UnfitError("it has sparse tensors")
    return Network(tuple(nodes), tensors, inputs, tuple(outputs), bytes(about))


def _node(message: memoryview) -> Node:
    inputs: list[str] = []
    outputs: list[str] = []
    attributes: dict[str, Sequence[int]] = {}
    rest = bytearray()
    name = operator = ""
    for number, value in protobuf.fields(message):
        if number == 1:
            inputs.append(_text(value))
        elif number == 2:
            outputs.append(_text(value))
        elif number == 5 and (found := _attribute(_message(value))):
            attributes |= found
        else:
            rest += protobuf.field(number, value)
            name = _text(value) if number == 3 else name
            operator = _text(value) if number == 4 else operator
    return Node(name, operator, tuple(inputs), tuple(outputs), attributes, bytes(rest))


def _attribute(message: memoryview) -> dict[str, Sequence[int]]:
    """An attribute that is a list of integers, else none."""
    name = ""
    values: list[int] = []
    for number, value in protobuf.fields(message):
        if number == 1:
            name = _text(value)
        elif number == 8:
            values += protobuf.integers(value)
        elif number in (6, 11):
            raise UnfitError("it has subgraphs")
    return {name: values} if values else {}


def _tensor(message: memoryview) -> tuple[str, Tensor]:
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
            name = _text(value) if number == 8 else name
    return name, Tensor(tuple(shape), b"".join(rest))


def _sizes(name: str, axes: int) -> list[str]:
    """The shape of a tensor of any size."""
    return [f"{name}_{axis}" for axis in range(axes)]


def _name(message: memoryview) -> str:
    """ValueInfoProto's."""
    return next(_text(value) for number, value in protobuf.fields(message) if number == 1)


def _texts(number: int, texts: Iterable[str]) -> bytes:
    return b"".join(protobuf.text(number, each) for each in texts)


def _text(value: protobuf.Value) -> str:
    return str(_message(value), "utf-8")


def _message(value: protobuf.Value) -> memoryview:
    if isinstance(value, int):
        raise UnfitError("a number where a message should be")
    return value

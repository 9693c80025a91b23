"""ONNX networks taken apart: a part of one as a network of its own, and with one axis more.

Field numbers are those of `onnx.proto3`, whose meaning is fixed for good.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from myna import protobuf
from myna.engines.onnx.node import Node, read_node
from myna.engines.onnx.tensor import Tensor, UnfitError, read_message, read_tensor, read_text
from myna.onnx_messages import float_value

_GRAPH = 7
"""ModelProto"""
_NODE, _NAME, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE = 1, 2, 5, 11, 12, 15
"""GraphProto"""

_CONVOLUTIONS = ("Conv", "ConvTranspose")
_ELEMENTWISE = ("Add", "Sub", "Mul", "Div", "LeakyRelu", "Relu", "Tanh", "Sigmoid")
_SPREAD = {"kernel_shape": 1, "strides": 1, "dilations": 1, "output_padding": 0, "output_shape": 1}
"""Attributes of a convolution with a number for each axis, and what they say of an axis of size 1
that is left alone."""


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
            graph = read_message(value)
        else:
            about += protobuf.field(number, value)
    nodes: list[Node] = []
    tensors: dict[str, Tensor] = {}
    inputs: dict[str, bytes] = {}
    outputs: list[str] = []
    for number, value in protobuf.fields(graph):
        if number == _NODE:
            nodes.append(read_node(read_message(value)))
        elif number == _INITIALIZER:
            name, tensor = read_tensor(read_message(value))
            tensors[name] = tensor
        elif number == _INPUT:
            inputs[_name(read_message(value))] = bytes(read_message(value))
        elif number == _OUTPUT:
            outputs.append(_name(read_message(value)))
        elif number == _SPARSE:
            raise UnfitError("it has sparse tensors")
    return Network(tuple(nodes), tensors, inputs, tuple(outputs), bytes(about))


def _sizes(name: str, axes: int) -> list[str]:
    """The shape of a tensor of any size."""
    return [f"{name}_{axis}" for axis in range(axes)]


def _name(message: memoryview) -> str:
    """ValueInfoProto's."""
    return next(read_text(value) for number, value in protobuf.fields(message) if number == 1)

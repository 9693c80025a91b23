"""Silero's network with all frames in one picture.

As it is shipped, its convolutions take each frame as a picture of its own, four to five numbers
long, and onnxruntime multiplies as many small matrices as there are frames. As lines of one picture
they are one large matrix: the same sums in two fifths of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from myna.engines.onnx.graph import Network, planar_convolution
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor, UnfitError

_EACH_ALONE = frozenset({"Pow", "Add", "Sqrt", "Relu"})


def in_one_picture(file: bytes) -> bytes:
    """The .onnx file of a network that takes frames of shape (n, n_samples) through convolutions to
    an LSTM: (n, channels, length) becomes (1, channels, n, length) in between.

    Raises UnfitError where it is not built so.
    """
    network = Network.read(file)
    first = _only(network.nodes, "Unsqueeze")
    last = next(
        (node for node in network.nodes if node.operator == "Transpose" and node.inputs), None
    )
    if last is None or tuple(last.attributes.get("perm", ())) != (0, 2, 1):
        raise UnfitError("it has no transposition behind its convolutions")
    tensors = dict(network.tensors)
    begin, end = network.nodes.index(first), network.nodes.index(last)
    nodes = [
        *network.nodes[:begin],
        replace(first, inputs=(first.inputs[0], _axes(tensors, "before_all", (0, 1)))),
        *(_spread(node, network.tensors, tensors) for node in network.nodes[begin + 1 : end]),
        *_in_a_row(last, tensors),
        *network.nodes[end + 1 :],
    ]
    return replace(network, nodes=tuple(nodes), tensors=tensors).written()


def _only(nodes: Sequence[Node], operator: str) -> Node:
    found = [node for node in nodes if node.operator == operator]
    if len(found) != 1:
        raise UnfitError(f"it has {len(found)} of {operator}")
    return found[0]


def _spread(node: Node, before: Mapping[str, Tensor], tensors: dict[str, Tensor]) -> Node:
    """The same on a picture that has a line for each frame."""
    if node.operator in _EACH_ALONE:
        return node
    if node.operator == "Slice" and len(node.inputs) == 5:
        # Of channels and time, as the tensor of axes has two; time is one axis further behind.
        if tensors[node.inputs[3]].shape != (2,):
            raise UnfitError(f"{node.name or 'a slice'} is of other axes")
        axes = _axes(tensors, "channels_and_time", (1, 3))
        return replace(node, inputs=(*node.inputs[:3], axes, node.inputs[4]))
    return planar_convolution(node, before, tensors)


def _in_a_row(node: Node, tensors: dict[str, Tensor]) -> Iterator[Node]:
    """From (1, channels, n, 1) to the (n, 1, channels) that the LSTM takes."""
    row = "in_a_row"
    yield Node.new("Squeeze", (node.inputs[0], _axes(tensors, "length", (3,))), (row,))
    yield replace(node, inputs=(row,), attributes={"perm": (2, 0, 1)})


def _axes(tensors: dict[str, Tensor], name: str, axes: Sequence[int]) -> str:
    tensors[name] = Tensor.new(name, np.array(axes, np.int64))
    return name

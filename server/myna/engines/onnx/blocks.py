"""A network of convolutions that onnxruntime keeps in blocks of channels from one to the next.

Its convolutions work on channels in blocks, and adding knows these; LeakyRelu, and what puts
upsampled sound in line, do not, so all numbers are put in order and in blocks again around each.
A convolution by ones, each channel for itself, changes nothing, and with it there is no need: what
follows an upsampling comes into blocks once, and a LeakyRelu becomes a part of the convolution. Of
Piper's decoder that saves 6 to 8 % (`docs/capacity.md`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor

_UPSAMPLING = "ConvTranspose"


def in_blocks(network: Network) -> Network:
    """A planar network, and the same numbers up to rounding."""
    channels = _channels(network)
    makers = {name: node for node in network.nodes for name in node.outputs}
    readers = Counter(name for node in network.nodes for name in node.inputs)
    tensors, nodes = dict(network.tensors), list[Node]()
    renamed: dict[str, str] = {}
    for node in network.nodes:
        source = node.inputs[0]
        maker = makers.get(source)
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        joins = maker is not None and maker.operator == "Conv" and readers[source] == 1
        if node.operator == "LeakyRelu" and not joins and source in channels:
            nodes.append(
                _by_ones(inputs[0], f"{node.outputs[0]}/by_ones", channels[source], tensors)
            )
            inputs = nodes[-1].outputs
        nodes.append(replace(node, inputs=inputs))
        made = node.outputs[0]
        if node.operator == _UPSAMPLING and made in channels and made not in network.outputs:
            nodes.append(_by_ones(made, f"{made}/by_ones", channels[made], tensors))
            renamed[made] = nodes[-1].outputs[0]
    return replace(network, nodes=tuple(nodes), tensors=tensors)


def _channels(network: Network) -> dict[str, int]:
    """How many each tensor has, as far as convolutions tell."""
    found: dict[str, int] = {}
    for node in network.nodes:
        weights = network.tensors.get(node.inputs[1]) if len(node.inputs) > 1 else None
        known = [found[name] for name in node.inputs if name in found]
        if node.operator == "Conv" and weights is not None:
            found[node.outputs[0]] = weights.shape[0]
        elif node.operator == _UPSAMPLING and weights is not None:
            found[node.outputs[0]] = weights.shape[1] * node.groups
        elif known:
            found[node.outputs[0]] = max(known)
    return found


def _by_ones(source: str, made: str, channels: int, tensors: dict[str, Tensor]) -> Node:
    ones = f"ones_{channels}"
    tensors.setdefault(ones, Tensor.new(ones, np.ones((channels, 1, 1, 1), np.float32)))
    return Node.new("Conv", (source, ones), (made,), kernel_shape=(1, 1), group=channels)

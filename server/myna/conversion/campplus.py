"""CAM++ (Wang and others, 2023; 3D-Speaker): a voice as 192 numbers.

A small 2-D convolutional front, a densely connected time-delay network whose layers are masked by
their context, statistics over time, one linear layer. Input `x` (chunks, frames, 80), log-mel less
its mean; output `embedding` (chunks, 192). The last batch normalisation has no affine part and no
ReLU behind it: half of the numbers are negative, and strangers look alike without those.
"""

from __future__ import annotations

import numpy as np

from myna.conversion.checkpoint import Tensors
from myna.conversion.graph import Graph

_MELS, _FRONT_CHANNELS, _DIMENSIONS = 80, 32, 192
_BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of the three dense blocks."""
_SEGMENT = 100
"""Frames that share one context in a mask."""


def campplus(tensors: Tensors) -> Graph:
    """The network with the parameters of a checkpoint. Raises KeyError where one is missing."""
    net = _Net(Graph("campplus"), tensors)
    graph = net.graph
    value = graph.input("x", ("N", "T", _MELS))
    value = net.front(graph.node("Transpose", value, perm=(0, 2, 1)))
    value = net.convolved(value, "xvector.tdnn.linear", strides=(2,), pads=(2, 2))
    value = net.activated(value, "xvector.tdnn.nonlinear.batchnorm")
    for number, (layers, dilation) in enumerate(_BLOCKS, start=1):
        for layer in range(1, layers + 1):
            value = net.dense_layer(value, f"xvector.block{number}.tdnnd{layer}", dilation)
        value = net.activated(value, f"xvector.transit{number}.nonlinear.batchnorm")
        value = net.convolved(value, f"xvector.transit{number}.linear")
    value = net.activated(value, "xvector.out_nonlinear.batchnorm")
    graph.output(net.embedding(net.statistics(value)), "embedding", ("N", _DIMENSIONS))
    return graph


class _Net:
    """The layers that CAM++ is made of."""

    def __init__(self, graph: Graph, tensors: Tensors) -> None:
        self.graph = graph
        self._tensors = tensors

    def front(self, value: str) -> str:
        """(chunks, 80, frames) to (chunks, 320, frames)."""
        value = self.graph.node("Unsqueeze", value, self.graph.integers(1))
        value = self.activated(self._image(value, "head.conv1"), "head.bn1")
        for layer in ("head.layer1", "head.layer2"):
            value = self._residual(value, f"{layer}.0", stride=2)
            value = self._residual(value, f"{layer}.1", stride=1)
        value = self.activated(self._image(value, "head.conv2", stride=2), "head.bn2")
        shape = self.graph.integers(0, _FRONT_CHANNELS * _MELS // 8, -1)
        return self.graph.node("Reshape", value, shape)

    def dense_layer(self, value: str, name: str, dilation: int) -> str:
        """New features beside the old ones, masked by what the chunk is like as a whole."""
        hidden = self.activated(value, f"{name}.nonlinear1.batchnorm")
        hidden = self.convolved(hidden, f"{name}.linear1")
        hidden = self.activated(hidden, f"{name}.nonlinear2.batchnorm")
        local = self.convolved(
            hidden, f"{name}.cam_layer.linear_local", dilations=(dilation,), pads=(dilation,) * 2
        )
        mask = self.convolved(self._context(hidden), f"{name}.cam_layer.linear1")
        mask = self.convolved(self.graph.node("Relu", mask), f"{name}.cam_layer.linear2")
        masked = self.graph.node("Mul", local, self.graph.node("Sigmoid", mask))
        return self.graph.node("Concat", value, masked, axis=1)

    def statistics(self, value: str) -> str:
        """Mean and unbiased deviation over time: (chunks, 512, frames) to (chunks, 1024)."""
        graph = self.graph
        mean = graph.node("ReduceMean", value, axes=(2,), keepdims=1)
        away = graph.node("Sub", value, mean)
        squares = graph.node("ReduceSum", graph.node("Mul", away, away), graph.integers(2))
        frames = graph.node("Cast", self._frames(value), to=1)
        others = graph.node("Sub", frames, graph.constant(np.ones(1, np.float32)))
        deviation = graph.node("Sqrt", graph.node("Div", squares, others))
        return graph.node("Flatten", graph.node("Concat", mean, deviation, axis=1), axis=1)

    def embedding(self, value: str) -> str:
        """(chunks, 1024) to (chunks, 192), without a ReLU."""
        name = "xvector.dense"
        weight = self._tensors[f"{name}.linear.weight"][:, :, 0]
        value = self.graph.node("MatMul", value, self.graph.constant(weight.T))
        return self._batch_normalised(value, f"{name}.nonlinear.batchnorm")

    def convolved(self, value: str, name: str, **attributes: tuple[int, ...]) -> str:
        """A convolution, with a bias where the checkpoint has one."""
        constants = [self.graph.constant(self._tensors[f"{name}.weight"])]
        if f"{name}.bias" in self._tensors:
            constants.append(self.graph.constant(self._tensors[f"{name}.bias"]))
        return self.graph.node("Conv", value, *constants, **attributes)

    def activated(self, value: str, name: str) -> str:
        """Batch normalisation and ReLU."""
        return self.graph.node("Relu", self._batch_normalised(value, name))

    def _batch_normalised(self, value: str, name: str) -> str:
        mean, variance = (self._tensors[f"{name}.running_{part}"] for part in ("mean", "var"))
        scale = self._tensors.get(f"{name}.weight", np.ones_like(mean))
        bias = self._tensors.get(f"{name}.bias", np.zeros_like(mean))
        constants = [self.graph.constant(each) for each in (scale, bias, mean, variance)]
        return self.graph.node("BatchNormalization", value, *constants, epsilon=1e-5)

    def _image(self, value: str, name: str, stride: int = 1) -> str:
        """3 x 3 over frequency and time, thinning out frequency."""
        return self.convolved(value, name, strides=(stride, 1), pads=(1, 1, 1, 1))

    def _residual(self, value: str, name: str, stride: int) -> str:
        changed = self.activated(self._image(value, f"{name}.conv1", stride), f"{name}.bn1")
        changed = self._batch_normalised(self._image(changed, f"{name}.conv2"), f"{name}.bn2")
        if f"{name}.shortcut.0.weight" in self._tensors:
            value = self.convolved(value, f"{name}.shortcut.0", strides=(stride, 1))
            value = self._batch_normalised(value, f"{name}.shortcut.1")
        return self.graph.node("Relu", self.graph.node("Add", changed, value))

    def _context(self, value: str) -> str:
        """The mean over all frames plus that over each frame's own segment of 100."""
        graph = self.graph
        overall = graph.node("ReduceMean", value, axes=(2,), keepdims=1)
        pooled = graph.node(
            "AveragePool", value, kernel_shape=(_SEGMENT,), strides=(_SEGMENT,), ceil_mode=1
        )
        spread = graph.node("Unsqueeze", pooled, graph.integers(3))
        spread = graph.node("Expand", spread, graph.integers(1, 1, 1, _SEGMENT))
        spread = graph.node("Reshape", spread, graph.integers(0, 0, -1))
        zero, time = graph.integers(0), graph.integers(2)
        spread = graph.node("Slice", spread, zero, self._frames(value), time)
        return graph.node("Add", overall, spread)

    def _frames(self, value: str) -> str:
        """How many frames there are, shape (1,)."""
        return self.graph.node("Shape", value, start=2, end=3)

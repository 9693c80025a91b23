"""A network of convolutions in bfloat16, by torch.

Processors with AMX, and AMD's with AVX512-BF16, multiply these numbers of 16 bits at least twice as
fast as those of 32; Intel's with AVX512-BF16 alone do not. oneDNN, which torch brings, knows how;
onnxruntime does not. It does it best on pictures of height 1 whose channels lie side by side, so
that is how all that passes through is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor, UnfitError

_log = logging.getLogger(__name__)

_METHODS = {
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "Relu": "relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
}
"""Operators on each number alone, and torch's names for them."""


def has_torch() -> bool:
    """Whether torch is installed, and can be loaded; the log says what is in the way."""
    if find_spec("torch") is None:
        return False
    try:
        import_module("torch")
    except (ImportError, OSError) as error:
        _log.warning("torch is installed and cannot be loaded: %s", error)
        return False
    return True


def is_quick(processor: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor may be quick at it; False where that is not known. Intel's without AMX
    were measured to take 1.5 times as long as in float32."""
    try:
        told = {*processor.read_text("utf-8").split()}
    except OSError:
        return False
    return "amx_bf16" in told or {"avx512_bf16", "AuthenticAMD"} <= told


@dataclass(frozen=True, slots=True)
class _Step:
    """An operator, and what it is given and gives by name."""

    work: Callable[..., Any]
    inputs: tuple[str, ...]
    output: str
    unneeded: tuple[str, ...]
    """What no later step is given."""


class Bfloat16Network:
    """A planar network (see `Network.planar`) with one output. Any number of threads may run it.

    oneDNN compiles its convolutions for each length that it meets and keeps them: for a HiFi-GAN
    that takes about as long as a tenth of a second of speech takes to make, or two, and 85 kB a
    frame. There are to be few lengths.
    """

    def __init__(self, network: Network, threads: int) -> None:
        """`threads` is how many cores one run uses.

        Raises UnfitError where it has operators that are not known here, and ImportError without
        torch.
        """
        self._torch: Any = import_module("torch")
        self._threads = threads
        (self._output,) = network.outputs
        self._steps = [
            _Step(
                self._work(node, network.tensors, unneeded),
                tuple(name for name in node.inputs if name not in network.tensors),
                node.outputs[0],
                unneeded,
            )
            for node, unneeded in zip(network.nodes, _unneeded(network), strict=True)
        ]

    def run(self, feed: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """What it makes of its inputs, each of shape (1, n_channels, 1, n)."""
        torch = self._torch
        torch.set_num_threads(self._threads)  # of this thread, and of all that follow
        with torch.inference_mode():
            known = {name: self._packed(values) for name, values in feed.items()}
            for step in self._steps:
                known[step.output] = step.work(*(known[name] for name in step.inputs))
                for name in step.unneeded:
                    del known[name]
            return known[self._output].float().contiguous().numpy()

    def _packed(self, numbers: NDArray[Any]) -> Any:
        """As bfloat16, its channels side by side."""
        return self._numbers(numbers).to(memory_format=self._torch.channels_last)

    def _numbers(self, numbers: NDArray[Any]) -> Any:
        return self._torch.from_numpy(np.array(numbers, np.float32)).bfloat16()

    def _work(
        self, node: Node, tensors: Mapping[str, Tensor], unneeded: Sequence[str]
    ) -> Callable[..., Any]:
        """What an operator does, in place where its first input is not needed afterwards."""
        operator, in_place = node.operator, node.inputs[0] in unneeded
        if operator in ("Conv", "ConvTranspose"):
            return self._convolution(node, tensors)
        if operator == "LeakyRelu":
            leaky_relu, slope = self._torch.nn.functional.leaky_relu, node.number("alpha", 0.01)
            return partial(leaky_relu, negative_slope=slope, inplace=in_place)
        if operator not in _METHODS:
            raise UnfitError(f"{node.name} is a {operator}")
        apart = getattr(self._torch.Tensor, _METHODS[operator])
        work = getattr(self._torch.Tensor, _METHODS[operator] + "_") if in_place else apart
        numbers = [tensors[name] for name in node.inputs if name in tensors]
        if not numbers:
            return work if len(node.inputs) == 1 else partial(_of_two, work, apart)
        if node.inputs[0] in tensors or prod(numbers[0].shape) != 1:
            raise UnfitError(f"{node.name} has numbers for each place")
        return partial(_with, work, float(numbers[0].numbers.item()))

    def _convolution(self, node: Node, tensors: Mapping[str, Tensor]) -> Callable[..., Any]:
        given = [tensors[name] for name in node.inputs[1:] if name in tensors]
        about = node.attributes
        before, behind = about["pads"][1], about["pads"][3]
        if len(given) < len(node.inputs) - 1 or before != behind:
            raise UnfitError(f"{node.name} has weights or edges that are not its own")
        options: dict[str, Any] = {
            "weight": self._packed(given[0].numbers),
            "bias": self._numbers(given[1].numbers) if len(given) > 1 else None,
            "stride": tuple(about.get("strides", (1, 1))),
            "padding": (0, before),
            "dilation": tuple(about.get("dilations", (1, 1))),
            "groups": node.groups,
        }
        functional = self._torch.nn.functional
        if node.operator == "Conv":
            return partial(functional.conv2d, **options)
        more = tuple(about.get("output_padding", (0, 0)))
        return partial(functional.conv_transpose2d, output_padding=more, **options)


def _of_two(work: Callable[..., Any], apart: Callable[..., Any], left: Any, right: Any) -> Any:
    """`work` where there is room for the result in the first, else `apart`."""
    return (work if left.shape == right.shape else apart)(left, right)


def _with(work: Callable[..., Any], number: float, values: Any) -> Any:
    return work(values, number)


def _unneeded(network: Network) -> list[tuple[str, ...]]:
    """Behind each operator, what none of those that follow is given."""
    found: list[tuple[str, ...]] = []
    needed = {*network.outputs, *network.tensors}
    for node in reversed(network.nodes):
        inputs = dict.fromkeys(node.inputs)
        found.append(tuple(name for name in inputs if name not in needed))
        needed |= {*node.inputs}
    return found[::-1]

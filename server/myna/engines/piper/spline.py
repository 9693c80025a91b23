"""The splines of a VITS network's durations, drawn with a fifth of the operators.

The stochastic duration predictor (Kim et al., 2021) sends noise through splines of rational
quadratics (Durkan et al., 2019), backwards. As exported, each picks the numbers that are within its
bounds, and of each its bin's, with three hundred operators of which most work out where things are.
Here all numbers go through, a mask has the bin of each, and those outside stay as they were. It is
the same up to rounding, and a voice is loaded in half of the time.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from myna.engines.onnx.drawing import Drawing, with_drawings
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor, UnfitError
from myna.engines.piper.exports import is_known
from myna.onnx_messages import FLOAT

_SPLINE = re.compile(r"(/dp/flows\.\d+)/ScatterND_9$")
"""What Piper's export calls the last operator of one."""
_LEAST = 1e-3
"""Of a bin's width and height, in shares of all, and of the slope at its ends."""
_BEYOND = 1e-6
"""How far the last bin goes beyond the bound, so that the bound is in it."""

_COUNTED = {"Softmax": 2, "CumSum": 2, "Softplus": 1, "Sqrt": 1, "ScatterND": 10, "NonZero": 4}
_CONSTANTS = {"Add_6": _LEAST, "Add_11": _LEAST, "Add_10": _LEAST, "Add_15": _BEYOND}
"""How many of some operators a spline has, and what some are given. By these it is known."""


@dataclass(frozen=True, slots=True)
class Spline:
    """One as it is exported."""

    shape: str
    """What says where its bins are, shape (1, 3 n_bins - 1, n): widths, heights, and slopes between
    bins."""
    values: str
    """What goes through it, shape (1, 1, n)."""
    output: str
    bins: int
    scale: float
    """What widths and heights are divided by."""
    bound: float
    """Beyond it, on either side, all stays as it was."""


def with_short_splines(network: Network) -> Network:
    """The network; what is not known as a spline stays as it is."""

    def draw(last: Node) -> Drawing | None:
        found = _spline(network, last)
        return None if found is None else drawn(found)

    return with_drawings(network, draw)


def _spline(network: Network, last: Node) -> Spline | None:
    """The one that an operator ends; None where it ends none."""
    named = _SPLINE.match(last.name)
    if named is None:
        return None
    flow, output = named[1], last.outputs[0]
    shape, noise, values = f"{flow}/Mul_output_0", *(f"{flow}/Split_output_{n}" for n in (0, 1))
    inputs = dict.fromkeys((shape, noise, values), 3)
    try:
        part = network.part(inputs, [output])
        known = all(
            math.isclose(_constant(network, f"{flow}/{name}").number, number, rel_tol=1e-6)
            for name, number in _CONSTANTS.items()
        )
        scale, bound = (
            _constant(network, f"{flow}/{name}").number for name in ("Div", "LessOrEqual")
        )
        rows = _constant(network, f"{flow}/proj/Conv").shape[0]
    except UnfitError:
        return None
    if not (known and is_known(network, part, inputs, _COUNTED)):
        return None
    return Spline(shape, values, output, (rows + 1) // 3, scale, bound)


def _constant(network: Network, name: str) -> Tensor:
    """What an operator is given second. Raises UnfitError where that is no constant."""
    for node in network.nodes:
        if node.name == name and node.inputs[1] in network.tensors:
            return network.tensors[node.inputs[1]]
    raise UnfitError(f"{name} is not there, or has no constant")


def drawn(spline: Spline) -> Drawing:
    """What takes the place of one."""
    drawing = _SplineDrawing(spline)
    drawing.draw()
    return drawing


class _SplineDrawing(Drawing):
    """Of shape (1, 1, n) and (1, n_bins, n), where not said otherwise."""

    def __init__(self, spline: Spline) -> None:
        super().__init__(spline.output)
        self._spline = spline

    def draw(self) -> None:
        """All of it, to what it is to be called."""
        spline = self._spline
        sizes, slopes = self.split(spline.shape, (2 * spline.bins, spline.bins - 1), axis=1)
        made = self._backwards(*self._chosen(self._edges(sizes), self._slopes(slopes)))
        inside = self.add("LessOrEqual", self.add("Abs", spline.values), self.number(spline.bound))
        self.add("Where", inside, made, spline.values, output=spline.output)

    def _edges(self, sizes: str) -> str:
        """Of the bins, across and upwards, shape (2, n_bins + 1, n)."""
        spline = self._spline
        apart = self.add("Reshape", sizes, self.integers(2, spline.bins, -1))
        shares = self.add("Softmax", self.add("Div", apart, self.number(spline.scale)), axis=1)
        rest = self.number(1 - _LEAST * spline.bins)
        shares = self.add("Add", self.add("Mul", shares, rest), self.number(_LEAST))
        sums = self.add("CumSum", self._part(shares, 0, spline.bins - 1), self.integers(1))
        within = self.add("Mul", sums, self.number(2 * spline.bound))
        within = self.add("Add", within, self.number(-spline.bound))
        return self._padded(within, -spline.bound, spline.bound)

    def _slopes(self, slopes: str) -> str:
        """At the edges, shape (1, n_bins + 1, n). What is outside has a slope of 1."""
        within = self.add("Add", self.add("Softplus", slopes), self.number(_LEAST))
        return self._padded(within, 1.0, 1.0)

    def _chosen(self, edges: str, slopes: str) -> list[str]:
        """Of each number's bin: where it begins across and upwards, its width and height, and the
        slopes at its ends."""
        bins = self._spline.bins
        beyond = np.zeros((1, bins + 1, 1), np.float32)
        beyond[0, bins] = _BEYOND
        _, upwards = self.split(edges, (1, 1), axis=0)
        reached = self.add("Add", upwards, self.constant(beyond))
        reached = self.add("GreaterOrEqual", self._spline.values, reached)
        first, second = self._ends(self.add("Cast", reached, to=FLOAT))
        mask = self.add("Sub", first, second)
        lower, upper = self._ends(edges)
        sizes = self.add("Sub", upper, lower)
        all_bins = self.add("Concat", lower, sizes, *self._ends(slopes), axis=0)
        masked = self.add("Mul", all_bins, mask)
        return self.split(self.add("ReduceSum", masked, self.integers(1)), (1,) * 6, axis=0)

    def _backwards(
        self, left: str, bottom: str, width: str, height: str, before: str, behind: str
    ) -> str:
        """Where a height is reached: the root of Durkan et al.'s equations 6 to 8."""
        up = self.add("Sub", self._spline.values, bottom)
        slope = self.add("Div", height, width)
        bend = self.add("Sub", self.add("Add", before, behind), self._twice(slope))
        risen = self.add("Mul", up, bend)
        start = self.add("Mul", height, before)
        a = self.add("Add", risen, self.add("Sub", self.add("Mul", height, slope), start))
        b = self.add("Sub", start, risen)
        c = self.add("Neg", self.add("Mul", slope, up))
        product = self._twice(self._twice(self.add("Mul", a, c)))
        root = self.add("Sqrt", self.add("Sub", self.add("Mul", b, b), product))
        share = self.add("Div", self._twice(c), self.add("Neg", self.add("Add", b, root)))
        return self.add("Add", self.add("Mul", share, width), left)

    def _twice(self, values: str) -> str:
        return self.add("Add", values, values)

    def _ends(self, edges: str) -> tuple[str, str]:
        """Of bins: the edges in front of them, and behind."""
        bins = self._spline.bins
        return self._part(edges, 0, bins), self._part(edges, 1, bins + 1)

    def _part(self, values: str, begin: int, end: int) -> str:
        return self.add("Slice", values, *(self.integers(at) for at in (begin, end, 1)))

    def _padded(self, values: str, front: float, back: float) -> str:
        """With an edge more on either side."""
        longer = self.add("Pad", values, self.integers(0, 1, 0, 0, 0, 0), self.number(front))
        return self.add("Pad", longer, self.integers(0, 0, 0, 0, 1, 0), self.number(back))

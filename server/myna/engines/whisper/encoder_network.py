"""Whisper's encoder as a network for onnxruntime, from CTranslate2's weights.

The same as CTranslate2's in 8 bits, to within the error of either (see `docs/capacity.md`), but
attention is taken a few positions at a time, while they are in the cache: over 30 s of audio it
takes less time (half of it on processors with VNNI) and a third of the memory. Weights have up to
255 steps for each row; what they are multiplied with has as many from the least to the largest that
there is, or for each position by itself where positions differ too much for that: in front of
attention, and within the feed-forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from myna import protobuf
from myna.engines.onnx.drawing import MICROSOFT, TRANSPOSITION, Drawing
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor
from myna.engines.whisper.weights import Weights
from myna.onnx_messages import float_value

FEATURES, ENCODED = "features", "encoded"
"""The input, shape (1, n_mels, frames), and the output, shape (1, frames / 2, d_model)."""

_STEPS = 127
"""The largest 8-bit number, where 0 is in the middle."""
_STEPS_OF_TWO = 127.5
"""Of two weights that lie next to each other, before they are rounded. x86 without VNNI adds two
products in 16 bits, which have room for 255 times 128."""
_MIDDLE = 128
"""What is written for 0 where numbers of 8 bits have no sign."""
_LEAST = 1e-12
"""Of what a step is: numbers that are all 0 have some as well."""
_LEAST_OF_GELU = 0.17
"""GELU is nowhere below the negative of this (its least is at -0.75)."""
_EPSILON = 1e-5
"""Of each layer's normalization, as in openai/whisper."""
_IR_VERSION, _OPSET = 9, 17


@dataclass(frozen=True, slots=True)
class _Quantized:
    """Numbers of 8 bits without a sign, by name."""

    numbers: str
    scale: str
    """What a step is, one number for all."""
    zero: str
    """Which of them is 0."""
    rows: str | None = None
    """What a step is, times `scale`, one number for each position."""


def encoder_network(weights: Weights) -> Network:
    """The network. Raises UnreadableError where a weight is not there, or not known."""
    return _EncoderDrawing(weights).network()


class _EncoderDrawing(Drawing):
    def __init__(self, weights: Weights) -> None:
        super().__init__("encoder")
        self._weights = weights
        self._heads = int(weights.numbers("encoder/num_heads").item())

    def network(self) -> Network:
        mels = self._weights.numbers("encoder/conv1/weight").shape[1]
        values = self._stem(FEATURES)
        for index in count():
            name = f"encoder/layer_{index}"
            if f"{name}/self_attention/linear_0/weight" not in self._weights:
                break
            values = self._attention(values, f"{name}/self_attention")
            values = self._feed_forward(values, f"{name}/ffn")
        self._normalized(values, "encoder/layer_norm", ENCODED)
        return Network(
            tuple(self.nodes),
            self.tensors,
            {FEATURES: float_value(FEATURES, (1, mels, "frames"))},
            (ENCODED,),
            _about(),
        ).importing(MICROSOFT)

    def _stem(self, features: str) -> str:
        """Two convolutions, of which the second keeps every other place, and where each is."""
        for name, stride in (("encoder/conv1", 1), ("encoder/conv2", 2)):
            given = (self._tensor(f"{name}/weight"), self._tensor(f"{name}/bias"))
            features = self.add(
                "Conv", features, *given, kernel_shape=(3,), pads=(1, 1), strides=(stride,)
            )
            features = self.add("Gelu", features, domain=MICROSOFT)
        rows = self.add("Transpose", features, perm=TRANSPOSITION)
        length = self.add("Shape", rows, start=1, end=2)
        places = self.add(
            "Slice",
            self._tensor("encoder/position_encodings/encodings"),
            self.integers(0),
            length,
        )
        return self.add("Add", rows, places)

    def _attention(self, values: str, name: str) -> str:
        quantized = self._by_position(self._normalized(values, f"{name}/layer_norm"))
        weight, bias = self._weight_and_bias(f"{name}/linear_0")
        parts = zip(np.split(weight, 3), np.split(bias, 3), strict=True)
        seen = [self._product(quantized, *part) for part in parts]
        looked = self.add("MultiHeadAttention", *seen, domain=MICROSOFT, num_heads=self._heads)
        return self.add("Add", values, self._linear(looked, f"{name}/linear_1"))

    def _feed_forward(self, values: str, name: str) -> str:
        inner = self._linear(self._normalized(values, f"{name}/layer_norm"), f"{name}/linear_0")
        inner = self._by_position(self.add("Gelu", inner, domain=MICROSOFT), least=_LEAST_OF_GELU)
        outer = self._product(inner, *self._weight_and_bias(f"{name}/linear_1"))
        return self.add("Add", values, outer)

    def _linear(self, values: str, name: str) -> str:
        made = [f"{name}/{part}" for part in ("quantized", "scale", "zero")]
        self.nodes.append(Node.new("DynamicQuantizeLinear", (values,), made))
        return self._product(_Quantized(*made), *self._weight_and_bias(name))

    def _by_position(self, values: str, *, least: float | None = None) -> _Quantized:
        """In steps of each position's own; all numbers are above the negative of `least`, if that
        is said."""
        largest = self.add("ReduceMax", values, axes=(2,))
        if least is None:
            below = self.add("Neg", self.add("ReduceMin", values, axes=(2,)))
        else:
            below = self.number(least)
        step = self.number(1 / _STEPS)
        scales = self.add("Mul", self.add("Max", largest, below), step)
        line = self.add("Reshape", scales, self.integers(-1))
        zero = self.constant(np.array(_MIDDLE, np.uint8))
        zeros = self.add("Expand", zero, self.add("Shape", line))
        batch = self.integers(0)
        rows = self.add("QuantizeLinear", self.add("Squeeze", values, batch), line, zeros, axis=0)
        one = self.number(1)
        return _Quantized(self.add("Unsqueeze", rows, batch), one, zero, scales)

    def _weight_and_bias(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._weights.numbers(f"{name}/weight"), self._weights.numbers(f"{name}/bias")

    def _product(
        self, values: _Quantized, weight: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> str:
        """A linear layer, its weight of shape (n_out, n_in)."""
        scales = _steps(weight)
        numbers = np.rint(weight / scales[:, None]).astype(np.int8)
        given = (
            values.numbers,
            self.constant(np.ascontiguousarray(numbers.T)),
            values.scale,
            self.constant(scales),
            values.zero,
        )
        added = self.constant(bias)
        if values.rows is None:
            return self.add("MatMulIntegerToFloat", *given, "", added, domain=MICROSOFT)
        product = self.add("MatMulIntegerToFloat", *given, domain=MICROSOFT)
        return self.add("Add", self.add("Mul", product, values.rows), added)

    def _normalized(self, values: str, name: str, output: str | None = None) -> str:
        given = (self._tensor(f"{name}/gamma"), self._tensor(f"{name}/beta"))
        return self.add("LayerNormalization", values, *given, output=output, epsilon=_EPSILON)

    def _tensor(self, name: str) -> str:
        if name not in self.tensors:
            self.tensors[name] = Tensor.new(name, self._weights.numbers(name))
        return name


def _steps(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a step of each row is, shape (n_out,), so that no sum of two products overflows."""
    sizes = np.abs(weight)
    largest = sizes.max(axis=1) / _STEPS
    of_two = (sizes[:, ::2] + sizes[:, 1::2]).max(axis=1) / _STEPS_OF_TWO
    return np.maximum(np.maximum(largest, of_two), _LEAST).astype(np.float32)


def _about() -> bytes:
    """Versions of the format and of ONNX's operators. ModelProto's fields 1 and 8, and those of
    OperatorSetIdProto."""
    own = protobuf.text(1, "") + protobuf.integer(2, _OPSET)
    return protobuf.integer(1, _IR_VERSION) + protobuf.data(8, own)

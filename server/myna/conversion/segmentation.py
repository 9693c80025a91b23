"""pyannote segmentation 3.0: who of at most three speakers is heard, 59 times a second.

SincNet (Ravanelli and Bengio, 2018) over the waveform, four bidirectional LSTM layers, three linear
ones. Input `x` (windows, 1, samples) at 16 kHz; output `y` (windows, frames, 7), the logarithm of
the probability of nobody, each of the three, and each pair.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from myna.conversion.checkpoint import Tensors
from myna.conversion.graph import Graph

_RATE_HZ = 16_000
_LEAST_HZ = 50.0
"""The lowest edge of a band-pass filter, and the least width of one."""
_SLOPE = 0.01
"""Of leaky ReLU below zero."""
_LSTM_LAYERS, _HIDDEN = 4, 128


def pyannote_segmentation(tensors: Tensors) -> Graph:
    """The network with the parameters of a checkpoint. Raises KeyError where one is missing."""
    graph = Graph("pyannote-segmentation-3.0")
    value = graph.input("x", ("N", 1, "T"))
    value = _normalised(graph, value, tensors, "sincnet.wav_norm1d")
    value = graph.node(
        "Conv", value, graph.constant(sinc_filters(tensors)), strides=(10,), kernel_shape=(251,)
    )
    value = _pooled(graph, graph.node("Abs", value), tensors, 0)
    for layer in (1, 2):
        weight, bias = (tensors[f"sincnet.conv1d.{layer}.{part}"] for part in ("weight", "bias"))
        value = graph.node("Conv", value, graph.constant(weight), graph.constant(bias))
        value = _pooled(graph, value, tensors, layer)
    value = graph.node("Transpose", value, perm=(2, 0, 1))  # (frames, windows, 60)
    for layer in range(_LSTM_LAYERS):
        value = _lstm(graph, value, tensors, layer)
    value = graph.node("Transpose", value, perm=(1, 0, 2))
    for name in ("linear.0", "linear.1"):
        value = graph.node("LeakyRelu", _linear(graph, value, tensors, name), alpha=_SLOPE)
    value = graph.node("LogSoftmax", _linear(graph, value, tensors, "classifier"), axis=-1)
    graph.output(value, "y", ("N", "F", 7))
    return graph


def sinc_filters(tensors: Tensors) -> NDArray[np.float32]:
    """Band-pass filters from their edges: 40 even ones, then 40 odd ones, shape (80, 1, 251)."""
    prefix = "sincnet.conv1d.0.filterbank."
    low_hz = _LEAST_HZ + np.abs(tensors[f"{prefix}low_hz_"].astype(np.float64))
    width_hz = _LEAST_HZ + np.abs(tensors[f"{prefix}band_hz_"].astype(np.float64))
    high_hz = np.clip(low_hz + width_hz, _LEAST_HZ, _RATE_HZ / 2)
    # Times of the left half, 2 pi n / rate, and the left half of a Hamming window.
    times = tensors[f"{prefix}n_"].astype(np.float64)
    window = tensors[f"{prefix}window_"].astype(np.float64)
    band = high_hz - low_hz
    even = (np.sin(high_hz * times) - np.sin(low_hz * times)) / (times / 2) * window
    odd = (np.cos(low_hz * times) - np.cos(high_hz * times)) / (times / 2) * window
    filters = np.concatenate(
        [
            np.concatenate([even, 2 * band, even[:, ::-1]], axis=1) / (2 * band),
            np.concatenate([odd, np.zeros_like(band), -odd[:, ::-1]], axis=1) / (2 * band),
        ]
    )
    return filters[:, np.newaxis, :].astype(np.float32)


def _pooled(graph: Graph, value: str, tensors: Tensors, layer: int) -> str:
    value = graph.node("MaxPool", value, kernel_shape=(3,), strides=(3,))
    value = _normalised(graph, value, tensors, f"sincnet.norm1d.{layer}")
    return graph.node("LeakyRelu", value, alpha=_SLOPE)


def _normalised(graph: Graph, value: str, tensors: Tensors, name: str) -> str:
    scale, bias = (graph.constant(tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
    return graph.node("InstanceNormalization", value, scale, bias, epsilon=1e-5)


def _lstm(graph: Graph, value: str, tensors: Tensors, layer: int) -> str:
    """Both directions of one layer: (frames, windows, features) to (frames, windows, 256)."""
    sides = (f"l{layer}", f"l{layer}_reverse")

    def both(name: str) -> NDArray[np.float32]:
        return np.stack([_reordered(tensors[f"lstm.{name}_{side}"]) for side in sides])

    biases = np.concatenate([both("bias_ih"), both("bias_hh")], axis=1)
    value = graph.node(
        "LSTM",
        value,
        graph.constant(both("weight_ih")),
        graph.constant(both("weight_hh")),
        graph.constant(biases),
        direction="bidirectional",
        hidden_size=_HIDDEN,
    )
    value = graph.node("Transpose", value, perm=(0, 2, 1, 3))
    return graph.node("Reshape", value, graph.integers(0, 0, 2 * _HIDDEN))


def _reordered(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """PyTorch's gates are input, forget, cell, output; ONNX's input, output, forget, cell."""
    into, forget, cell, out = np.split(numbers, 4)
    return np.concatenate([into, out, forget, cell])


def _linear(graph: Graph, value: str, tensors: Tensors, name: str) -> str:
    weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    return graph.node(
        "Add", graph.node("MatMul", value, graph.constant(weight.T)), graph.constant(bias)
    )

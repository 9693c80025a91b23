"""Graphs written by hand, run by onnxruntime."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from myna.conversion import CONVERSIONS, CheckpointError, convert
from myna.conversion.graph import Graph
from myna.conversion.segmentation import sinc_filters


def run(graph: Graph, **inputs: np.ndarray) -> np.ndarray:
    (found,) = onnxruntime.InferenceSession(graph.serialised()).run(None, inputs)
    return found


def test_a_graph_of_every_kind_of_attribute_is_what_it_says():
    graph = Graph("small")
    value = graph.input("x", ("N", 4))
    value = graph.node("LeakyRelu", value, alpha=0.5)
    value = graph.node("Transpose", value, perm=(1, 0))
    value = graph.node("Concat", value, graph.constant(np.ones((4, 1), np.float32)), axis=-1)
    value = graph.node("Reshape", value, graph.integers(-1))
    graph.output(value, "y", ("M",))
    assert run(graph, x=np.array([[-2, 1, 0, 4]], np.float32)).tolist() == [
        -1, 1, 1, 1, 0, 1, 4, 1
    ]  # fmt: skip


def test_texts_and_negative_integers_survive():
    graph = Graph("lstm")
    value = graph.input("x", ("T", 1, 2))
    weights = [np.full((2, 4 * size, 2), 0.1, np.float32) for size in (2, 2)]
    value = graph.node(
        "LSTM", value, *map(graph.constant, weights), direction="bidirectional", hidden_size=2
    )
    value = graph.node("Softmax", value, axis=-1)
    graph.output(value, "y", ("T", 2, 1, 2))
    assert run(graph, x=np.ones((3, 1, 2), np.float32)).shape == (3, 2, 1, 2)


def test_the_same_graph_is_the_same_bytes():
    def made() -> bytes:
        graph = Graph("same")
        graph.output(graph.node("Relu", graph.input("x", ("N",))), "y", ("N",))
        return graph.serialised()

    assert made() == made()


def test_filters_are_even_and_odd_and_pass_only_their_band():
    half = np.arange(-125, 0, dtype=np.float64)
    tensors = {
        "sincnet.conv1d.0.filterbank.low_hz_": np.array([[950.0]], np.float32),
        "sincnet.conv1d.0.filterbank.band_hz_": np.array([[450.0]], np.float32),
        "sincnet.conv1d.0.filterbank.n_": (2 * np.pi * half / 16000)[np.newaxis].astype(np.float32),
        "sincnet.conv1d.0.filterbank.window_": np.hamming(251)[:125].astype(np.float32),
    }
    even, odd = sinc_filters(tensors)[:, 0]
    assert np.array_equal(even, even[::-1])
    assert np.array_equal(odd, -odd[::-1])
    response = np.abs(np.fft.rfft(even, 16000))  # a bin a hertz
    assert response[1250] > 20 * max(response[700], response[1800])


@pytest.mark.parametrize("network", CONVERSIONS)
def test_something_else_is_no_checkpoint_of_a_network(network):
    with pytest.raises(CheckpointError):
        convert(network, b"PK")

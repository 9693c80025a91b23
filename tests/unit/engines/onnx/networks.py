"""Small networks for tests, and what onnxruntime makes of them."""

from collections.abc import Callable

import numpy as np
import onnxruntime

from myna.conversion.graph import Graph
from myna.engines.onnx.graph import Network

CHANNELS = 6

Write = Callable[[Graph, str], str]
"""Operators for what is given, under its name; the name of what they make."""


def network(write: Write) -> Network:
    """From `sound`, shape (1, CHANNELS, n), to `made`, of three axes."""
    graph = Graph("small")
    made = write(graph, graph.input("sound", (1, CHANNELS, "length")))
    graph.output(made, "made", (1, "one", "other"))
    return Network.read(graph.serialised())


def run(network: Network, sound: np.ndarray) -> np.ndarray:
    """What it makes of it."""
    session = onnxruntime.InferenceSession(network.written(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"sound": sound})[0])


def operators(network: Network) -> list[str]:
    """Its operators in order, but for those that only name an output."""
    return [node.operator for node in network.nodes if node.operator != "Identity"]

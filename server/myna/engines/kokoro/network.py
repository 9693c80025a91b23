"""The network as it is run: the export's own, but written for less work where it makes the same
sound to the last bit.

Of the 8-bit export nine tenths of all work are convolutions, most of them of 8-bit numbers with
unsigned weights, for which onnxruntime has no better code than for floats.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from myna import protobuf
from myna.engines.onnx.convolutions import in_rows
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor, UnfitError
from myna.engines.sessions import onnx_session
from myna.onnx_messages import UINT8, float_value

_SIZE = 64
"""Of the matrices in the trial: large enough for the code that large ones are multiplied by."""

_log = logging.getLogger(__name__)


def lean(file: bytes) -> bytes:
    """The network of an .onnx file for a CPU; the file as it is where there is nothing to gain."""
    if b"ConvInteger" not in file or not exact_products():
        return file
    try:
        return in_rows(Network.read(file)).written()
    except UnfitError as reason:
        _log.info("Kokoro's network is run as it is: %s", reason)
        return file


def exact_products() -> bool:
    """Whether matrices of 8-bit numbers, the right one signed, come out right on this processor:
    x86 without VNNI adds two products in 16 bits, where large ones overflow."""
    left, right = np.full((_SIZE, _SIZE), 255), np.full((_SIZE, _SIZE), 127, np.int8)
    return bool(np.array_equal(_product(left, right), left @ right.astype(np.int64)))


def _product(left: NDArray[Any], right: NDArray[np.int8]) -> NDArray[np.int32]:
    network = Network(
        nodes=(
            Node.new("Cast", ("left",), ("numbers",), to=UINT8),
            Node.new("MatMulInteger", ("numbers", "right"), ("product",)),
        ),
        tensors={"right": Tensor.new("right", right)},
        inputs={"left": float_value("left", left.shape)},
        outputs=("product",),
        about=protobuf.integer(1, 8) + protobuf.data(8, protobuf.integer(2, 13)),
    )
    session = onnx_session(network.written(), "cpu", 1)
    return np.asarray(session.run(None, {"left": left.astype(np.float32)})[0], np.int32)

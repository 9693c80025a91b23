"""Sessions of onnxruntime keep no more than they need."""

import sys
from pathlib import Path

import numpy as np
import pytest

from myna import protobuf
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor
from myna.engines.sessions import onnx_session
from myna.onnx_messages import float_value

linux = pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")


def network() -> bytes:
    """Adds one."""
    return Network(
        (Node.new("Add", ("x", "one"), ("y",)),),
        {"one": Tensor.new("one", np.array([1.0], np.float32))},
        {"x": float_value("x", ("n",))},
        ("y",),
        protobuf.integer(1, 9) + protobuf.data(8, protobuf.integer(2, 17)),
    ).written()


@pytest.mark.parametrize("as_file", [False, True])
def test_a_network_runs_from_its_bytes_and_from_its_file(tmp_path, as_file):
    file = tmp_path / "network.onnx"
    file.write_bytes(network())
    session = onnx_session(file if as_file else network(), "cpu", 1)
    (found,) = session.run(None, {"x": np.array([1, 2], np.float32)})
    assert found.tolist() == [2, 3]


@linux
def test_a_session_does_not_keep_the_bytes_that_it_was_made_of():
    session = onnx_session(network(), "cpu", 1)
    assert not isinstance(getattr(session, "_model_bytes", None), bytes)


@linux
def test_no_descriptor_is_left_open():
    def descriptors() -> list[str]:
        return [_to(link) for link in Path("/proc/self/fd").iterdir()]

    onnx_session(network(), "cpu", 1)
    before = len(descriptors())
    onnx_session(network(), "cpu", 1)
    assert len(descriptors()) == before
    with pytest.raises(Exception, match=r"(?i)protobuf|model"):
        onnx_session(b"no network", "cpu", 1)
    assert len(descriptors()) == before
    assert not [file for file in descriptors() if "memfd:network" in file]


def _to(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""

"""Sessions of onnxruntime, set up for networks whose input has another length at every call."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myna import protobuf
from myna.engines.devices import Device
from myna.errors import EngineFailure

if TYPE_CHECKING:
    import onnxruntime


def onnx_session(
    file: Path | bytes, device: Device, threads: int, *, also: str | None = None
) -> onnxruntime.InferenceSession:
    """A session over a network's file, or over what is in one; `threads` is how many cores one run
    uses. `also` names a tensor inside the network that is to be an output too, where there is one.

    Memory patterns are off: each text has another shape, and each shape would keep its own. The
    arena stays on: without it two threads wait for the allocator and take twice as long.

    Raises EngineFailure where onnxruntime cannot use the device, and onnxruntime's own errors on a
    file that is no network.
    """
    import onnxruntime  # noqa: PLC0415 - slow to import, and only needed with an ONNX engine

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = ["CPUExecutionProvider"]
    if device == "cuda":
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise EngineFailure("this onnxruntime has no CUDA; install the extra myna[cuda]")
        # The default search tries every algorithm anew for each length of text.
        providers.insert(0, ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC"}))
    network = file if isinstance(file, bytes) else file.read_bytes()
    if also and _named(also) in network:
        network += _as_output(also)
    with _as_file(network) as readable:
        return onnxruntime.InferenceSession(readable, sess_options=options, providers=providers)


@contextmanager
def _as_file(content: bytes) -> Generator[str | bytes]:
    """A file in memory where there are such (Linux), else the bytes themselves. A session that is
    given bytes keeps them for as long as it lives, beside what it has made of them."""
    if sys.platform != "linux":
        yield content
        return
    file = os.memfd_create("network")
    try:
        with os.fdopen(file, "wb", closefd=False) as opened:
            opened.write(content)
        yield f"/proc/self/fd/{file}"
    finally:
        os.close(file)


def _as_output(tensor: str) -> bytes:
    """What makes a tensor an output when it is put behind a network: protobuf merges messages that
    follow one another, and appends to lists. `ModelProto.graph` is field 7, `GraphProto.output`
    field 12 and `ValueInfoProto.name` field 1 of onnx.proto3."""
    return protobuf.data(7, protobuf.data(12, _named(tensor)))


def _named(tensor: str) -> bytes:
    return protobuf.text(1, tensor)

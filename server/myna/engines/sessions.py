"""Sessions of onnxruntime, set up for networks whose input has another length at every call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from myna.engines.devices import Device
from myna.errors import EngineFailure

if TYPE_CHECKING:
    import onnxruntime


def onnx_session(file: Path, device: Device, threads: int) -> onnxruntime.InferenceSession:
    """A session over a network's file; `threads` is how many cores one run uses.

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
    return onnxruntime.InferenceSession(str(file), sess_options=options, providers=providers)
